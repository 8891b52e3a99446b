package journal

import (
	"crypto/sha256"
	"encoding/binary"
	"time"

	"github.com/klauspost/compress/s2"
)

// A chunk on disk:
//
//	version 1, flags 1, count 4, epoch 8, first 8, time 8, previous 32, raw 4, stored 4, nonce 12
//	body     the records, compressed where that makes them smaller
//	sealed   the secrets of the records (card numbers), AES-256-GCM with its tag
//
// The seal's additional data is the SHA-256 of everything before it, so a chunk can't be changed
// without the data key; the hash of that and of the seal is the chunk's Hash, which the next chunk
// carries.
const (
	Version    = 1
	headerSize = 82
	tagSize    = 16
	compressed = 1 // flag

	// MaxBody bounds what a damaged length can make us allocate.
	MaxBody = 64 << 20
)

// Header is what a chunk says about itself.
type Header struct {
	Epoch    uint64 // of the node that wrote it
	First    uint64 // Seq of its first record
	Count    uint32
	At       int64 // unix nanoseconds: the time of its first record
	Previous Hash
}

// Last is the Seq of the last record.
func (h *Header) Last() uint64 { return h.First + uint64(h.Count) - 1 }

// Time is when the chunk's first record was made.
func (h *Header) Time() time.Time { return time.Unix(0, h.At) }

func (h *Header) put(b []byte) {
	b[0] = Version
	binary.BigEndian.PutUint32(b[2:], h.Count)
	binary.BigEndian.PutUint64(b[6:], h.Epoch)
	binary.BigEndian.PutUint64(b[14:], h.First)
	binary.BigEndian.PutUint64(b[22:], uint64(h.At))
	copy(b[30:62], h.Previous[:])
}

// ReadHeader reads the header of a chunk without checking the rest.
func ReadHeader(b []byte) (Header, error) {
	if len(b) < headerSize+tagSize {
		return Header{}, damaged("chunk cut short")
	}
	if b[0] != Version {
		return Header{}, damaged("chunk of another version")
	}
	h := Header{
		Count: binary.BigEndian.Uint32(b[2:]),
		Epoch: binary.BigEndian.Uint64(b[6:]),
		First: binary.BigEndian.Uint64(b[14:]),
		At:    int64(binary.BigEndian.Uint64(b[22:])),
	}
	copy(h.Previous[:], b[30:62])
	if h.Count == 0 || h.First == 0 || h.Last() < h.First {
		return Header{}, damaged("chunk without records")
	}
	return h, nil
}

// Writer packs records into one chunk. It is reused from chunk to chunk and then doesn't allocate.
type Writer struct {
	first   uint64
	count   uint32
	at      int64
	body    []byte
	secrets []byte
}

// Reset begins a chunk whose first record will be seq.
func (w *Writer) Reset(seq uint64) {
	w.first, w.count = seq, 0
	w.body, w.secrets = w.body[:0], w.secrets[:0]
}

// Append writes the record that is next in sequence. It keeps nothing of r.
func (w *Writer) Append(r *Record) {
	if w.count == 0 {
		w.at = r.At
	}
	w.body = appendRecord(w.body, r, w.first+uint64(w.count), w.at)
	w.secrets = appendSecrets(w.secrets, r)
	w.count++
}

// Len is the number of records, Size their bytes before compression.
func (w *Writer) Len() int  { return int(w.count) }
func (w *Writer) Size() int { return len(w.body) + len(w.secrets) }

// Bound is what its chunk takes at most.
func (w *Writer) Bound() int {
	return headerSize + s2.MaxEncodedLen(len(w.body)) + len(w.secrets) + tagSize
}

// At is the time of its first record, in unix nanoseconds.
func (w *Writer) At() int64 { return w.at }

// Sealer turns the records of Writers into chunks, each chained to the one before.
type Sealer struct {
	keys   *Keys
	nonces nonces
	epoch  uint64
	last   Hash
	sums   [2]Hash // in the Sealer, as what a cipher is given escapes to the heap
}

// NewSealer continues the chain after the chunk with hash last.
func NewSealer(k *Keys, epoch uint64, last Hash) *Sealer {
	return &Sealer{keys: k, epoch: epoch, last: last}
}

// Last is the hash of the chunk sealed last.
func (s *Sealer) Last() Hash { return s.last }

// Seal appends the chunk to dst.
func (s *Sealer) Seal(dst []byte, w *Writer) []byte {
	start := len(dst)
	need := w.Bound()
	if cap(dst)-start < need {
		dst = append(make([]byte, 0, start+need), dst...)
	}
	dst = dst[:start+headerSize]
	head := dst[start:]
	clear(head)
	h := Header{Epoch: s.epoch, First: w.first, Count: w.count, At: w.at, Previous: s.last}
	h.put(head)
	stored := s2.Encode(dst[len(dst):cap(dst)], w.body)
	if len(stored) < len(w.body) {
		head[1] |= compressed
		dst = dst[:len(dst)+len(stored)]
	} else {
		dst = append(dst, w.body...)
		stored = w.body
	}
	binary.BigEndian.PutUint32(head[62:], uint32(len(w.body)))
	binary.BigEndian.PutUint32(head[66:], uint32(len(stored)))
	nonce := head[70:82]
	s.nonces.fill(nonce)
	body := dst[start:]
	s.sums[0] = sha256.Sum256(body)
	dst = s.keys.aead.Seal(dst, nonce, w.secrets, s.sums[0][:])
	s.last = chain(s.sums[0], dst[start+len(body):])
	return dst
}

// chain is the hash of a chunk, from the hash of its open part and its seal.
func chain(open Hash, sealed []byte) Hash {
	seal := sha256.Sum256(sealed)
	var both [2 * sha256.Size]byte
	copy(both[:], open[:])
	copy(both[sha256.Size:], seal[:])
	return sha256.Sum256(both[:])
}
