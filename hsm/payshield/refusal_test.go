package payshield

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
	"testing/synctest"

	"cardswitch/hsm"
	"cardswitch/hsm/dukpt"
	"cardswitch/hsm/keyblock"
	"cardswitch/hsm/mac"
	"cardswitch/hsm/pinblock"
)

func TestCodes(t *testing.T) {
	for _, v := range []struct {
		command command
		code    string
		want    error
	}{
		{verifyMAC, "01", hsm.ErrMAC}, {importKey, "01", hsm.ErrKey}, {makeKey, "10", hsm.ErrKey},
		{makeKey, "17", hsm.ErrForbidden}, {makeKey, "68", hsm.ErrAbsent},
		{makeKey, "41", hsm.ErrUnavailable}, {makeKey, "A4", hsm.ErrKey}, {makeKey, "BD", hsm.ErrKey},
		{zonePIN, "20", hsm.ErrPIN}, {zonePIN, "24", hsm.ErrPIN}, {terminalPIN, "22", hsm.ErrPIN},
		{terminalPIN, "39", hsm.ErrPIN}, {zonePIN, "10", hsm.ErrKey}, {zonePIN, "69", hsm.ErrForbidden},
		{zonePIN, "15", errRefused}, {makeKey, "20", errRefused}, {makeKey, "ZZ", errRefused},
		{makeKey, "B\x00", hsm.ErrKey},
	} {
		err := refusal(v.command, v.code)
		if !errors.Is(err, v.want) {
			t.Errorf("%s %s is %v, want %v", v.command, v.code, err, v.want)
		}
		for _, other := range []error{hsm.ErrMAC, hsm.ErrKey, hsm.ErrForbidden, hsm.ErrAbsent,
			hsm.ErrUnavailable, hsm.ErrPIN} {
			if other != v.want && errors.Is(err, other) {
				t.Errorf("%s %s is %v, too", v.command, v.code, other)
			}
		}
	}
}

// Whatever a unit says of a PIN block, the caller and the counters hear the same.
func TestPINRefusalsAreOne(t *testing.T) {
	scene(t, alone, func(t *testing.T, m *Module, p *player) {
		texts := make(map[string]bool)
		for _, code := range []string{"14", "20", "22", "24", "39"} {
			p.set(func(l *line, s said) { l.say(s, code) })
			_, err := m.TranslatePIN(t.Context(), translation(t, m))
			if !errors.Is(err, hsm.ErrPIN) {
				t.Errorf("%s: error %v", code, err)
			}
			texts[fmt.Sprintf("%v %#v", err, err)[:40]] = true
			texts[err.Error()] = true
		}
		short := translation(t, m)
		short.Block = short.Block[:7]
		_, err := m.TranslatePIN(t.Context(), short)
		texts[err.Error()] = true
		if len(texts) != 2 {
			t.Errorf("%d texts: %v", len(texts), texts)
		}
		for _, c := range m.Counts() {
			if c.Command == "CC" && c.Code != "PIN" {
				t.Errorf("the counters tell them apart: %+v", c)
			}
		}
		if len(p.asked("CC")) != 5 {
			t.Error("a refused PIN block was sent to the unit again")
		}
	})
}

// No card number, PIN block or key is in what is logged, said or counted, whatever units answer.
func TestNothingIsShown(t *testing.T) {
	secrets := []string{"5400085010309393", "008501030939", "540008501030", "AD72F973446E84E7",
		"ad72f973446e84e7", "E614D4AFD47BD3BF", "EA421618B34F5FA1", "0D869FE84C1F77AE", "\xAD\x72\xF9"}
	answers := []string{okPIN, okPIN + "0", "00", "20", "41", "15", "A4", "0006" + "AD72F973446E84E7",
		"00540008501030", "5400085010309393"}
	for _, a := range answers {
		scene(t, nil, func(t *testing.T, m *Module, p *player) {
			p.set(func(l *line, s said) { l.say(s, a) })
			_, err := m.TranslatePIN(t.Context(), translation(t, m))
			if err != nil {
				contains(t, "error", fmt.Sprintf("%v %+v %#v", err, err, err), secrets...)
			}
			p.set(func(l *line, s said) { l.send(s.fields) })
			_, err = m.TranslatePIN(t.Context(), translation(t, m))
			contains(t, "error", fmt.Sprintf("%v %+v %#v", err, err, err), secrets...)
			synctest.Wait()
			text, _ := json.Marshal([]any{m.Counts(), m.Status()})
			contains(t, "status", string(text), secrets...)
			p.mu.Lock()
			contains(t, "log", p.log.String(), secrets...)
			p.mu.Unlock()
			k := m.load(t, zoneA)
			var log bytes.Buffer
			slog.New(slog.NewTextHandler(&log, nil)).Info("key", "key", k)
			text, _ = json.Marshal(k)
			contains(t, "key", fmt.Sprintf("%v %+v %#v %s %q", k, k, k, text, k)+log.String(), secrets...)
		})
	}
}

