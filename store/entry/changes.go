package entry

import (
	"encoding/binary"
	"fmt"
)

// Changes are keys set and deleted, in order.
type Changes []byte

const (
	kindSet    = 1
	kindDelete = 2
)

// AppendSet appends that a key is set.
func AppendSet(b, key, value []byte) []byte {
	b = appendBytes(append(b, kindSet), key)
	return appendBytes(b, value)
}

// AppendDelete appends that a key is deleted.
func AppendDelete(b, key []byte) []byte { return appendBytes(append(b, kindDelete), key) }

func appendBytes(b, p []byte) []byte {
	return append(binary.AppendUvarint(b, uint64(len(p))), p...)
}

// Each calls set and delete for the changes in order. What they are given is a part of c.
func (c Changes) Each(set func(key, value []byte), del func(key []byte)) error {
	for b := []byte(c); len(b) > 0; {
		kind := b[0]
		key, rest, ok := takeBytes(b[1:])
		if !ok || len(key) == 0 {
			return fmt.Errorf("%w: change cut short", ErrDamaged)
		}
		b = rest
		switch kind {
		case kindSet:
			value, rest, ok := takeBytes(b)
			if !ok {
				return fmt.Errorf("%w: change cut short", ErrDamaged)
			}
			b = rest
			set(key, value)
		case kindDelete:
			del(key)
		default:
			return fmt.Errorf("%w: change of kind %d", ErrDamaged, kind)
		}
	}
	return nil
}

func takeBytes(b []byte) (p, rest []byte, ok bool) {
	size, n := binary.Uvarint(b)
	if n <= 0 || size > uint64(len(b)-n) {
		return nil, nil, false
	}
	return b[n : n+int(size) : n+int(size)], b[n+int(size):], true
}
