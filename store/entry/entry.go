// Package entry is the form of what the nodes of a cluster agree on: what one batch writes.
//
// An entry is:
//
//	version 1, number of chunks 2
//	each chunk: Seq of its first record 8, length 4, the sealed chunk
//	the changes: kind 1, key's length and key, for a set key the value's length and value
//
// Chunks stand apart, whole and in front, so that the log needs to write them only once: where the
// journal keeps them (see Thin).
package entry

import (
	"encoding/binary"
	"errors"
	"fmt"
)

const (
	Version   = 1
	headSize  = 3
	chunkSize = 12 // before the bytes of a chunk
)

// ErrDamaged is that of bytes that Writer can't have written.
var ErrDamaged = errors.New("damaged entry")

// Chunk is a sealed chunk of the journal and the Seq of its first record.
type Chunk struct {
	First  uint64
	Sealed []byte
}

// Entry is what one batch writes.
type Entry struct {
	Chunks  []Chunk
	Changes Changes
}

// Begin begins an entry that has so many chunks.
func Begin(b []byte, chunks int) []byte {
	b = append(b, Version)
	return binary.BigEndian.AppendUint16(b, uint16(chunks))
}

// AppendChunk appends a chunk that seal appends.
func AppendChunk(b []byte, first uint64, seal func([]byte) []byte) []byte {
	b = binary.BigEndian.AppendUint64(b, first)
	at := len(b)
	b = seal(append(b, 0, 0, 0, 0))
	binary.BigEndian.PutUint32(b[at:], uint32(len(b)-at-4))
	return b
}

// Parse reads an entry. What it returns are parts of b.
func Parse(b []byte) (Entry, error) {
	if len(b) < headSize {
		return Entry{}, fmt.Errorf("%w: cut short", ErrDamaged)
	}
	if b[0] != Version {
		return Entry{}, fmt.Errorf("entry of version %d, this program knows %d", b[0], Version)
	}
	count := int(binary.BigEndian.Uint16(b[1:]))
	b = b[headSize:]
	if len(b)/chunkSize < count {
		return Entry{}, fmt.Errorf("%w: cut short", ErrDamaged)
	}
	var e Entry
	for range count {
		if len(b) < chunkSize {
			return Entry{}, fmt.Errorf("%w: cut short", ErrDamaged)
		}
		c := Chunk{First: binary.BigEndian.Uint64(b)}
		n := int64(binary.BigEndian.Uint32(b[8:]))
		if b = b[chunkSize:]; n > int64(len(b)) {
			return Entry{}, fmt.Errorf("%w: chunk cut short", ErrDamaged)
		}
		c.Sealed, b = b[:n:n], b[n:]
		e.Chunks = append(e.Chunks, c)
	}
	e.Changes = b
	return e, nil
}

// Thin appends an entry without the bytes of its chunks: what the log keeps of it.
func Thin(b []byte, e *Entry) []byte {
	b = Begin(b, len(e.Chunks))
	for i := range e.Chunks {
		b = binary.BigEndian.AppendUint64(b, e.Chunks[i].First)
		b = binary.BigEndian.AppendUint32(b, uint32(len(e.Chunks[i].Sealed)))
	}
	return append(b, e.Changes...)
}

// Whole appends the entry of which Thin has left thin, with the chunks that get finds by the Seq of
// their first record.
func Whole(b, thin []byte, get func(first uint64) ([]byte, error)) ([]byte, error) {
	if len(thin) < headSize || thin[0] != Version {
		return nil, fmt.Errorf("%w: not one without its chunks", ErrDamaged)
	}
	count := int(binary.BigEndian.Uint16(thin[1:]))
	b, thin = append(b, thin[:headSize]...), thin[headSize:]
	if len(thin)/chunkSize < count {
		return nil, fmt.Errorf("%w: cut short", ErrDamaged)
	}
	for range count {
		first := binary.BigEndian.Uint64(thin)
		sealed, err := get(first)
		if err != nil {
			return nil, fmt.Errorf("the chunk of record %d: %w", first, err)
		}
		if uint32(len(sealed)) != binary.BigEndian.Uint32(thin[8:]) {
			return nil, fmt.Errorf("%w: the chunk of record %d has another length", ErrDamaged, first)
		}
		b = append(append(b, thin[:chunkSize]...), sealed...)
		thin = thin[chunkSize:]
	}
	return append(b, thin...), nil
}

// First is the Seq of the first record of an entry, whole or thin; 0: it has no records.
func First(b []byte) uint64 {
	if len(b) < headSize+chunkSize || b[0] != Version || binary.BigEndian.Uint16(b[1:]) == 0 {
		return 0
	}
	return binary.BigEndian.Uint64(b[headSize:])
}
