package audit

import (
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
)

// chain is where the log stands: what the next record builds upon.
type chain struct {
	next   uint64 // Seq of the next record
	key    Key    // that seals it; zero in a check without keys
	mac    Hash   // the seal of the last record
	digest Hash   // the hash of all lines so far
}

// newChain is the chain of a log without records. It begins with who signs.
func newChain(key Key, public ed25519.PublicKey) chain {
	h := sha256.Sum256(append([]byte("cardswitch audit log 1\n"), public...))
	return chain{next: 1, key: key, mac: h, digest: h}
}

// anchorContext keeps a signature from meaning anything else.
const anchorContext = "cardswitch audit anchor 1\n"

// append seals a record and writes its line.
func (c *chain) append(dst []byte, r *Record, signing ed25519.PrivateKey) []byte {
	r.Seq = c.next
	r.Previous, r.Digest = c.mac, c.digest
	start := len(dst)
	dst = appendBody(dst, r)
	if r.Event == LogAnchor {
		r.Signature = ed25519.Sign(signing, append([]byte(anchorContext), dst[start:]...))
		dst = appendSignature(dst, r.Signature)
	}
	r.MAC = c.seal(dst[start:])
	dst = appendMAC(dst, &r.MAC)
	c.pass(dst[start:], &r.MAC)
	return append(dst, '\n')
}

// seal is what seals a record's bytes at this place.
func (c *chain) seal(body []byte) Hash {
	key := c.key.plain()
	defer clear(key)
	h := hmac.New(sha256.New, key)
	h.Write(c.mac[:])
	h.Write(body)
	return Hash(h.Sum(nil))
}

// right tells whether the record of a line is sealed with this place's key.
func (c *chain) right(text []byte, r *Record) bool {
	want := c.seal(text[:len(text)-macTail])
	return hmac.Equal(want[:], r.MAC[:])
}

// signed tells whether an anchor's line was signed by who has the key.
func signed(text []byte, r *Record, public ed25519.PublicKey) bool {
	body := text[:len(text)-macTail-signTail]
	return ed25519.Verify(public, append([]byte(anchorContext), body...), r.Signature)
}

// pass goes on behind a line.
func (c *chain) pass(text []byte, mac *Hash) {
	h := sha256.New()
	h.Write(c.digest[:])
	h.Write(text)
	c.digest, c.mac = Hash(h.Sum(nil)), *mac
	c.next++
	c.ratchet()
}

// ratchet replaces the key by the one that follows from it. There is no way back.
func (c *chain) ratchet() {
	if c.key.IsZero() {
		return
	}
	key := c.key.plain()
	defer clear(key)
	// What it's derived with is shorter than anything that is ever sealed, so no seal is a key.
	next, err := hkdf.Expand(sha256.New, key, "cardswitch audit next", len(key))
	if err != nil {
		panic(err) // only for more than 255 hashes
	}
	defer clear(next)
	c.key = newKey(next)
}
