package envelope

import (
	"fmt"
	"io"
	"slices"
)

// Sharing is whether the sides exchange a share for forward secrecy: X25519 and ML-KEM-768.
type Sharing uint8

// The choices. The acceptor's ShareOffered means that it answers a share when one comes.
const (
	ShareNever Sharing = iota
	ShareOffered
	ShareRequired
)

const (
	// defaultEpochFrames is far below any bound of GCM: 2^24 frames of at most 64 KiB.
	defaultEpochFrames = 1 << 24
	// leastMaxFrame has room for the largest finished frame.
	leastMaxFrame = 128
)

// Policy is what one side wants of the sessions of a link. The zero Policy is AES-256-GCM without
// padding or shares. A hello with a share takes up to 1,400 bytes on the wire.
type Policy struct {
	// Suites that may be used; none means GCM alone. TDES is used only where both sides name it
	// and not both name GCM.
	Suites []Suite
	// Padding asks for contents padded to multiples of 64 bytes, both ways. It is on if either
	// side asks.
	Padding bool
	Share   Sharing
	// EpochFrames is how many frames we send before the next epoch: 1 to 2^32; 0 is 2^24.
	EpochFrames uint64
	// MaxFrame bounds a frame in bytes, without its length: 128 to 65535; 0 is 65535.
	MaxFrame int
	// Terms are those of this peer: each side says its term, and refuses a peer of an earlier one.
	// Nil: neither. A peer that says nothing of terms is taken as ever.
	Terms *Terms
	// Term is our own, said only if there are Terms; 0: we are no cluster.
	Term uint64
	// Standby is, at the initiator, that it isn't its cluster's active node, so that the session waits
	// for its term (Sealer.Raise); Term is 0 then. At the acceptor it is that such nodes may connect.
	// It needs Terms.
	Standby bool
}

// complete checks the policy and fills in what is zero.
func (p Policy) complete() (Policy, error) {
	p.Suites = slices.Clone(p.Suites)
	if len(p.Suites) == 0 {
		p.Suites = []Suite{GCM}
	}
	for i, s := range p.Suites {
		if s != GCM && s != TDES || slices.Contains(p.Suites[:i], s) {
			return p, fmt.Errorf("%w: suite 0x%02X; name GCM and TDES at most once each",
				BadPolicy, byte(s))
		}
	}
	if p.Share > ShareRequired {
		return p, fmt.Errorf("%w: share %d; use one of the three choices", BadPolicy, p.Share)
	}
	if p.Standby && p.Terms == nil {
		return p, fmt.Errorf("%w: standbys without terms", BadPolicy)
	}
	if p.EpochFrames == 0 {
		p.EpochFrames = defaultEpochFrames
	}
	if p.EpochFrames > hardStop {
		return p, fmt.Errorf("%w: an epoch of %d frames; use at most 2^32", BadPolicy, p.EpochFrames)
	}
	if p.MaxFrame == 0 {
		p.MaxFrame = MaxFrame
	}
	if p.MaxFrame < leastMaxFrame || p.MaxFrame > MaxFrame {
		return p, fmt.Errorf("%w: frames of %d bytes; use %d to %d", BadPolicy, p.MaxFrame,
			leastMaxFrame, MaxFrame)
	}
	return p, nil
}

// said is the term that we say, nil if we say nothing of it.
func (p *Policy) said() *uint64 {
	if p.Terms == nil {
		return nil
	}
	return &p.Term
}

// choose is the best suite that the peer offers and we allow, 0 if there is none. The order of the
// offer means nothing.
func (p *Policy) choose(offered []Suite) Suite {
	for _, s := range []Suite{GCM, TDES} {
		if slices.Contains(p.Suites, s) && slices.Contains(offered, s) {
			return s
		}
	}
	return 0
}

// Key is the link key of one generation.
type Key struct {
	Generation uint16
	PRF        PRF
}

// Format shows nothing of the key, whatever the verb.
func (k Key) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "(link key)") }

// Keys finds the key and the policy of a link, for the generation that the initiator proposes. It
// gives only keys that may still be used, and false where there are none.
//
// At the acceptor the key may be of another generation, as when the peer has one that never reached
// us: the answer then names ours. The acceptor must know a link only if it accepts its connections:
// a side that both dials and accepts one link could be led to talk with itself.
//
// At the initiator it is asked for the proposed generation first, and for the acceptor's choice if
// that differs.
type Keys func(link string, generation uint16) (Key, Policy, bool)
