package keyring

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"cardswitch/hsm"
	"cardswitch/hsm/keyblock"
	"cardswitch/hsm/mac"
)

// twin is a module in a few lines: key blocks under a fixed master key. What the ring doesn't ask
// for is absent.
type twin struct {
	hsm.Module
	master [32]byte
	down   error // what every call answers

	mu     sync.Mutex
	loaded int
}

type twinKey struct {
	of    *twin
	spec  hsm.KeySpec
	check keyblock.CheckValue
	key   keyblock.Key
	gone  *sync.Once
}

func (k *twinKey) Spec() hsm.KeySpec          { return k.spec }
func (k *twinKey) Check() keyblock.CheckValue { return k.check }
func (k *twinKey) Unload() {
	k.gone.Do(func() {
		k.of.mu.Lock()
		defer k.of.mu.Unlock()
		k.of.loaded--
		k.key.Wipe()
	})
}

func (m *twin) Name() string { return "twin" }

func (m *twin) wrap(spec hsm.KeySpec, key keyblock.Key, err error) (hsm.Wrapped, error) {
	if err = errors.Join(m.down, err); err != nil {
		return hsm.Wrapped{}, err
	}
	check, err := key.CheckValue(keyblock.CMAC, 5)
	if err != nil {
		return hsm.Wrapped{}, err
	}
	block, err := keyblock.Wrap(m.master[:], keyblock.Header{Version: keyblock.VersionD,
		Usage: spec.Usage, Algorithm: spec.Algorithm, Mode: spec.Mode, Export: spec.Export,
		Context: keyblock.ContextStorage}, key, keyblock.Options{})
	return hsm.Wrapped{Spec: spec, Block: block, Check: check}, err
}

func (m *twin) Generate(_ context.Context, spec hsm.KeySpec) (hsm.Wrapped, error) {
	key, err := keyblock.RandomKey(spec.Algorithm, spec.Size, nil)
	return m.wrap(spec, key, err)
}

func (m *twin) Form(_ context.Context, spec hsm.KeySpec, parts [][]byte) (hsm.Wrapped, error) {
	var keys []keyblock.Key
	for _, p := range parts {
		key, err := keyblock.NewKey(spec.Algorithm, p)
		if err != nil {
			return hsm.Wrapped{}, err
		}
		keys = append(keys, key)
	}
	key, err := keyblock.Combine(spec.Algorithm == keyblock.TDES, keys...)
	return m.wrap(spec, key, err)
}

func (m *twin) Load(_ context.Context, w hsm.Wrapped) (hsm.Key, error) {
	if m.down != nil {
		return nil, m.down
	}
	h, key, err := keyblock.Unwrap(m.master[:], w.Block, keyblock.Want{
		Versions: []keyblock.Version{keyblock.VersionD}, Usages: keyblock.Usages(),
		Algorithms: []keyblock.Algorithm{keyblock.AES, keyblock.TDES},
		Modes:      []keyblock.Mode{keyblock.ModeB, keyblock.ModeC, keyblock.ModeX},
		Exports:    []keyblock.Export{keyblock.ExportE, keyblock.ExportN},
		Context:    keyblock.ContextStorage,
	})
	if err != nil {
		return nil, err
	}
	check, _ := key.CheckValue(keyblock.CMAC, 5)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.loaded++
	spec := hsm.KeySpec{Usage: h.Usage, Algorithm: h.Algorithm, Size: key.Size(), Mode: h.Mode,
		Export: h.Export}
	return &twinKey{m, spec, check, key, &sync.Once{}}, nil
}

func (m *twin) Import(_ context.Context, under hsm.Key, block string,
	want keyblock.Want) (w hsm.Wrapped, err error) {
	err = under.(*twinKey).key.Use(func(kbpk []byte) error {
		h, key, err := keyblock.Unwrap(kbpk, block, want)
		if err != nil {
			return err
		}
		w, err = m.wrap(hsm.KeySpec{Usage: h.Usage, Algorithm: h.Algorithm, Size: key.Size(),
			Mode: h.Mode, Export: h.Export}, key, nil)
		return err
	})
	return w, err
}

func (m *twin) Export(ctx context.Context, under hsm.Key, w hsm.Wrapped,
	h keyblock.Header) (block string, err error) {
	key, err := m.Load(ctx, w)
	if err != nil {
		return "", err
	}
	defer key.Unload()
	err = under.(*twinKey).key.Use(func(kbpk []byte) error {
		block, err = keyblock.Wrap(kbpk, h, key.(*twinKey).key, keyblock.Options{})
		return err
	})
	return block, err
}

func (m *twin) PRF(ctx context.Context, key hsm.Key, message []byte) (out [16]byte, err error) {
	if err := errors.Join(m.down, ctx.Err()); err != nil {
		return out, err
	}
	err = key.(*twinKey).key.Use(func(raw []byte) error {
		code, err := mac.New(mac.Spec{Algorithm: mac.AESCMAC, Size: 16}, raw)
		if err != nil {
			return err
		}
		copy(out[:], code.Sum(nil, message))
		return nil
	})
	return out, err
}

// notes is an audit log of values.
type notes struct {
	events []Event
	full   error
}

func (n *notes) Audit(_ context.Context, e Event) error {
	if n.full != nil {
		return n.full
	}
	n.events = append(n.events, e)
	return nil
}

var alice = By{"alice", "administrator", "a test"}

func openRing(t *testing.T, change func(*Options)) *Ring {
	t.Helper()
	o := Options{Module: &twin{}}
	if change != nil {
		change(&o)
	}
	r, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func slotOf(t *testing.T, text string) Slot {
	t.Helper()
	slot, err := ParseSlot(text)
	if err != nil {
		t.Fatal(err)
	}
	return slot
}

// generate makes a key and brings it into service.
func generate(t *testing.T, r *Ring, slot string) Record {
	t.Helper()
	record, err := r.Generate(t.Context(), alice, Plan{Slot: slotOf(t, slot)})
	if err != nil {
		t.Fatal(err)
	}
	if record, err = r.Serve(t.Context(), alice, record.ID); err != nil {
		t.Fatal(err)
	}
	return record
}

// record is one that is valid, as of a time.
func recordAt(id ID, state State, now time.Time, check string) Record {
	spec, _ := id.Slot.Purpose.Spec("", 0)
	r := Record{ID: id, State: state, Created: now, ActiveFrom: now, Expires: now.Add(time.Hour),
		Wrapped: hsm.Wrapped{Spec: spec, Block: "D0016",
			Check: keyblock.CheckValue{Method: keyblock.CMAC, Hex: check}}}
	switch state {
	case Retiring:
		r.RetireUntil = now.Add(time.Minute)
	case Destroyed:
		r.Wrapped.Block, r.Ended = "", now
	}
	return r
}
