package hsm_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"cardswitch/hsm"
)

// In production a clear PIN exists inside a secure device only, and the keys of many terminals'
// cards never in the process.
func TestProductionForbids(t *testing.T) {
	for _, o := range hsm.Operations() {
		for _, where := range []hsm.Where{hsm.Absent, hsm.Inside, hsm.KeyInside, hsm.Process} {
			var c hsm.Caps
			c[o] = where
			forbidden := false
			switch o {
			case hsm.TranslateZonePIN, hsm.TranslateTerminalPIN:
				forbidden = where != hsm.Inside
			case hsm.OpenCard:
				forbidden = where == hsm.Process
			}
			want := error(nil)
			if forbidden {
				want = hsm.ErrForbidden
			}
			tested := error(nil)
			if where == hsm.Absent {
				want, tested = hsm.ErrAbsent, hsm.ErrAbsent
			}
			if err := hsm.Production.Check(o, c); !errors.Is(err, want) {
				t.Errorf("%v %v in production: %v, want %v", o, where, err, want)
			}
			if err := hsm.Test.Check(o, c); !errors.Is(err, tested) {
				t.Errorf("%v %v in test: %v, want %v", o, where, err, tested)
			}
		}
	}
}

func TestEveryOperationHasAName(t *testing.T) {
	names := make(map[string]bool)
	for _, o := range hsm.Operations() {
		names[o.String()] = true
	}
	for _, u := range hsm.Uses() {
		names[u.String()] = true
	}
	if len(names) != len(hsm.Operations())+len(hsm.Uses()) || names["unknown"] || names["anything"] {
		t.Errorf("names: %v", names)
	}
}

func TestEnded(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	if err := hsm.Ended(ctx); err != nil {
		t.Error(err)
	}
	cancel(errors.New("the link is gone"))
	err := hsm.Ended(ctx)
	if !errors.Is(err, hsm.ErrUnavailable) || !strings.Contains(err.Error(), "the link is gone") {
		t.Error(err)
	}
}
