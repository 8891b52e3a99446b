package vault

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"cardswitch/spec"
	"cardswitch/store/audit"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// TestDetokenize goes through who may see what: whatever comes of it is recorded before.
func TestDetokenize(t *testing.T) {
	y := newYard(t)
	defer y.close(t)
	f := opaque(t)
	ginza := y.put(t, Ask{PAN: cardOf(1), Scope: "ginza", Format: f})
	shared := y.put(t, Ask{PAN: cardOf(2), Format: f})
	ended := y.put(t, Ask{PAN: cardOf(3), Scope: "ginza", Format: f, Life: time.Second})
	y.settle(t)
	time.Sleep(time.Until(time.Now().Truncate(time.Second).Add(2 * time.Second)))
	for name, tt := range map[string]struct {
		role, scope string
		token       Token
		err         error
		result      audit.Result
	}{
		"officer":          {"officer", "", ginza, nil, audit.Done},
		"clerk":            {"clerk", "ginza", ginza, nil, audit.Done},
		"clerk, shared":    {"clerk", "ginza", shared, nil, audit.Done},
		"clerk of another": {"clerk", "aoyama", ginza, ErrForeign, audit.Refused},
		"clerk of none":    {"clerk", "", ginza, ErrForeign, audit.Refused},
		"no right":         {"nobody", "ginza", ginza, ErrRefused, audit.Refused},
		"no role":          {"", "ginza", ginza, ErrRefused, audit.Refused},
		"unknown role":     {"root", "ginza", ginza, ErrRefused, audit.Refused},
		"no reason":        {"officer", "", ginza, ErrRefused, audit.Refused},
		"no name":          {"officer", "", ginza, ErrRefused, audit.Refused},
		"no token":         {"officer", "", "tk-none", ErrNoToken, audit.Failed},
		"ended":            {"officer", "", ended, ErrExpired, audit.Failed},
	} {
		before := len(y.diary.entries)
		who := Access{Actor: "sato", Role: tt.role, Scope: tt.scope, Source: "uid 7", Reason: "refund"}
		switch name {
		case "no reason":
			who.Reason = " "
		case "no name":
			who.Actor = ""
		}
		pan, err := y.Detokenize(t.Context(), tt.token, who)
		if !errors.Is(err, tt.err) || (err == nil) == pan.IsZero() {
			t.Errorf("%s: %v, %v", name, pan, err)
		}
		e := y.diary.last()
		if len(y.diary.entries) != before+1 || e.Event != audit.CardRevealed || e.Result != tt.result ||
			e.Object != "token "+string(tt.token) || e.Reason != who.Reason || e.Source != "uid 7" {
			t.Errorf("%s: recorded is %+v", name, e)
		}
	}
	y.diary.err = errors.New("the disk is full")
	pan, err := y.Detokenize(t.Context(), ginza, Access{Actor: "sato", Role: "officer", Reason: "x"})
	if err == nil || !pan.IsZero() {
		t.Errorf("not recorded, and yet %v, %v", pan, err)
	}
	pan, err = y.Detokenize(t.Context(), ginza, Access{Actor: "abe", Role: "nobody", Reason: "x"})
	if !errors.Is(err, ErrRefused) || !pan.IsZero() {
		t.Errorf("a refusal that can't be recorded: %v, %v", pan, err)
	}
}

// TestAuditedOnDisk uses the log itself.
func TestAuditedOnDisk(t *testing.T) {
	disk := vfs.NewCrashableMem()
	o := audit.Options{Dir: "audit", FS: disk}
	var birth audit.Birth
	if err := audit.Create(o, func(b audit.Birth) error { birth = b; return nil }); err != nil {
		t.Fatal(err)
	}
	log, err := audit.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	y := yardOn(t, disk, func(o *Options) { o.Auditor = log })
	defer y.close(t)
	digits := preserving(t, "990000", "990999", true)
	token := y.put(t, Ask{PAN: cardOf(1), Scope: "ginza", Format: digits})
	who := Access{Actor: "sato", Role: "officer", Reason: "card " + cardOf(1).Reveal()}
	if pan, err := y.Detokenize(t.Context(), token, who); err != nil || pan != cardOf(1) {
		t.Fatal(pan, err)
	}
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := y.Detokenize(t.Context(), token, who); !errors.Is(err, audit.ErrClosed) {
		t.Error(err)
	}
	found, err := audit.Read("audit", audit.Filter{FS: y.disk, Object: "token "})
	if err != nil || len(found) != 1 || found[0].Object != "token "+string(token) {
		t.Errorf("%+v, %v", found, err)
	}
	if strings.Contains(found[0].Reason, cardOf(1).Reveal()) {
		t.Error("the log shows the number")
	}
	if _, err := audit.Verify("audit", audit.Check{FS: y.disk, Key: birth.Key}); err != nil {
		t.Error(err)
	}
}

func TestRevealsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newYard(t, func(o *Options) { o.RevealsPerMinute = 3 })
		token := y.put(t, Ask{PAN: cardOf(1), Format: opaque(t)})
		y.settle(t)
		who := Access{Actor: "sato", Role: "officer", Reason: "x"}
		for minute := range 2 {
			for n := range 5 {
				_, err := y.Detokenize(t.Context(), token, who)
				if n < 3 && err != nil || n >= 3 && !errors.Is(err, ErrTooMany) {
					t.Errorf("minute %d, number %d: %v", minute, n, err)
				}
			}
			time.Sleep(time.Minute)
		}
		y.close(t)
	})
}

func TestDelete(t *testing.T) {
	y := newYard(t)
	defer y.close(t)
	f := opaque(t)
	officer := Access{Actor: "sato", Role: "officer", Reason: "the holder asked for it"}
	clerk := Access{Actor: "abe", Role: "clerk", Reason: "x"}
	a := y.put(t, Ask{PAN: cardOf(1), Scope: "ginza", Format: f})
	b := y.put(t, Ask{PAN: cardOf(1), Scope: "aoyama", Format: f})
	for range 200 {
		y.put(t, Ask{PAN: cardOf(1), Scope: "aoyama", Format: f, Life: time.Hour})
	}
	other := y.put(t, Ask{PAN: cardOf(2), Scope: "ginza", Format: f})
	if err := y.Delete(t.Context(), a, clerk); !errors.Is(err, ErrRefused) {
		t.Errorf("by a clerk: %v", err)
	}
	if _, err := y.DeleteCard(t.Context(), cardOf(1), clerk); !errors.Is(err, ErrRefused) {
		t.Errorf("by a clerk: %v", err)
	}
	if _, err := y.Find(t.Context(), cardOf(1), clerk); !errors.Is(err, ErrRefused) {
		t.Errorf("found by a clerk: %v", err)
	}
	y.settle(t)
	found, err := y.Find(t.Context(), cardOf(1), officer)
	if err != nil || len(found) != 202 {
		t.Errorf("%d tokens, %v", len(found), err)
	}
	for _, i := range found {
		if i.Once == i.Expires.IsZero() || i.DataKey != 1 || i.Created.IsZero() {
			t.Errorf("%+v", i)
		}
	}
	if err := y.Delete(t.Context(), a, officer); err != nil {
		t.Fatal(err)
	}
	if err := y.Delete(t.Context(), a, officer); !errors.Is(err, ErrNoToken) {
		t.Errorf("deleted twice: %v", err)
	}
	again := y.put(t, Ask{PAN: cardOf(1), Scope: "ginza", Format: f})
	if again == a {
		t.Error("a deleted token came back")
	}
	if n, err := y.DeleteCard(t.Context(), cardOf(1), officer); n != 202 || err != nil {
		t.Errorf("%d deleted, %v", n, err)
	}
	for _, token := range []Token{a, b, again} {
		if _, err := y.Redeem(token, "ginza"); !errors.Is(err, ErrNoToken) {
			t.Errorf("%s: %v", token, err)
		}
	}
	y.redeem(t, other, "ginza")
	if n := y.consistent(t); n != 1 {
		t.Errorf("%d tokens are left", n)
	}
	if y.diary.count(audit.TokenDeleted, audit.Refused) != 2 ||
		y.diary.count(audit.TokenDeleted, audit.Done) != 2 ||
		y.diary.count(audit.TokenDeleted, audit.Failed) != 1 {
		t.Errorf("%+v", y.diary.entries)
	}
	y.diary.err = errors.New("the disk is full")
	if err := y.Delete(t.Context(), other, officer); err == nil {
		t.Error("deleted without a record")
	}
	y.redeem(t, other, "ginza")
}

