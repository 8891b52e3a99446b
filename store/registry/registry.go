// Package registry keeps the small numbers that stand for names in the journal.
//
// A center, a link or a dialect gets its number once, at its first use, and keeps it for as long as the journal lives: a
// number is never used for another name, also when the name has left the configuration. A definition that changes under
// the same name (a dialect whose file was edited) is kept as a new number, so that old images stay readable.
package registry

// Kind says what a name names.
type Kind uint8

const (
	Center Kind = iota + 1
	Link
	Dialect
)

// Registry is the table. It is safe for concurrent use.
type Registry struct{}

// ID returns the number of a name, giving it a new one (durably, before it returns) if there is none
// with this definition yet.
func (r *Registry) ID(kind Kind, name string, definition []byte) (uint16, error) {
	return 0, nil
}

// Name returns the name behind a number, "" if there is none.
func (r *Registry) Name(id uint16) string { return "" }

// Definition returns the definition behind a number, nil if it has none.
func (r *Registry) Definition(id uint16) []byte { return nil }
