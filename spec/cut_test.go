package spec_test

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"cardswitch/spec"
	"cardswitch/spec/dialect"
)

// withCheckDigit makes a card number of other digits by adding the right last one.
func withCheckDigit(t *rapid.T, digits string) string {
	for c := byte('0'); c <= '9'; c++ {
		if p, err := spec.ParsePAN(digits + string(c)); err == nil && p.Luhn() {
			return p.Reveal()
		}
	}
	t.Fatal("no check digit")
	return ""
}

// remark writes a second card's number, between spaces, into some texts.
func (f wireFormat) remark(r *rand.Rand, c content, pan string) {
	for n, v := range c.values {
		room := len(v) - len(pan) - 2
		if f.def.Classes[n] != spec.ClassANS || n == 42 || n == 45 || room < 0 || r.IntN(2) == 0 {
			continue
		}
		copy(v[r.IntN(room+1):], " "+pan+" ")
	}
}

// TestCuts: no card's number is left in what is kept, and together with what was cut out it is the
// message again, to the byte, but for what may never be kept.
func TestCuts(t *testing.T) {
	eachFormat(t, func(t *rapid.T, f wireFormat) {
		c, pan := f.drawContent(t, "message"), drawPAN(t)
		second := withCheckDigit(t, rapid.StringMatching(`[1-9][0-9]{11,17}`).Draw(t, "second"))
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "places"), 2))
		f.hide(r, c, pan)
		f.remark(r, c, second)
		_, raw := f.pack(t, c)
		m := f.index(t, raw)
		image, cuts := m.AppendKept([]byte("before"), []byte("cuts"))
		image, cuts = image[len("before"):], cuts[len("cuts"):]
		for n := range c.values {
			is := f.index(t, image).Append(nil, n)
			if f.def.Classes[n] == spec.ClassANS && strings.Contains(string(is), " "+second+" ") {
				t.Fatalf("element %d shows the second card's number", n)
			}
			if shows(f.def.Classes[n], is, pan) {
				t.Fatalf("element %d shows the card's number", n)
			}
		}
		whole := bytes.Clone(image)
		if err := spec.PutBack(whole, cuts); err != nil {
			t.Fatal(err)
		}
		restored := f.index(t, whole)
		for n, was := range c.values {
			switch n {
			case 2, 34, 35, 36, 45, 52, 48, 55:
			default:
				if is := restored.Append(nil, n); !bytes.Equal(was, is) {
					t.Fatalf("element %d was %q and came back as %q", n, was, is)
				}
			}
		}
	})
}

// TestCutsOfADelta: the same of what a change of a message keeps.
func TestCutsOfADelta(t *testing.T) {
	eachFormat(t, func(t *rapid.T, f wireFormat) {
		c, pan := f.drawContent(t, "base"), drawPAN(t)
		second := withCheckDigit(t, rapid.StringMatching(`[1-9][0-9]{11,17}`).Draw(t, "second"))
		other := f.drawContent(t, "changes")
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "places"), 2))
		f.hide(r, c, pan)
		f.hide(r, other, pan)
		f.remark(r, other, second)
		_, raw := f.pack(t, c)
		base := f.index(t, raw)
		changed, fault := f.Append(nil, base, other.edit(t))
		if !fault.OK() {
			t.Fatal(fault)
		}
		m := f.index(t, changed)
		keptBase, baseCuts := base.AppendKept(nil, nil)
		delta, cuts := spec.AppendDelta([]byte("before"), nil, base, m)
		delta = delta[len("before"):]
		if bytes.Contains(delta, []byte(" "+second+" ")) {
			t.Fatal("the change shows the second card's number")
		}
		if err := spec.PutBack(keptBase, baseCuts); err != nil {
			t.Fatal(err)
		}
		if err := spec.PutBack(delta, cuts); err != nil {
			t.Fatal(err)
		}
		image, err := spec.ApplyDelta(nil, f.index(t, keptBase), f.Dialect, delta)
		if err != nil {
			t.Fatal(err)
		}
		restored := f.index(t, image)
		for n := m.Elements().Next(0); n != 0; n = m.Elements().Next(n) {
			switch n {
			case 2, 34, 35, 36, 45, 52, 48, 55:
			default:
				if was, is := m.Append(nil, n), restored.Append(nil, n); !bytes.Equal(was, is) {
					t.Fatalf("element %d was %q and came back as %q", n, was, is)
				}
			}
		}
	})
}

