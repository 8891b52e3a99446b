package vectors

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
)

// The file is the one whose values were checked; a change to it is a change of what is true.
func TestFileIsTheOneThatWasChecked(t *testing.T) {
	const want = "158293581e89a8bf7ab50afd4af9f92726199f1472bc90834a877ca09f852fb8"
	sum := sha256.Sum256(read(t))
	if got := hex.EncodeToString(sum[:]); got != want {
		t.Errorf("the vectors have the digest %s, not %s", got, want)
	}
}

func TestEveryGroupIsCounted(t *testing.T) {
	sum := 0
	seen := make(map[string]bool)
	for group := range all(t) {
		for _, c := range Load(t, group) {
			if seen[c.ID()] || !strings.HasPrefix(c.ID(), group+"-") || c.Source() == "" {
				t.Errorf("%s: its name is of another group, or taken, or it has no source", c.ID())
			}
			seen[c.ID()] = true
			sum++
		}
	}
	if len(sizes()) != len(all(t)) || sum != 317 {
		t.Errorf("%d groups with %d vectors, not %d with 317", len(all(t)), sum, len(sizes()))
	}
}

func TestFields(t *testing.T) {
	c := Load(t, "pin_clear")[0]
	if c.Int("format") != 0 || !c.Has("pan") || c.Has("ksn") || len(c.Hex("block")) != 8 {
		t.Errorf("%s: format %d, block %x", c.ID(), c.Int("format"), c.Hex("block"))
	}
	first := Load(t, "cmac")[0]
	if first.Text("alg") != "AES" || len(first.Hex("msg")) != 0 ||
		!bytes.HasPrefix(first.Hex("mac"), []byte{0xBB, 0x1D}) {
		t.Errorf("%s isn't the first of RFC 4493", first.ID())
	}
}

// failing takes the word of a test that fails.
type failing struct{ testing.TB }

type failure string

func (failing) Helper() {}

func (failing) Fatalf(format string, args ...any) { panic(failure(fmt.Sprintf(format, args...))) }

// What isn't there fails the test, and doesn't pass as something empty.
func TestMissingFails(t *testing.T) {
	c := Case{failing{t}, map[string]any{"id": "x-001", "group": "x", "text": "not hex"}}
	for name, act := range map[string]func(){
		"group":       func() { Load(failing{t}, "x") },
		"text":        func() { c.Text("none") },
		"hex":         func() { c.Hex("none") },
		"number":      func() { c.Int("none") },
		"not hex":     func() { c.Hex("text") },
		"text as int": func() { c.Int("text") },
	} {
		func() {
			defer func() {
				if _, ok := recover().(failure); !ok {
					t.Errorf("%s: the test doesn't fail", name)
				}
			}()
			act()
		}()
	}
}