// TestDamaged changes each byte of what stands behind a token: it opens as nothing else, and can be
// deleted, so that its card gets another.
func TestDamaged(t *testing.T) {
	y := newYard(t)
	defer y.close(t)
	f := opaque(t)
	officer := Access{Actor: "sato", Role: "officer", Reason: "damaged"}
	token := y.put(t, Ask{PAN: cardOf(1), Scope: "ginza", Format: f})
	other := y.put(t, Ask{PAN: cardOf(2), Scope: "ginza", Format: f})
	y.settle(t)
	value, _, err := y.shelf.Get(tokenKey(token))
	if err != nil {
		t.Fatal(err)
	}
	set := func(value []byte) {
		t.Helper()
		if err := y.shelf.Change(func(b Batch) { b.Set(tokenKey(token), value) }); err != nil {
			t.Fatal(err)
		}
	}
	for i := range value {
		flipped := bytes.Clone(value)
		flipped[i] ^= 1
		set(flipped)
		if u, err := y.Redeem(token, "ginza"); err == nil {
			t.Errorf("with byte %d changed: %v", i, u.PAN())
		}
	}
	moved, _, _ := y.shelf.Get(tokenKey(other))
	set(moved)
	if u, err := y.Redeem(token, "ginza"); !errors.Is(err, ErrDamaged) {
		t.Errorf("with another token's number: %v, %v", u.PAN(), err)
	}
	if opened, damaged, err := y.Sample(10); opened != 1 || damaged != 1 || err != nil {
		t.Errorf("%d open, %d don't: %v", opened, damaged, err)
	}
	if again := y.put(t, Ask{PAN: cardOf(1), Scope: "ginza", Format: f}); again != token {
		t.Errorf("the card has %s", again)
	}
	if err := y.Delete(t.Context(), token, officer); err != nil {
		t.Fatal(err)
	}
	again := y.put(t, Ask{PAN: cardOf(1), Scope: "ginza", Format: f})
	if again == token || y.redeem(t, again, "ginza") != cardOf(1) {
		t.Errorf("the card has %s", again)
	}
	once := y.put(t, Ask{PAN: cardOf(1), Scope: "ginza", Format: f, Life: time.Hour})
	y.settle(t)
	if err := y.shelf.Change(func(b Batch) { b.Set(tokenKey(once), value) }); err != nil {
		t.Fatal(err)
	}
	if n, err := y.DeleteCard(t.Context(), cardOf(1), officer); n != 2 || err != nil {
		t.Errorf("%d deleted, %v", n, err)
	}
	if n := y.consistent(t); n != 1 {
		t.Errorf("%d tokens", n)
	}
}

// TestNothingPrintsANumber prints what holds numbers and keys as a careless program would.
func TestNothingPrintsANumber(t *testing.T) {
	y := newYard(t)
	defer y.close(t)
	a := Ask{PAN: cardOf(1), Scope: "ginza", Format: opaque(t)}
	o, err := y.Prepare(a)
	if err != nil {
		t.Fatal(err)
	}
	token := y.put(t, a)
	u, err := y.Redeem(token, "ginza")
	if err != nil {
		t.Fatal(err)
	}
	o.v, u.v = nil, nil // the vault holds locks, and its clients hold the vault
	var logged bytes.Buffer
	slog.New(slog.NewJSONHandler(&logged, nil)).Info("x", "ask", a, "op", o, "use", u)
	digits := cardOf(1).Reveal()
	for _, text := range []string{fmt.Sprintf("%v %+v %#v %v %+v %#v", a, a, a, o, o, o),
		fmt.Sprintf("%v %+v %#v", u, u, u), logged.String(), fmt.Sprint(&spec.PAN{}, &a, &o, &u)} {
		for _, shape := range []string{digits, digits[4:14], fmt.Sprint([]byte(digits))[1:30],
			fmt.Sprintf("%x", digits), fmt.Sprintf("%#v", []byte(digits))[10:40]} {
			if strings.Contains(text, shape) {
				t.Errorf("%q shows a number", text)
			}
		}
	}
}
