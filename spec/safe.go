package spec

import "errors"

func (m *Message) AppendSafe(dst []byte) []byte { return dst }

func AppendDelta(dst []byte, base, m *Message) []byte { return dst }

func ApplyDelta(dst []byte, base *Message, d *Dialect, delta []byte) ([]byte, error) {
	return dst, errors.New("not yet")
}

func (d *Dialect) RestorePAN(dst []byte, safe *Message, pan PAN) ([]byte, error) {
	return dst, errors.New("not yet")
}
