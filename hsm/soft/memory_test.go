//go:build goexperiment.runtimesecret && linux

package soft

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"unsafe"

	"cardswitch/hsm"
	"cardswitch/hsm/keyblock"
	"cardswitch/hsm/mac"
)

const veil = 0x5A

// copies counts in this process's memory what is veiled, save in the buffer that it is read into.
func copies(t *testing.T, veiled []byte) (n int) {
	t.Helper()
	maps, err := os.Open("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	defer maps.Close()
	mem, err := os.Open("/proc/self/mem")
	if err != nil {
		t.Fatal(err)
	}
	defer mem.Close()
	buffer := make([]byte, 1<<20)
	own := uintptr(unsafe.Pointer(&buffer[0]))
	for lines := bufio.NewScanner(maps); lines.Scan(); {
		var from, to uintptr
		var may string
		if _, err := fmt.Sscanf(lines.Text(), "%x-%x %s", &from, &to, &may); err != nil ||
			!strings.HasPrefix(may, "rw") {
			continue
		}
		step := uintptr(len(buffer) - len(veiled))
		for at := from; at < to; at += step {
			got, _ := mem.ReadAt(buffer[:min(uintptr(len(buffer)), to-at)], int64(at))
			for i := 0; i+len(veiled) <= got; i++ {
				here := at + uintptr(i)
				if (here < own || here >= own+uintptr(len(buffer))) && same(buffer[i:], veiled) {
					n++
				}
			}
		}
		clear(buffer)
	}
	return n
}

func same(b, veiled []byte) bool {
	for i, c := range veiled {
		if b[i] != c^veil {
			return false
		}
	}
	return true
}

// Requirement 15: a destroyed key is gone from memory, its schedules too.
func TestUnloadedKeysAreGoneFromMemory(t *testing.T) {
	master, err := keyblock.RandomKey(keyblock.AES, 32, nil)
	if err != nil {
		t.Fatal(err)
	}
	m, err := New(master, hsm.Test)
	if err != nil {
		t.Fatal(err)
	}
	w, err := m.Generate(t.Context(), hsm.KeySpec{Usage: "M6", Algorithm: "A", Size: 16, Mode: "C",
		Export: "N"})
	if err != nil {
		t.Fatal(err)
	}
	loaded, err := m.Load(t.Context(), w)
	if err != nil {
		t.Fatal(err)
	}
	veiled := make([]byte, 16)
	if err := loaded.(*key).hold(func(raw []byte) error {
		for i, c := range raw {
			veiled[i] = c ^ veil
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	how := mac.Spec{Algorithm: mac.AESCMAC, Size: 8}
	if _, err := m.MAC(t.Context(), loaded, how, nil, []byte("message")); err != nil {
		t.Fatal(err)
	}
	if copies(t, veiled) == 0 {
		t.Error("the search doesn't find a key that is in use")
	}
	loaded.Unload()
	for range 4 {
		runtime.GC()
	}
	if n := copies(t, veiled); n != 0 {
		t.Errorf("%d copies of an unloaded key are left", n)
	}
}