// TestCutsOfItems: in element 48 an item at a time, and what is digits by nature stays to be read.
func TestCutsOfItems(t *testing.T) {
	const other = "4111111111111111"
	for _, name := range []string{"ascii-binary", "ebcdic", "bcd-left"} {
		d, _ := financial(t, name)
		value := "0008013" + "4111111111119" + "0011018N " + other + "0012003" + "735" + "0001002" + "10"
		var e spec.Edit
		e.SetMTI(0x1200)
		e.Set(2, []byte("3530111333300000"))
		e.Set(42, []byte("371449635398431")) // a merchant's number that would pass for a card's
		e.Set(48, []byte(value))
		raw, fault := d.Append(nil, nil, &e)
		if !fault.OK() {
			t.Fatal(fault)
		}
		var m, kept spec.Message
		d.Index(&m, raw)
		image, cuts := m.AppendKept(nil, nil)
		d.Index(&kept, image)
		want := "0008013" + "4111111111119" + "0011018N " + "0000000000000000" + "0012003" + "000" +
			"0001002" + "10"
		if got := string(kept.Append(nil, 48)); got != want {
			t.Errorf("%s: kept\n%s, want\n%s", name, got, want)
		}
		if got := string(kept.Append(nil, 42)); got != "371449635398431" {
			t.Errorf("%s: the merchant's number is kept as %s", name, got)
		}
		if err := spec.PutBack(image, cuts); err != nil {
			t.Fatal(err)
		}
		d.Index(&kept, image)
		want = strings.Replace(value, "735", "000", 1) // the security code is gone for good
		if got := string(kept.Append(nil, 48)); got != want {
			t.Errorf("%s: put back\n%s, want\n%s", name, got, want)
		}
	}
}

// TestReferenceOfDigits: a retrieval reference number that is a stretch of the card's is cut out;
// any other is kept to be found by.
func TestReferenceOfDigits(t *testing.T) {
	const pan = "3530111333300000"
	p, _ := spec.ParsePAN(pan)
	for _, name := range []string{"ascii-binary", "ebcdic"} {
		d, _ := financial(t, name)
		for rrn, shown := range map[string]bool{pan[4:]: true, pan[:12]: true, "632612000123": false,
			"411111111111": false} {
			var e spec.Edit
			e.SetMTI(0x1200)
			e.Set(2, []byte(pan))
			e.Set(37, []byte(rrn))
			raw, _ := d.Append(nil, nil, &e)
			var m, kept spec.Message
			d.Index(&m, raw)
			image, cuts := m.AppendKept(nil, nil)
			d.Index(&kept, image)
			if got := string(kept.Append(nil, 37)) == "000000000000"; got != shown {
				t.Errorf("%s: %s is kept as %s", name, rrn, kept.Append(nil, 37))
			}
			if err := spec.PutBack(image, cuts); err != nil || string(kept.Append(nil, 37)) != rrn {
				t.Errorf("%s: %s comes back as %s, %v", name, rrn, kept.Append(nil, 37), err)
			}
			if p.ShownIn([]byte(rrn)) != shown {
				t.Errorf("%s: shown %v", rrn, !shown)
			}
		}
	}
}

// Damaged cuts are refused and write nowhere else.
func TestPutBackRefuses(t *testing.T) {
	for _, cuts := range []string{"\x09\x01x", "\x00\x09xxxxxxxxx", "\x00\x02x", "\x80", "\x00",
		"\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01x"} {
		if err := spec.PutBack(make([]byte, 8), []byte(cuts)); err == nil {
			t.Errorf("%q was put back", cuts)
		}
	}
}

// FuzzPutBack: no cuts make PutBack do worse than refuse them.
func FuzzPutBack(f *testing.F) {
	d, raw := financial(f, dialect.Default)
	var m spec.Message
	d.Index(&m, raw)
	image, cuts := m.AppendKept(nil, nil)
	f.Add(image, cuts)
	f.Add([]byte("12345678"), []byte("\x01\x02ab\x00\x01c"))
	f.Fuzz(func(t *testing.T, image, cuts []byte) {
		was, changed := bytes.Clone(image), 0
		if spec.PutBack(image, cuts) != nil {
			return
		}
		for i := range image {
			if image[i] != was[i] {
				changed++
			}
		}
		if changed > len(cuts) {
			t.Fatalf("%d bytes of cuts changed %d", len(cuts), changed)
		}
	})
}
