package spec

import (
	"fmt"
	"io"
	"strconv"
)

// Format writes what kind of message it is, whatever the verb: its content may hold a card number.
func (m Message) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, "message "+m.mti.String()+" of "+
		strconv.Itoa(m.sound.Count())+" elements")
}

// Format writes how much is changed, whatever the verb: a value may hold a card number.
func (e Edit) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, "edit of "+strconv.Itoa(e.set.Count())+" elements")
}
