package cardswitch

import (
	"errors"
	"sync/atomic"
	"time"

	"cardswitch/spec"
	"cardswitch/spec/rule"
	"cardswitch/switch/link"
	"cardswitch/switch/saf"
	"cardswitch/switch/security"
	"cardswitch/switch/settle"
	"cardswitch/switch/txn"
)

// center is what the switch keeps for one institution. What the configuration says of it is in a
// profile that a reload replaces; what happened with it stays.
type center struct {
	name string
	id   uint16 // its profiles' too; here it is read without a lock
	link *link.Center

	shield    atomic.Pointer[security.Profile] // profile.security, for the release
	wrongMACs atomic.Int32                     // in a row
	told      teller                           // bounds what is said of its security
	suspects  teller                           // and of its terminals

	// The rest is guarded by Switch.mu.
	*profile
	rows      *txn.Table // what we asked it
	owed      *saf.Queue // what it must still get
	held      held       // requests that wait behind that
	ways      ways
	shelved   int    // length of its work list
	forgotten uint64 // newest DE 12 of its questions that only the index knows
	inFlight  int    // its requests that wait for an issuer
	unasked   int    // answers to nothing in this second
	unaskedAt int64
	metrics   *centerMetrics
	book      *settle.Book         // its business days; nil: none are kept
	compare   map[settle.Day]int64 // when totals may be compared again
	taken     map[uint64]bool      // entries of its work list that were just decided
	stand     standing             // of an issuer with stand-in
	checks    checking
}

// profile is a center's configuration, ready for use.
type profile struct {
	id        uint16
	place     uint16 // among the merchants, as the routing table counts them
	config    CenterConfig
	dialect   *spec.Dialect
	dialectID uint16
	rules     *rule.Rules
	zone      *time.Location
	acquirers map[uint64]bool
	messages  map[spec.MTI]bool
	retry     map[int]bool
	security  *security.Profile // nil: nothing is agreed
	tokens    *tokenProfile     // nil: it holds card numbers
	settling  *settling         // nil: business days aren't agreed
	standin   *standInProfile   // nil: nobody stands in for it
	negative  *negativeProfile  // nil: it keeps no negative list here

	adjustments txn.Adjustments

	institution []byte // DE 93 of network management
}

// allows tells whether the center may send the message.
func (p *profile) allows(m spec.MTI) bool {
	switch {
	case m.Class() == 5:
		return p.settling != nil
	case p.config.Role == RoleIssuer:
		return m == 0x1804 || p.negative != nil && m.Class() == 3
	}
	return p.messages[m]
}

// knows tells whether the acquirer id (DE 32) is one of the center's.
func (p *profile) knows(acquirer uint64) bool { return p.acquirers[acquirer] }

// stays tells what a reload may not change of a center: its open requests and what it must still
// get were read and written by these, also if it was taken out meanwhile.
func (c *center) stays(p *profile) error {
	switch {
	case c.config.Role != p.config.Role:
		return errors.New("its role can't change while the switch runs; use another name")
	case !c.dialect.Same(p.dialect):
		return errors.New("its dialect can't change while the switch runs; start it again")
	}
	return nil
}

// unfit says why a message that was written for the center can't go to it; None if it can.
func (c *center) unfit(size int, f spec.Fault) txn.Reason {
	switch {
	case !f.OK():
		return txn.Untranslatable
	case !c.link.Takes(size + c.room()):
		return txn.TooLong
	}
	return txn.None
}

// keepsUnasked counts an answer to nothing, or one that isn't trusted, and tells whether it is
// one of the first of its second.
func (c *center) keepsUnasked(now int64) bool {
	if now/1e9 != c.unaskedAt {
		c.unaskedAt, c.unasked = now/1e9, 0
	}
	c.unasked++
	return c.unasked <= unaskedKept
}

// room is how much longer a message to the center becomes when it is protected.
func (p *profile) room() int {
	if p.security == nil {
		return 0
	}
	return p.security.Room()
}

// path tells whether the center can take a request now.
func (c *center) path() txn.Path {
	switch {
	case c.link.Best() != nil && c.link.InFlight() < c.link.Window():
		return txn.Clear
	case c.link.Best() != nil:
		return txn.Full
	case len(c.link.Links()) > 0:
		return txn.SignedOff
	}
	return txn.Down
}
