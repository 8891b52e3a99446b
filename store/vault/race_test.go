package vault

import (
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"
)

// interrupted are books of which something happens after a read for a token or a card, before its
// result arrives.
type interrupted struct {
	*shelf
	then atomic.Pointer[func()]
}

func (i *interrupted) Get(key []byte) ([]byte, bool, error) {
	value, ok, err := i.shelf.Get(key)
	if key[0] == familyToken || key[0] == familyMulti {
		if then := i.then.Swap(nil); then != nil {
			(*then)()
		}
	}
	return value, ok, err
}

func newInterrupted(t *testing.T) (*yard, *interrupted) {
	t.Helper()
	books := new(interrupted)
	y := newYard(t, func(o *Options) {
		books.shelf = o.Books.(*shelf)
		o.Books = books
	})
	return y, books
}

func (y *yard) prepare(t *testing.T, a Ask) *Op {
	t.Helper()
	o, err := y.Prepare(a)
	if err != nil {
		t.Fatal(err)
	}
	return &o
}

func (y *yard) putOp(t *testing.T, o *Op) (token Token) {
	t.Helper()
	var err error
	y.shelf.fill(func(b Batch) { token, err = o.Put(b) })
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func (y *yard) remove(t *testing.T, token Token) {
	t.Helper()
	if err := y.Delete(t.Context(), token, officer()); err != nil {
		t.Fatal(err)
	}
}

// forget empties the cache.
func (y *yard) forget() {
	y.mu.Lock()
	defer y.mu.Unlock()
	y.cache.young, y.cache.old = nil, nil
}

// TestOverlaps takes two that want the same through each order of steps: prepared together, put one
// after the other, with the first durable, remembered and forgotten meanwhile, or deleted.
func TestOverlaps(t *testing.T) {
	y := newYard(t)
	defer y.close(t)
	formats := []Format{opaque(t), preserving(t, "990000", "990999", true)}
	for n := range 8 {
		settled, forgotten := n&1 != 0, n&2 != 0
		a := Ask{PAN: cardOf(n), Scope: "m", Format: formats[n>>2]}
		between := func() {
			if settled {
				y.settle(t)
			}
			if forgotten {
				y.forget()
			}
		}
		name := fmt.Sprintf("settled %v, forgotten %v", settled, forgotten)
		first, second, third := y.prepare(t, a), y.prepare(t, a), y.prepare(t, a)
		one := y.putOp(t, first)
		between()
		if two := y.putOp(t, second); two != one {
			t.Errorf("%s: a card got %s and %s", name, one, two)
		}
		if again := y.putOp(t, first); again != one {
			t.Errorf("%s: put twice, a card got %s and %s", name, one, again)
		}
		found := y.prepare(t, a) // finds the first
		y.remove(t, one)
		between()
		three := y.putOp(t, third)
		if three == one {
			t.Errorf("%s: a card got a deleted token", name)
		}
		between()
		if four := y.putOp(t, found); four != three {
			t.Errorf("%s: a card got %s and %s after a deletion", name, three, four)
		}
		y.remove(t, three)
		between()
		if five := y.putOp(t, found); five == one || five == three {
			t.Errorf("%s: a card got the deleted token %s", name, five)
		}
		y.settle(t)
	}
	if n := y.consistent(t); n != 8 {
		t.Errorf("%d tokens of 8 cards", n)
	}
}

// TestTwoWithOneToken opens a single-use token twice before either spends it.
func TestTwoWithOneToken(t *testing.T) {
	y := newYard(t)
	defer y.close(t)
	for _, settled := range []bool{false, true} {
		token := y.put(t, Ask{PAN: cardOf(1), Format: opaque(t), Life: time.Hour})
		y.settle(t)
		var uses [2]Use
		for i := range uses {
			var err error
			if uses[i], err = y.Redeem(token, "m"); err != nil {
				t.Fatal(err)
			}
		}
		for i, want := range []error{nil, ErrSpent} {
			var err error
			y.shelf.fill(func(b Batch) { err = uses[i].Put(b) })
			if !errors.Is(err, want) {
				t.Errorf("number %d got %v", i, err)
			}
			if settled {
				y.settle(t)
			}
		}
	}
	y.settle(t)
	if n := y.consistent(t); n != 0 {
		t.Errorf("%d tokens are left", n)
	}
}

// TestNothingStaleIsRemembered deletes a token while another reads it: the card isn't remembered
// with it.
func TestNothingStaleIsRemembered(t *testing.T) {
	y, books := newInterrupted(t)
	defer y.close(t)
	a := Ask{PAN: cardOf(1), Scope: "m", Format: opaque(t)}
	token := y.put(t, a)
	y.settle(t)
	y.forget()
	remove := func() { y.remove(t, token) }
	books.then.Store(&remove)
	o := y.prepare(t, a)
	if fresh := y.putOp(t, o); fresh == token {
		t.Errorf("a card got the deleted token %s", token)
	}
	if again := y.put(t, a); again == token || y.redeem(t, again, "m") != cardOf(1) {
		t.Errorf("a card got %s, and %s was deleted", again, token)
	}
	y.settle(t)
	y.consistent(t)
}

// TestDrawnByTwo draws the same token of a small range for two cards: one draws again.
func TestDrawnByTwo(t *testing.T) {
	y := newYard(t)
	defer y.close(t)
	digits := preserving(t, "990000", "990999", false)
	for _, settled := range []bool{false, true} {
		first := y.prepare(t, Ask{PAN: cardOf(1), Format: digits, Life: time.Hour})
		second := y.prepare(t, Ask{PAN: cardOf(2), Format: digits, Life: time.Hour})
		second.token, second.drawnAt = first.token, first.drawnAt
		second.fill()
		one := y.putOp(t, first)
		if settled {
			y.settle(t)
		}
		two := y.putOp(t, second)
		if one == two {
			t.Fatal("two cards have the same token")
		}
		y.settle(t)
		if y.redeem(t, one, "") != cardOf(1) || y.redeem(t, two, "") != cardOf(2) {
			t.Error("the tokens are of other cards")
		}
	}
	y.consistent(t)
}

// TestPreparedBeforeARekey puts what was prepared under a data key that is destroyed by then, and
// opens what was read under it.
func TestPreparedBeforeARekey(t *testing.T) {
	y, books := newInterrupted(t)
	defer y.close(t)
	a := Ask{PAN: cardOf(1), Scope: "m", Format: opaque(t)}
	kept := y.put(t, Ask{PAN: cardOf(2), Scope: "m", Format: opaque(t)})
	y.settle(t)
	early := y.prepare(t, a)
	rekey := func() {
		if err := y.Rekey(t.Context(), officer()); err != nil {
			t.Fatal(err)
		}
		y.ended(t)
	}
	books.then.Store(&rekey)
	if got := y.redeem(t, kept, "m"); got != cardOf(2) {
		t.Errorf("what was read under the old key is %v", got)
	}
	token := y.putOp(t, early)
	y.settle(t)
	if got := y.redeem(t, token, "m"); got != cardOf(1) {
		t.Errorf("what was prepared under the old key is %v", got)
	}
	if i, err := y.Info(token); err != nil || i.DataKey != 2 {
		t.Errorf("%+v, %v", i, err)
	}
}

// TestPendingIsTheNewest: a change that lands doesn't hide the one after it.
func TestPendingIsTheNewest(t *testing.T) {
	var p pending
	p.init()
	made := p.note("token", []byte("entry"), "card", "token")
	gone := p.note("token", nil, "card", "")
	p.landed(made, "token", "card")
	if e, ok := p.tokens["token"]; !ok || e.value != nil {
		t.Error("a deletion that isn't durable was forgotten")
	}
	if c, ok := p.cards["card"]; !ok || c.token != "" {
		t.Error("that a card has no token any more was forgotten")
	}
	p.landed(gone, "token", "card")
	if len(p.tokens)+len(p.cards) != 0 {
		t.Error("what is durable is still pending")
	}
}
