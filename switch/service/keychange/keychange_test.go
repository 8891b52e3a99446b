package keychange

import (
	"errors"
	"testing"

	"cardswitch/hsm/keyring"
)

func TestOrdersOfAllKeys(t *testing.T) {
	for _, slot := range []keyring.Slot{
		{Purpose: keyring.ZEK, Center: "sakura", Link: "primary"},
		{Purpose: keyring.ZPK, Center: "sakura", Direction: keyring.Out},
		{Purpose: keyring.ZPK, Center: "sakura", Direction: keyring.In},
		{Purpose: keyring.ZAK, Center: "sakura", Direction: keyring.Out},
		{Purpose: keyring.Data, Center: "sakura", Direction: keyring.In},
	} {
		o := Sent(keyring.ID{Slot: slot, Generation: 0x1234})
		b := o.Append(nil)
		got, err := Parse(b)
		if err != nil || got != o || len(b) != Size {
			t.Fatalf("%s: %v, %v, want %v", slot, got, err, o)
		}
		// What we protect, the other side finds in its slot of what its partner protects.
		there := got.Slot("us", "primary")
		want := slot
		want.Center = "us"
		switch slot.Direction {
		case keyring.Out:
			want.Direction = keyring.In
		case keyring.In:
			want.Direction = keyring.Out
		}
		if there != want {
			t.Errorf("%s is %s there, want %s", slot, there, want)
		}
	}
}

func TestOrdersThatAreNone(t *testing.T) {
	for name, c := range map[string]struct {
		b    []byte
		want error
	}{
		"empty":              {nil, ErrLayout},
		"short":              {[]byte{1, 3, 3, 0, 1}, ErrLayout},
		"long":               {[]byte{1, 3, 3, 0, 0, 1, 0}, ErrLayout},
		"another layout":     {[]byte{2, 3, 3, 0, 0, 1}, ErrLayout},
		"reserved":           {[]byte{1, 3, 3, 1, 0, 1}, ErrLayout},
		"no purpose":         {[]byte{1, 0, 3, 0, 0, 1}, ErrPurpose},
		"unknown purpose":    {[]byte{1, 5, 3, 0, 0, 1}, ErrPurpose},
		"link key, one way":  {[]byte{1, 3, 1, 0, 0, 1}, ErrWay},
		"PIN key, both ways": {[]byte{1, 1, 3, 0, 0, 1}, ErrWay},
		"no direction":       {[]byte{1, 1, 0, 0, 0, 1}, ErrWay},
		"unknown direction":  {[]byte{1, 1, 4, 0, 0, 1}, ErrWay},
	} {
		if o, err := Parse(c.b); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, %v, want %v", name, o, err, c.want)
		}
	}
}

// What is read is written the same, and its slot is one that may be.
func FuzzParse(f *testing.F) {
	f.Add([]byte{1, 3, 3, 0, 0, 1})
	f.Add([]byte{1, 1, 2, 0, 255, 255})
	f.Fuzz(func(t *testing.T, b []byte) {
		o, err := Parse(b)
		if err != nil {
			return
		}
		if string(o.Append(nil)) != string(b) {
			t.Fatalf("%x is written as %x", b, o.Append(nil))
		}
		if err := o.Slot("c", "l").Validate(); err != nil {
			t.Fatalf("%x: %v", b, err)
		}
	})
}
