package cardswitch

import (
	"time"

	"cardswitch/store/negative/layout"
)

// NegativeConfig is how an issuer's negative list is used and changed.
type NegativeConfig struct {
	// Mode says what becomes of a request of a listed card: refuse (with the action code of its
	// entry, before it goes to the issuer), stand-in (only where the switch decides for the issuer),
	// mark (it is forwarded, and its record says that the card is listed).
	Mode string `yaml:"mode"`
	// Action is the action code of entries that bring none: 1xx declines, 2xx also keeps the card.
	Action int `yaml:"action"`
	// Damaged says what becomes of the issuer's requests while its regular file can't be used:
	// refuse all of them, or continue without it.
	Damaged string `yaml:"damaged"`
	// Duplicates says what becomes of an entry for a card that has one: replace (303), refuse (308).
	Duplicates string `yaml:"duplicates"`
	// Period is how often a regular file comes: an older one raises the alarm. 0: no alarm.
	Period time.Duration `yaml:"period,omitempty"`
	// Regular and Emergency are the names of the files in DE 101.
	Regular   string `yaml:"regular"`
	Emergency string `yaml:"emergency"`
	// Layout is how the lines of its files look; a flag of the import may say otherwise.
	Layout LayoutConfig `yaml:"layout,omitempty"`
}

// LayoutConfig is how the lines of a file of cards look (package store/negative/layout).
type LayoutConfig struct {
	Format    string            `yaml:"format" json:"format"`                       // csv, fixed
	Columns   []string          `yaml:"columns,omitempty" json:"columns,omitempty"` // of csv
	Separator string            `yaml:"separator,omitempty" json:"separator,omitempty"`
	Fields    map[string]string `yaml:"fields,omitempty" json:"fields,omitempty"` // of fixed
	Header    string            `yaml:"header,omitempty" json:"header,omitempty"` // begins so
	Trailer   string            `yaml:"trailer,omitempty" json:"trailer,omitempty"`
	Count     string            `yaml:"count,omitempty" json:"count,omitempty"` // in the trailer
	Sum       string            `yaml:"sum,omitempty" json:"sum,omitempty"`     // in the trailer
	Luhn      bool              `yaml:"luhn,omitempty" json:"luhn,omitempty"`   // check digits
}

func (l *LayoutConfig) spec() layout.Spec {
	return layout.Spec{Format: l.Format, Columns: l.Columns, Separator: l.Separator,
		Fields: l.Fields, Header: l.Header, Trailer: l.Trailer, Count: l.Count, Sum: l.Sum,
		Luhn: l.Luhn}
}

// What becomes of requests of listed cards, of all requests while a file is damaged, and of entries
// for cards that have one.
const (
	NegativeRefuse   = "refuse"
	NegativeStandIn  = "stand-in"
	NegativeMark     = "mark"
	NegativeContinue = "continue"
	NegativeReplace  = "replace"
)

func (n *NegativeConfig) complete() {
	setDefault(&n.Mode, NegativeRefuse)
	setDefault(&n.Action, 200)
	setDefault(&n.Damaged, NegativeRefuse)
	setDefault(&n.Duplicates, NegativeReplace)
	setDefault(&n.Regular, "NEGATIVE")
	setDefault(&n.Emergency, "EMERGENCY")
	setDefault(&n.Layout.Format, layout.CSV)
}

func (n *NegativeConfig) validate(f *faults, path string) {
	f.oneOf(path+".mode", n.Mode, NegativeRefuse, NegativeStandIn, NegativeMark)
	f.between(path+".action", n.Action, 100, 299)
	f.oneOf(path+".damaged", n.Damaged, NegativeRefuse, NegativeContinue)
	f.oneOf(path+".duplicates", n.Duplicates, NegativeReplace, NegativeRefuse)
	if n.Period != 0 {
		f.duration(path+".period", n.Period, time.Minute, 366*24*time.Hour)
	}
	for name, value := range map[string]string{"regular": n.Regular, "emergency": n.Emergency} {
		if value == "" || len(value) > 17 {
			f.add(path+"."+name, "use 1 to 17 characters", "%q is no file name of DE 101", value)
		}
	}
	if _, err := layout.New(n.Layout.spec()); err != nil {
		f.add(path+".layout", "see `cardswitch config sample`", "%s", err)
	}
	if n.Regular == n.Emergency {
		f.add(path+".emergency", "give it a name of its own", "is also the name of the regular file")
	}
}