// What was sent or wasn't is cleared behind: it has card numbers.
func TestQuestionsAreCleared(t *testing.T) {
	q := newQuestion(zonePIN, []byte("5400085010309393"))
	if !q.withdraw() || !bytes.Equal(q.fields, make([]byte, 16)) {
		t.Errorf("%q is left of a withdrawn question", q.fields)
	}
	q = newQuestion(decrypt, nil)
	rest := []byte("card data")
	if !q.take() || !q.forsake() || q.answer(outcome{rest: rest}) {
		t.Fatal("states")
	}
	if !bytes.Equal(rest, make([]byte, 9)) {
		t.Errorf("%q is left of a late answer", rest)
	}
	near, far := net.Pipe()
	go io.Copy(io.Discard, far)
	c := newConnection(newUnit(Unit{}, &Config{Header: 4}, nil), near)
	q = newQuestion(zonePIN, []byte("5400085010309393"))
	if err := c.write(q); err != nil || !bytes.Equal(q.fields, make([]byte, 16)) {
		t.Errorf("%q is left of a sent question, %v", q.fields, err)
	}
	near.Close()
	scene(t, alone, func(t *testing.T, m *Module, p *player) {
		fields := []byte("003")
		p.set(echo)
		if _, err := m.ask(t.Context(), random, fields); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(fields, make([]byte, 3)) {
			t.Error("the fields are left after the call")
		}
	})
}

func TestAbsent(t *testing.T) {
	scene(t, alone, func(t *testing.T, m *Module, p *player) {
		ctx := t.Context()
		aes := m.load(t, zoneA)
		aes.spec = hsm.KeySpec{Usage: keyblock.UsageP0, Algorithm: keyblock.AES, Size: 16,
			Mode: keyblock.ModeB, Export: keyblock.ExportE}
		var errs []error
		add := func(_ any, err error) { errs = append(errs, err) }
		add(m.Form(ctx, aes.spec, nil))
		add(m.PRF(ctx, aes, nil))
		add(m.WrapData(ctx, aes, nil))
		add(m.UnwrapData(ctx, aes, nil))
		for _, s := range []hsm.KeySpec{
			aes.spec,
			{Usage: keyblock.UsageB0, Algorithm: keyblock.AES, Size: 16, Mode: "X", Export: "E"},
			{Usage: keyblock.UsageB3, Algorithm: keyblock.AES, Size: 16, Mode: "X", Export: "E"},
			{Usage: keyblock.UsageK0, Algorithm: keyblock.AES, Size: 32, Mode: "B", Export: "E"},
			{Usage: keyblock.UsageM6, Algorithm: keyblock.TDES, Size: 16, Mode: "C", Export: "E"},
		} {
			add(m.Generate(ctx, s))
			add(m.Load(ctx, hsm.Wrapped{Spec: s, Block: blockOf(s)}))
		}
		pin := translation(t, m)
		pin.ToFormat = pinblock.Format4
		add(m.TranslatePIN(ctx, pin))
		code := m.load(t, codeKey)
		code.spec = hsm.KeySpec{Usage: keyblock.UsageM6, Algorithm: keyblock.AES, Size: 16,
			Mode: keyblock.ModeC, Export: keyblock.ExportE}
		add(m.MAC(ctx, code, mac.Spec{Algorithm: mac.AESCMAC, Size: 16}, nil, []byte("x")))
		shared := m.load(t, sharedKey)
		shared.spec.Usage = keyblock.UsageK1
		h := keyblock.Header{Version: keyblock.VersionB, Usage: "P0", Algorithm: "T", Mode: "B",
			Export: "E"}
		w := hsm.Wrapped{Spec: pin.From.Spec(), Block: zoneA}
		for _, change := range []func(h *keyblock.Header){
			func(h *keyblock.Header) { h.Mode = "D" },
			func(h *keyblock.Header) { h.KeyVersion = "01" },
			func(h *keyblock.Header) { h.Optional = []keyblock.Optional{{ID: keyblock.LB, Data: "x"}} },
			func(h *keyblock.Header) { h.Version = keyblock.VersionE },
		} {
			other := h
			change(&other)
			add(m.Export(ctx, shared, w, other))
		}
		for i, err := range errs {
			if !errors.Is(err, hsm.ErrAbsent) {
				t.Errorf("%d: error %v", i, err)
			}
		}
		if len(p.heard) != 0 {
			t.Error("a unit was asked for what it can't do")
		}
	})
}

