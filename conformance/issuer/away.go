package issuer

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// The ways to be away.
const (
	SignedOff = "sign-off" // 1804/802 on each link, and 910 to who asks all the same
	Dropped   = "drop"     // the links are reset, and nobody gets in
	Silenced  = "silent"   // the links stand, and nothing is read
)

// Absence is a time away: "drop 30s", in a rule or an option.
type Absence struct {
	How string
	For time.Duration
}

// ParseAbsence reads a way and a time.
func ParseAbsence(text string) (a Absence, err error) {
	how, span, ok := strings.Cut(text, " ")
	if a.How = how; ok {
		a.For, err = time.ParseDuration(span)
	}
	switch {
	case how != SignedOff && how != Dropped && how != Silenced:
		return a, fmt.Errorf("%q is no way to be away; choose %s, %s or %s", how, SignedOff, Dropped,
			Silenced)
	case err != nil || a.For < 0:
		return a, fmt.Errorf(`%q: write it as "drop 30s"`, text)
	}
	return a, nil
}

// UnmarshalText lets an absence stand in a file.
func (a *Absence) UnmarshalText(text []byte) (err error) {
	*a, err = ParseAbsence(string(text))
	return err
}

// Leave goes away until Return.
func (i *Issuer) Leave(ctx context.Context, how string) {
	i.count(func(s *Stats) { s.Absences++ })
	switch how {
	case SignedOff:
		i.refusing.Store(true)
		i.everywhere(ctx, SignOff)
	case Dropped:
		for _, l := range i.lines {
			l.close(true)
		}
	case Silenced:
		i.silent.Store(true)
	}
}

// Return is back, from wherever.
func (i *Issuer) Return(ctx context.Context) {
	i.silent.Store(false)
	for _, l := range i.lines {
		if l.isShut() {
			if err := i.Open(i.life, l.Name); err != nil {
				i.options.Logger.Error("link", "issuer", i.options.Name, "link", l.Name, "error", err)
			}
		}
	}
	if i.refusing.Swap(false) {
		i.everywhere(ctx, SignOn)
	}
}

// everywhere sends one 1804 on each link that stands.
func (i *Issuer) everywhere(ctx context.Context, function string) {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	for _, l := range i.lines {
		c := l.any()
		if c == nil {
			continue
		}
		action, err := i.manage(ctx, l, c, function)
		if err != nil || action != "800" {
			i.options.Logger.Warn("network management not accepted", "issuer", i.options.Name,
				"link", l.Name, "function", function, "action", action, "error", err)
		}
	}
}

// Absent leaves, and returns by itself after the time; with none, it stays away.
func (i *Issuer) Absent(a Absence) {
	i.running.Go(func() {
		i.Leave(i.life, a.How)
		if a.For > 0 && pause(i.life, a.For) {
			i.Return(i.life)
		}
	})
}
