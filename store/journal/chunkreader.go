package journal

import (
	"crypto/sha256"
	"encoding/binary"

	"github.com/klauspost/compress/s2"
)

// Chunk reads the records of one chunk. It is reused from chunk to chunk.
type Chunk struct {
	Header
	Hash Hash

	next    uint64
	body    []byte // decompressed
	secrets []byte
	rest    reader
	sums    Hash
	sealed  reader
}

// Open checks a whole chunk and stands before its first record. What its records refer to is valid
// until the next Open, and may be a part of value.
func (c *Chunk) Open(value []byte, k *Keys) error {
	h, err := ReadHeader(value)
	if err != nil {
		return err
	}
	raw := binary.BigEndian.Uint32(value[62:])
	stored := int64(binary.BigEndian.Uint32(value[66:]))
	if raw > MaxBody || headerSize+stored+tagSize > int64(len(value)) {
		return damaged("chunk with wrong lengths")
	}
	end := headerSize + int(stored)
	c.sums = sha256.Sum256(value[:end])
	c.secrets, err = k.aead.Open(c.secrets[:0], value[70:82], value[end:], c.sums[:])
	if err != nil {
		return damaged("the seal of a chunk is broken; its bytes were changed, or by another data key")
	}
	c.Header, c.Hash = h, chain(c.sums, value[end:])
	body := value[headerSize:end]
	if value[1]&compressed != 0 {
		if n, err := s2.DecodedLen(body); err != nil || n != int(raw) {
			return damaged("chunk with wrong lengths")
		}
		if c.body, err = s2.Decode(c.body[:cap(c.body)], body); err != nil {
			return damaged("chunk that can't be decompressed")
		}
		body = c.body
	}
	c.next = h.First
	c.rest, c.sealed = reader{b: body}, reader{b: c.secrets}
	return nil
}

// Next reads the next record into r; false at the end.
func (c *Chunk) Next(r *Record) (bool, error) {
	if c.next > c.Last() {
		if len(c.rest.b) != 0 || len(c.sealed.b) != 0 {
			return false, damaged("bytes after the last record of a chunk")
		}
		return false, nil
	}
	if err := c.rest.record(r, &c.sealed, c.next, c.At); err != nil {
		return false, err
	}
	c.next++
	return true, nil
}

// Clone makes r independent of the chunk it was read from.
func (r *Record) Clone() Record {
	c := *r
	for i := range c.Images[:c.ImageCount] {
		c.Images[i].Data = append([]byte(nil), c.Images[i].Data...)
		c.Images[i].Cut = append([]byte(nil), c.Images[i].Cut...)
	}
	return c
}