func TestKeysAreForOneThing(t *testing.T) {
	scene(t, alone, func(t *testing.T, m *Module, p *player) {
		ctx := t.Context()
		zone, terminal, code := m.load(t, zoneA), m.load(t, baseKey), m.load(t, codeKey)
		stranger := &key{module: &Module{}, spec: zone.spec}
		gone := m.load(t, zoneA)
		gone.Unload()
		pin := func(from, to hsm.Key) error {
			x := translation(t, m)
			x.From, x.To = from, to
			_, err := m.TranslatePIN(ctx, x)
			return err
		}
		open := func(k hsm.Key) error {
			_, err := m.OpenP2PE(ctx, hsm.P2PE{Base: k, KSN: make([]byte, 10), KeyType: dukpt.TDEA2,
				Data: make([]byte, 8)}, nil)
			return err
		}
		codeBy := func(k hsm.Key) error {
			_, err := m.MAC(ctx, k, mac.Spec{Algorithm: mac.CBC, Padding: mac.Padding1, Size: 4}, nil)
			return err
		}
		for i, err := range []error{pin(zone, terminal), pin(code, zone), pin(zone, nil), pin(nil, zone),
			pin(gone, zone), pin(zone, gone), pin(zone, stranger), open(zone), open(nil), codeBy(zone),
			codeBy(gone)} {
			if !errors.Is(err, hsm.ErrKey) {
				t.Errorf("%d: error %v", i, err)
			}
		}
		if _, err := m.Import(ctx, zone, "", keyblock.Want{}); !errors.Is(err, hsm.ErrKey) {
			t.Errorf("error %v", err)
		}
		if len(p.heard) != 0 {
			t.Error("a unit was asked with a key that isn't for it")
		}
	})
}

// A unit that answers with another key than asked for isn't believed.
func TestTheWrongKey(t *testing.T) {
	scene(t, alone, func(t *testing.T, m *Module, p *player) {
		s := m.load(t, zoneA).spec
		p.set(func(l *line, q said) { l.say(q, "00"+baseKey+"97795F") })
		if _, err := m.Generate(t.Context(), s); !errors.Is(err, hsm.ErrKey) {
			t.Errorf("error %v", err)
		}
		p.set(func(l *line, q said) { l.say(q, "004FE9FD") })
		w, err := m.Adopt(t.Context(), s, zoneA)
		if err != nil || w.Check.Hex != "4FE9FD" || w.Check.Method != keyblock.TDESECB {
			t.Errorf("%+v, %v", w, err)
		}
		if _, err := m.Load(t.Context(), w); err != nil {
			t.Error(err)
		}
		w.Check.Hex = "4FE9FE"
		if _, err := m.Load(t.Context(), w); !errors.Is(err, hsm.ErrKey) {
			t.Errorf("error %v", err)
		}
		w.Spec.Usage = keyblock.UsageM3
		w.Spec.Mode = keyblock.ModeC
		if _, err := m.Load(t.Context(), w); !errors.Is(err, hsm.ErrKey) {
			t.Errorf("error %v", err)
		}
	})
}

func TestConfig(t *testing.T) {
	right := func() Config { return Config{Units: []Unit{{Name: "x", Address: "h:1"}}} }
	for name, change := range map[string]func(*Config){
		"no unit":      func(c *Config) { c.Units = nil },
		"three":        func(c *Config) { c.Units = make([]Unit, 3) },
		"no address":   func(c *Config) { c.Units[0].Address = "" },
		"same name":    func(c *Config) { c.Units = append(c.Units, c.Units[0]) },
		"header":       func(c *Config) { c.Header = 1 },
		"LMK":          func(c *Config) { c.LMK = "1" },
		"LMK check":    func(c *Config) { c.LMKCheck = "0123" },
		"descriptor":   func(c *Config) { c.KSNDescriptor = "A0" },
		"connections":  func(c *Config) { c.Limits.Connections = 1000 },
		"outstanding":  func(c *Config) { c.Limits.Outstanding = -1 },
		"queue":        func(c *Config) { c.Limits.Queue = -1 },
		"time":         func(c *Config) { c.Limits.Timeout = -1 },
		"redial times": func(c *Config) { c.Limits.RedialMost = 1 },
	} {
		c := right()
		change(&c)
		if m, err := New(c); err == nil || !strings.HasPrefix(err.Error(), "payshield: ") {
			t.Errorf("%s: error %v", name, err)
			if m != nil {
				m.Close()
			}
		}
	}
	if _, err := right().complete(); err != nil {
		t.Error(err)
	}
}

func TestEndedContexts(t *testing.T) {
	scene(t, alone, func(t *testing.T, m *Module, p *player) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := m.Adopt(ctx, m.load(t, zoneA).spec, zoneA); !errors.Is(err, hsm.ErrUnavailable) {
			t.Errorf("error %v", err)
		}
		if err := m.Random(ctx, nil); !errors.Is(err, hsm.ErrUnavailable) {
			t.Errorf("error %v", err)
		}
		if len(p.heard) != 0 {
			t.Error("after its context a call asks a unit")
		}
	})
}
