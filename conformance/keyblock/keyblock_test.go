package keyblock

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

type vector struct {
	ID, Group, KBPK, Block, Version, Key, KCV string
}

// published are the key blocks of version D of the standards and of other makers.
func published(t testing.TB) []vector {
	t.Helper()
	text, err := os.ReadFile("../../hsm/testdata/crypto-vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Vectors []vector }
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	var list []vector
	for _, v := range file.Vectors {
		if v.Group == "tr31" && v.Version == "D" {
			list = append(list, v)
		}
	}
	if len(list) < 5 {
		t.Fatalf("only %d vectors", len(list))
	}
	return list
}

func unhex(t testing.TB, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestPublishedBlocks(t *testing.T) {
	for _, v := range published(t) {
		h, key, err := Open(unhex(t, v.KBPK), v.Block)
		if err != nil || !bytes.Equal(key, unhex(t, v.Key)) {
			t.Errorf("%s: %v", v.ID, err)
		}
		if h.Usage != v.Block[5:7] || h.Mode != v.Block[8] || h.Export != v.Block[11] {
			t.Errorf("%s: %+v", v.ID, h)
		}
		if len(v.KCV) == 10 {
			if check, err := Check(key); err != nil || check != v.KCV {
				t.Errorf("%s: check value %s, %v", v.ID, check, err)
			}
		}
	}
}

// Whatever character of a block is altered, it isn't opened.
func TestAlteredBlocks(t *testing.T) {
	for _, v := range published(t) {
		if len(v.Block) > 200 {
			continue
		}
		kbpk := unhex(t, v.KBPK)
		for at := range v.Block {
			altered := []byte(v.Block)
			altered[at] = '0' + (altered[at]-'0'+1)%10
			if _, _, err := Open(kbpk, string(altered)); err == nil {
				t.Errorf("%s: opened with another character %d", v.ID, at)
			}
		}
		if _, _, err := Open(kbpk, v.Block[:len(v.Block)-1]); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", v.ID, err)
		}
		kbpk[0] ^= 1
		if _, _, err := Open(kbpk, v.Block); !errors.Is(err, ErrForged) {
			t.Errorf("%s under another key: %v", v.ID, err)
		}
	}
}

func TestWhatIsMadeOpens(t *testing.T) {
	h := Header{Usage: "B3", Algorithm: 'A', Mode: 'X', Version: "00", Export: 'N', Context: '2'}
	for _, size := range []int{16, 24, 32} {
		kbpk := Protection(bytes.Repeat([]byte{7}, size))
		want := bytes.Repeat([]byte{9}, size)
		block, err := Make(kbpk, h, want)
		if err != nil {
			t.Fatal(err)
		}
		other, _ := Make(kbpk, h, want)
		if len(block) != 144 || other == block {
			t.Errorf("%d bytes: blocks of %d characters, the same twice: %v", size, len(block),
				other == block)
		}
		got, key, err := Open(kbpk, block)
		if err != nil || got != h || !bytes.Equal(key, want) {
			t.Errorf("%d bytes: %+v, %v", size, got, err)
		}
	}
	if _, err := Make(Protection("short"), h, make([]byte, 16)); err == nil {
		t.Error("a short protection key makes blocks")
	}
}

func FuzzOpen(f *testing.F) {
	kbpk := Protection(bytes.Repeat([]byte{7}, 32))
	for _, v := range published(f) {
		f.Add(v.Block)
	}
	f.Add("D0016B3AX00N0000")
	f.Add("D0048B3AX00N0100KS00040020" + strings.Repeat("A", 22))
	f.Fuzz(func(t *testing.T, block string) {
		if _, _, err := Open(kbpk, block); err == nil {
			t.Errorf("%q opens under a key that nobody has", block)
		}
	})
}

func TestTheProtectionKeyIsOnlyItsOwners(t *testing.T) {
	name := filepath.Join(t.TempDir(), "kbpk")
	text := strings.Repeat("5e", 32)
	if err := os.WriteFile(name, []byte(text+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	kbpk, err := ReadProtection(name)
	if err != nil || len(kbpk) != 32 {
		t.Fatalf("%d bytes, %v", len(kbpk), err)
	}
	shown, _ := json.Marshal(map[string]any{"k": kbpk})
	if all := fmt.Sprintf("%v %x %#v %s", kbpk, kbpk, kbpk, shown); strings.Contains(all, "5e") {
		t.Error(all)
	}
	if err := os.Chmod(name, 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadProtection(name); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("a file that others read: %v", err)
	}
	os.Chmod(name, 0o600)
	os.WriteFile(name, []byte("5e5e"), 0o600)
	if _, err := ReadProtection(name); err == nil || !strings.Contains(err.Error(), "hex digits") {
		t.Errorf("a short key: %v", err)
	}
}
