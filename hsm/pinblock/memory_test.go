package pinblock

import (
	"bytes"
	"crypto/cipher"
	"fmt"
	"sync"
	"testing"
)

// spy keeps hold of what it enciphered.
type spy struct {
	cipher.Block
	held [][]byte
}

func (s *spy) Encrypt(dst, src []byte) { s.Block.Encrypt(dst, src); s.held = append(s.held, dst) }
func (s *spy) Decrypt(dst, src []byte) { s.Block.Decrypt(dst, src); s.held = append(s.held, dst) }

// The memory in which a block was opened or made is blank as soon as the call is back.
func TestWorkIsWiped(t *testing.T) {
	pan, pin := parsePAN(t, "4012345678909"), parsePIN(t, "1234")
	for _, f := range formats() {
		in, out := side(t, f, keyA), side(t, Format0, keyB)
		spies := []*spy{{Block: in.Key.block}, {Block: out.Key.block}}
		in.Key.block, out.Key.block = spies[0], spies[1]
		tr, err := NewTranslator(in, out, Structure)
		if err != nil {
			t.Fatal(err)
		}
		block, err := in.Key.Encrypt(nil, f, pin, pan)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := in.Key.Decrypt(f, Structure, pan, block); err != nil {
			t.Fatal(err)
		}
		if _, err := tr.Translate(nil, pan, block); err != nil {
			t.Fatal(err)
		}
		block[0] ^= 1
		if _, err := tr.Translate(nil, pan, block); err == nil && f != Format1 {
			t.Fatal("a changed block is taken")
		}
		held := append(spies[0].held, spies[1].held...)
		if len(held) < 5 {
			t.Fatalf("the spies saw %d blocks", len(held))
		}
		for _, b := range held {
			if !bytes.Equal(b, make([]byte, len(b))) {
				t.Errorf("%v: something is left in memory", f)
			}
		}
	}
}

func TestTranslatorDoesNotAllocate(t *testing.T) {
	pan, pin := parsePAN(t, "4012345678909"), parsePIN(t, "1234")
	for _, from := range formats() {
		for _, to := range []Format{Format0, Format3, Format4} {
			in, out := side(t, from, keyA), side(t, to, keyB)
			tr, err := NewTranslator(in, out, Structure)
			if err != nil {
				t.Fatal(err)
			}
			block, err := in.Key.Encrypt(nil, from, pin, pan)
			if err != nil {
				t.Fatal(err)
			}
			room := make([]byte, 0, 16)
			n := testing.AllocsPerRun(1000, func() { _, err = tr.Translate(room, pan, block) })
			if n > 0 || err != nil {
				t.Errorf("%v to %v: %v allocations, %v", from, to, n, err)
			}
		}
	}
}

func TestTranslatorIsForMany(t *testing.T) {
	in, out := side(t, Format3, keyA), side(t, Format4, keyB)
	tr, err := NewTranslator(in, out, Structure)
	if err != nil {
		t.Fatal(err)
	}
	var working sync.WaitGroup
	for g := range 8 {
		working.Go(func() {
			for i := range 300 {
				pin := parsePIN(t, fmt.Sprintf("%02d%06d", g, i))
				pan := parsePAN(t, fmt.Sprintf("4539%02d%09d", g, i))
				block, err := in.Key.Encrypt(nil, Format3, pin, pan)
				if err == nil {
					block, err = tr.Translate(nil, pan, block)
				}
				if err != nil {
					t.Error(err)
					return
				}
				got, err := out.Key.Decrypt(Format4, Digits, pan, block)
				if err != nil || !got.Equal(pin) {
					t.Errorf("another PIN comes out, %v", err)
				}
			}
		})
	}
	working.Wait()
}

func BenchmarkTranslate(b *testing.B) {
	for _, c := range [][2]Format{{Format0, Format0}, {Format0, Format4}, {Format3, Format3}} {
		b.Run(fmt.Sprintf("%v to %v", c[0], c[1]), func(b *testing.B) {
			in, out := side(b, c[0], keyA), side(b, c[1], keyB)
			tr, err := NewTranslator(in, out, Structure)
			if err != nil {
				b.Fatal(err)
			}
			pan := parsePAN(b, "4012345678909")
			block, err := in.Key.Encrypt(nil, c[0], parsePIN(b, "1234"), pan)
			if err != nil {
				b.Fatal(err)
			}
			room := make([]byte, 0, 16)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := tr.Translate(room, pan, block); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
