package moduletest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"cardswitch/hsm"
	"cardswitch/hsm/keyblock"
	"cardswitch/hsm/mac"
	"cardswitch/hsm/pinblock"
)

func testUnloaded(t *testing.T, open Open) {
	b := start(t, open)
	for _, s := range kinds() {
		t.Run(fmt.Sprint(s), func(t *testing.T) {
			b := b.on(t)
			w, k := b.generated(s)
			again := b.loaded(w)
			k.Unload()
			k.Unload()
			for _, u := range hsm.Uses() {
				if permitted(s, u) {
					b.want(fmt.Sprint("unloaded, for ", u), b.use(u, k), hsm.ErrKey)
					b.held(s, u, b.use(u, again))
				}
			}
			if k.Spec() != s || k.Check() != w.Check {
				t.Error("an unloaded key has forgotten what it was for")
			}
		})
	}
}

// other is a key of no module.
type other struct{ hsm.KeySpec }

func (o other) Spec() hsm.KeySpec          { return o.KeySpec }
func (o other) Check() keyblock.CheckValue { return keyblock.CheckValue{} }
func (o other) Unload()                    {}

func testNotItsOwn(t *testing.T, open Open) {
	b, next := start(t, open), start(t, open)
	for _, s := range kinds() {
		t.Run(fmt.Sprint(s), func(t *testing.T) {
			b := b.on(t)
			_, k := next.on(t).generated(s)
			for _, u := range hsm.Uses() {
				if permitted(s, u) {
					b.want(fmt.Sprint("a key of another module, for ", u), b.use(u, k), hsm.ErrKey)
					b.want(fmt.Sprint("a key of none, for ", u), b.use(u, other{s}), hsm.ErrKey)
				}
				b.want(fmt.Sprint("no key, for ", u), b.use(u, nil), hsm.ErrKey)
			}
		})
	}
}

// When the context has ended, nothing is done.
func testCancelled(t *testing.T, open Open) {
	b := start(t, open)
	s := key(keyblock.UsageM6, keyblock.AES, 16, keyblock.ModeC)
	w, k := b.generated(s)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := b.Load(ctx, w)
	b.want("load", err, hsm.ErrUnavailable)
	b.want("random", b.Random(ctx, make([]byte, 8)), hsm.ErrUnavailable)
	_, err = b.Generate(ctx, s)
	b.want("generate", err, hsm.ErrUnavailable)
	_, err = b.Form(ctx, s, [][]byte{make([]byte, 16), make([]byte, 16)})
	b.want("form", err, hsm.ErrUnavailable)
	_, err = b.Import(ctx, k, w.Block, keyblock.Want{})
	b.want("import", err, hsm.ErrUnavailable)
	_, err = b.Export(ctx, k, w, keyblock.Header{})
	b.want("export", err, hsm.ErrUnavailable)
	_, err = b.TranslatePIN(ctx, hsm.PINTranslation{From: k, To: k})
	b.want("translate", err, hsm.ErrUnavailable)
	how := mac.Spec{Algorithm: mac.AESCMAC, Size: 8}
	_, err = b.MAC(ctx, k, how, nil)
	b.want("MAC", err, hsm.ErrUnavailable)
	b.want("verify", b.VerifyMAC(ctx, k, how, make([]byte, 8)), hsm.ErrUnavailable)
	_, err = b.PRF(ctx, k, nil)
	b.want("PRF", err, hsm.ErrUnavailable)
	_, err = b.OpenP2PE(ctx, hsm.P2PE{Base: k}, nil)
	b.want("open", err, hsm.ErrUnavailable)
	_, err = b.WrapData(ctx, k, nil)
	b.want("wrap", err, hsm.ErrUnavailable)
	_, err = b.UnwrapData(ctx, k, nil)
	b.want("unwrap", err, hsm.ErrUnavailable)
	if _, err := b.MAC(t.Context(), k, how, nil, nil); err != nil && !errors.Is(err, hsm.ErrAbsent) {
		t.Errorf("after all that: %v", err)
	}
}

