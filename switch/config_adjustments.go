package cardswitch

import (
	"time"

	"cardswitch/switch/txn"
)

// AdjustmentsConfig is what is agreed with a center about what follows a transaction: partial
// reversals, completions of authorizations, returns.
type AdjustmentsConfig struct {
	// Partial is what DE 4 of a partial reversal says.
	Partial string `yaml:"partial"`

	// Of merchants only.
	Returns   string `yaml:"returns,omitempty"`
	Unmatched string `yaml:"unmatched,omitempty"` // completions of no known authorization
	Expired   string `yaml:"expired,omitempty"`   // completions of an expired one
	Several   bool   `yaml:"several"`             // an authorization is completed in parts
	Over      int    `yaml:"over"`                // percent that completions may go beyond it

	// Of issuers only: an authorization ends when it is not completed for so long; 0: never.
	Expire        time.Duration `yaml:"expire"`
	ReverseExpire bool          `yaml:"reverse_expired"` // and is reversed to the issuer
}

// What DE 4 of a partial reversal says: the final amount, or the one taken back; or there are
// full reversals only.
const (
	PartialFinal    = "final"
	PartialReversed = "reversed"
	PartialNone     = "none"
)

// What is asked of returns: one that names its sale gives back no more than is left of it; or each
// must name its sale as well; or nothing.
const (
	ReturnsBounded = "bounded"
	ReturnsLinked  = "linked"
	ReturnsFree    = "free"
)

// What becomes of a completion that its authorization doesn't cover.
const (
	CompletionKeep   = "keep"
	CompletionRefuse = "refuse"
)

func (a *AdjustmentsConfig) complete(role string) {
	setDefault(&a.Partial, PartialFinal)
	if role == RoleMerchant {
		setDefault(&a.Returns, ReturnsBounded)
		setDefault(&a.Unmatched, CompletionKeep)
		setDefault(&a.Expired, CompletionKeep)
	}
}

func (a *AdjustmentsConfig) validate(f *faults, path, role string) {
	f.oneOf(path+".partial", a.Partial, PartialFinal, PartialReversed, PartialNone)
	const hint = "leave it out here"
	if role == RoleIssuer {
		for _, of := range []struct {
			name  string
			given bool
		}{{"returns", a.Returns != ""}, {"unmatched", a.Unmatched != ""},
			{"expired", a.Expired != ""}, {"several", a.Several}, {"over", a.Over != 0}} {
			if of.given {
				f.add(path+"."+of.name, hint, "is only for merchants")
			}
		}
		if a.Expire != 0 {
			f.duration(path+".expire", a.Expire, time.Minute, 400*24*time.Hour)
		}
		if a.ReverseExpire && a.Expire == 0 {
			f.add(path+".reverse_expired", "give expire", "nothing expires")
		}
	}
	if role != RoleMerchant {
		return
	}
	f.oneOf(path+".returns", a.Returns, ReturnsBounded, ReturnsLinked, ReturnsFree)
	f.oneOf(path+".unmatched", a.Unmatched, CompletionKeep, CompletionRefuse)
	f.oneOf(path+".expired", a.Expired, CompletionKeep, CompletionRefuse)
	if a.Over != 0 {
		f.between(path+".over", a.Over, 0, 100)
	}
	if a.Expire != 0 || a.ReverseExpire {
		f.add(path+".expire", hint, "is only for issuers")
	}
}

// rules says the same to the services.
func (a *AdjustmentsConfig) rules() txn.Adjustments {
	r := txn.Adjustments{Over: uint64(max(a.Over, 0)), Several: a.Several,
		UnknownKept: a.Unmatched != CompletionRefuse, ExpiredRefuse: a.Expired == CompletionRefuse}
	switch a.Partial {
	case PartialReversed:
		r.Partial = txn.ReversedAmount
	case PartialNone:
		r.Partial = txn.NoPartial
	}
	switch a.Returns {
	case ReturnsLinked:
		r.Returns = txn.ReturnsLinked
	case ReturnsFree:
		r.Returns = txn.ReturnsFree
	}
	return r
}
