package envelope

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"math"
)

// padTo is what padding makes the content a multiple of.
const padTo = 64

// channel is one direction of a connection: its keys of one generation and epoch, and its place.
type channel struct {
	link   string
	draw   func(iv []byte)
	header header // of the last data frame that passed; sequence is of the next
	padded bool
	secret secret // for the next epoch
	blocks uint64 // that the suite's cipher has done; counted only for TDES

	// What the first 16 bytes of a data frame must be.
	head0, head8 uint64

	aead  cipher.AEAD
	iv    [12]byte
	nonce [12]byte
	tdes  *tdes
}

// newChannel makes the keys of a generation at epoch 0. It copies the secret.
func newChannel(suite Suite, from side, o *origin, generation uint16, padded bool,
	s *secret,
) *channel {
	c := &channel{link: o.link, draw: o.draw, padded: padded, secret: *s}
	c.header = header{suite: suite, from: from, generation: generation, session: o.session}
	c.load()
	return c
}

// following is the same direction in the generation given.
func (c *channel) following(generation uint16, s *secret) *channel {
	n := &channel{link: c.link, draw: c.draw, padded: c.padded, secret: *s, header: c.header}
	n.header.generation, n.header.epoch, n.header.sequence = generation, 0, 0
	n.load()
	return n
}

// ratcheted is the same direction in the next epoch; nil after the last.
func (c *channel) ratcheted() *channel {
	if c.header.epoch == math.MaxUint16 {
		return nil
	}
	n := &channel{
		link: c.link, draw: c.draw, padded: c.padded, secret: c.secret, header: c.header,
	}
	n.secret.next()
	n.header.epoch++
	n.header.sequence = 0
	n.load()
	return n
}

// load makes the keys from the secret.
func (c *channel) load() {
	var head [headerSize]byte
	c.header.put(head[:])
	c.head0 = binary.BigEndian.Uint64(head[:])
	c.head8 = binary.BigEndian.Uint64(head[8:])
	if c.header.suite == TDES {
		material := c.secret.traffic(&c.header, c.link, tdesKeys)
		c.tdes = newTDES(material, c.draw)
		clear(material)
		return
	}
	material := c.secret.traffic(&c.header, c.link, 32+len(c.iv))
	copy(c.iv[:], material[32:])
	c.aead = newGCM(material[:32])
	clear(material)
}

func newGCM(key []byte) cipher.AEAD {
	block, err := aes.NewCipher(key)
	if err != nil {
		panic("envelope: AES: " + err.Error()) // only for a key of a wrong size
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic("envelope: GCM: " + err.Error()) // only for a cipher of a wrong block size
	}
	return aead
}

// wipe forgets the keys, as far as Go lets us.
func (c *channel) wipe() {
	c.secret.wipe()
	clear(c.iv[:])
	clear(c.nonce[:])
	if c.tdes != nil {
		c.tdes.mac.Wipe()
	}
	c.aead, c.tdes = nil, nil
}

// headroom is how many bytes of a frame come before its content.
func (c *channel) headroom() int {
	if c.header.suite == TDES {
		return headerSize + tdesBlock
	}
	return headerSize
}

// content is the size of what is encrypted for a message of n bytes.
func (c *channel) content(n int) int {
	if c.padded {
		return n + padTo - n%padTo
	}
	return n
}

// size is that of the frame of a message of n bytes.
func (c *channel) size(n int) int {
	n = c.content(n)
	if c.header.suite == TDES {
		return headerSize + tdesBlock + tdesPadded(n) + tdesBlock
	}
	return headerSize + n + tagSize
}

// spent tells whether the suite's limit lets no message of n bytes pass any more.
func (c *channel) spent(n int) bool {
	if c.header.sequence >= hardStop {
		return true
	}
	return c.tdes != nil && c.blocks+uint64(tdesPadded(c.content(n))/tdesBlock) > tdesMostBlocks
}

// matches tells whether a frame, of a header's size or more, is the next one of its kind.
func (c *channel) matches(frame []byte, kind uint8) bool {
	return binary.BigEndian.Uint64(frame) == c.head0|uint64(kind)<<48 &&
		binary.BigEndian.Uint64(frame[8:]) == c.head8 &&
		binary.BigEndian.Uint64(frame[16:]) == c.header.sequence
}

func (c *channel) countNonce() {
	c.nonce = c.iv
	tail := c.nonce[4:]
	binary.BigEndian.PutUint64(tail, binary.BigEndian.Uint64(tail)^c.header.sequence)
}

// seal makes frame, of the right size, the next one with message in it. The message lies at its
// place in the frame, or apart from it.
func (c *channel) seal(frame, message []byte, kind uint8) {
	if c.padded || c.tdes != nil {
		at := c.headroom()
		end := at + copy(frame[at:], message)
		if c.padded {
			pad(frame[end : at+c.content(len(message))])
		}
		message = frame[at : at+c.content(len(message))]
	}
	binary.BigEndian.PutUint64(frame, c.head0|uint64(kind)<<48)
	binary.BigEndian.PutUint64(frame[8:], c.head8)
	binary.BigEndian.PutUint64(frame[16:], c.header.sequence)
	if c.tdes != nil {
		c.blocks += c.tdes.seal(frame, len(message))
	} else {
		c.countNonce()
		c.aead.Seal(frame[:headerSize], c.nonce[:], message, frame[:headerSize])
	}
	c.header.sequence++
}

// smallest is the size of the smallest frame with one byte in it.
func (c *channel) smallest() int { return c.size(1) }

// open decrypts a frame in place, whose header was found right. It gives a view of the content.
func (c *channel) open(frame []byte) ([]byte, Cause) {
	if len(frame) < c.smallest() {
		return nil, Short
	}
	if c.header.sequence >= hardStop {
		return nil, KeyLimit
	}
	var content []byte
	if c.tdes != nil {
		var fault Cause
		content, fault = c.tdes.open(frame, &c.blocks)
		if fault != None {
			return nil, fault
		}
	} else {
		c.countNonce()
		var err error
		content, err = c.aead.Open(frame[headerSize:headerSize], c.nonce[:], frame[headerSize:],
			frame[:headerSize])
		if err != nil {
			return nil, WrongTag
		}
	}
	c.header.sequence++
	if c.padded {
		content = unpad(content)
	}
	if len(content) == 0 {
		return nil, WrongContent
	}
	return content, None
}

// pad fills the room after a message: zeros, and last how many bytes the padding has, 1 to 64.
func pad(b []byte) {
	clear(b)
	b[len(b)-1] = byte(len(b))
}

// unpad takes the padding off; nil if it isn't exactly what pad writes.
func unpad(b []byte) []byte {
	if len(b) == 0 || len(b)%padTo != 0 {
		return nil
	}
	n := int(b[len(b)-1])
	if n < 1 || n > padTo {
		return nil
	}
	rest := byte(0)
	for _, c := range b[len(b)-n : len(b)-1] {
		rest |= c
	}
	if rest != 0 {
		return nil
	}
	return b[:len(b)-n]
}
