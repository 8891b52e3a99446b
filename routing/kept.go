package routing

// Kept is what a table was made of, so that in years to come it can be made again and asked why a
// message went where it went.
type Kept struct {
	Destinations []string `json:"destinations"`
	Merchants    []string `json:"merchants"`
	Sources      []Source `json:"sources"`
}

// Kept is what t was made of.
func (t *Table) Kept() Kept { return t.kept }

// Table makes the table again.
func (k Kept) Table() (*Table, error) {
	return Parser{Destinations: k.Destinations, Merchants: k.Merchants}.Parse(k.Sources...)
}