// In production what the profile forbids is an ErrForbidden, and all else works as in test.
func testProduction(t *testing.T, open Open) {
	b := begin(t, open, hsm.Production)
	for _, s := range kinds() {
		t.Run(fmt.Sprint(s), func(t *testing.T) {
			b := b.on(t)
			_, k := b.generated(s)
			for _, o := range hsm.Operations() {
				for what, err := range b.calls(o, k) {
					forbidden := !hsm.Production.Allows(o, b.Caps()) && b.Caps()[o] != hsm.Absent
					if o == hsm.TranslateZonePIN && s.Usage == keyblock.UsageB0 ||
						o == hsm.TranslateTerminalPIN && s.Usage != keyblock.UsageB0 {
						continue // the key decides which of the two it is
					}
					if forbidden && !errors.Is(err, hsm.ErrForbidden) {
						t.Errorf("%s is forbidden in production, and says %v", what, err)
					}
					if !forbidden && errors.Is(err, hsm.ErrForbidden) {
						t.Errorf("%s is allowed in production, and says %v", what, err)
					}
				}
			}
		})
	}
}

func testClosed(t *testing.T, open Open) {
	b := start(t, open)
	s := key(keyblock.UsageM6, keyblock.AES, 16, keyblock.ModeC)
	w, k := b.generated(s)
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	b.want("a key of a closed module", b.use(hsm.ToMakeMAC, k), hsm.ErrKey)
	if _, err := b.Load(t.Context(), w); err == nil {
		t.Error("a closed module loaded a key")
	}
	if _, err := b.Generate(t.Context(), s); err == nil {
		t.Error("a closed module made a key")
	}
	k.Unload()
}

// Many goroutines use one module and its keys at once, and each gets what it would get alone.
func testSideBySide(t *testing.T, open Open) {
	b := start(t, open)
	tasks := []func(ctx context.Context) ([]byte, error){
		func(ctx context.Context) ([]byte, error) {
			w, err := b.Generate(ctx, kinds()[2])
			if err != nil {
				return nil, err
			}
			k, err := b.Load(ctx, w)
			if err == nil {
				k.Unload()
			}
			return nil, err
		},
	}
	for s, how := range ways() {
		_, k := b.generated(s)
		tasks = append(tasks, func(ctx context.Context) ([]byte, error) {
			return b.MAC(ctx, k, how, nil, []byte("1200"), []byte("a message"))
		})
	}
	_, secret := b.generated(key(keyblock.UsageB3, keyblock.AES, 32, keyblock.ModeX))
	_, base := b.generated(key(keyblock.UsageB0, keyblock.AES, 16, keyblock.ModeX))
	_, kek := b.generated(key(keyblock.UsageK0, keyblock.AES, 32, keyblock.ModeB))
	tasks = append(tasks,
		func(ctx context.Context) ([]byte, error) {
			out, err := b.PRF(ctx, secret, []byte("a link's session"))
			return out[:], err
		},
		func(ctx context.Context) ([]byte, error) { return b.OpenP2PE(ctx, p2pe(base), nil) },
		func(ctx context.Context) ([]byte, error) {
			wrapped, err := b.WrapData(ctx, kek, bytes.Repeat([]byte{7}, 32))
			if err != nil {
				return nil, err
			}
			return b.UnwrapData(ctx, kek, wrapped)
		},
		b.pinTask())
	var all sync.WaitGroup
	for i, f := range tasks {
		want, err := f(t.Context())
		if errors.Is(err, hsm.ErrAbsent) {
			continue
		}
		b.must(err)
		for range 3 {
			all.Go(func() {
				for range 40 {
					if got, err := f(t.Context()); err != nil || !bytes.Equal(got, want) {
						t.Errorf("task %d: %X, alone it was %X: %v", i, got, want, err)
						return
					}
				}
			})
		}
	}
	all.Wait()
}

// pinTask translates a PIN from format 0 to 0, which has no random part.
func (b bench) pinTask() func(ctx context.Context) ([]byte, error) {
	if b.Caps()[hsm.TranslateZonePIN] == hsm.Absent {
		return func(context.Context) ([]byte, error) { return nil, hsm.ErrAbsent }
	}
	z, number := b.zoneOf(pinblock.Format0), pan(b.t, "4012345678909")
	pin, err := pinblock.ParsePIN([]byte("1234"))
	b.must(err)
	block, err := z.clear.Encrypt(nil, pinblock.Format0, pin, number)
	b.must(err)
	return func(ctx context.Context) ([]byte, error) {
		return b.TranslatePIN(ctx, hsm.PINTranslation{From: z.inside, FromFormat: pinblock.Format0,
			To: z.inside, ToFormat: pinblock.Format0, PAN: number, Block: block})
	}
}
