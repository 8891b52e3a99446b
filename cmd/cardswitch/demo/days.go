package demo

import (
	"context"
	"fmt"

	"cardswitch/conformance/issuer"
	cardswitch "cardswitch/switch"
)

// endDays ends a business day of one issuer after the other; a moment later the switch offers its
// totals of that day, and the issuer compares them with its own.
func (t *Town) endDays(ctx context.Context) {
	names := centers(t.config, cardswitch.RoleIssuer)
	for n := 0; t.DayEvery > 0 && pause(ctx, t.DayEvery); n++ {
		at := n % len(t.issuers)
		if t.isCut(names[at].Name + "/" + names[at].Links[0].Name) {
			continue // it is away
		}
		day, err := t.issuers[at].Cutover(ctx, "")
		if err == nil {
			t.Event(fmt.Sprintf("%s has begun the business day %s", names[at].Name, day))
		}
	}
}

// compared tells how a business day came out.
func (t *Town) compared(name string) func(issuer.Reconciliation) {
	return func(r issuer.Reconciliation) {
		verdict := fmt.Sprintf("out of balance (%s)", r.Action)
		if r.Balanced() {
			verdict = "in balance"
		}
		t.Event(fmt.Sprintf("the business day %s of %s is %s: net %s", r.Day, name, verdict,
			yen(r.Ours.Net())))
	}
}
