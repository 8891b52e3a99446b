package txn

import "testing"

// A table never searches long for a trace number: it says at once that too many are taken.
func TestFreshGivesUp(t *testing.T) {
	table, row := NewTable(7), &Row{}
	for stan := range uint32(maxRows) {
		table.rows[stan+1] = row
	}
	if stan, ok := table.Fresh(); ok {
		t.Errorf("gave %d with %d taken", stan, table.Len())
	}
	delete(table.rows, 100)
	if stan, ok := table.Fresh(); !ok || stan != 100 {
		t.Errorf("gave %d %v, want 100, which is free", stan, ok)
	}
}
