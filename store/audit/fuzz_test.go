package audit

import (
	"bytes"
	"errors"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// FuzzRecord gives a reader any line: what it takes is what would be written again.
func FuzzRecord(f *testing.F) {
	for _, line := range newSample(f, 4).lines(f) {
		f.Add(line)
	}
	f.Add([]byte(`{"seq":1}`))
	f.Add([]byte(`{"seq":18446744073709551616,"mac":""}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := parse(text)
		if err != nil {
			if !errors.Is(err, errRecord) {
				t.Fatal(err)
			}
			return
		}
		again := appendBody(nil, &r)
		if r.Event == LogAnchor {
			again = appendSignature(again, r.Signature)
			signed(text, &r, make([]byte, 32))
		}
		if again = appendMAC(again, &r.MAC); !bytes.Equal(again, text) {
			t.Fatalf("%q was read, and became %q", text, again)
		}
	})
}

// FuzzVerify puts any bytes in the place of a segment: only the very ones are found sound.
func FuzzVerify(f *testing.F) {
	s := newSample(f, 5)
	for _, name := range s.names() {
		f.Add(s.files[name])
		f.Add(s.files[name][:len(s.files[name])-1])
		f.Add(append([]byte("\n"), s.files[name]...))
	}
	f.Add([]byte{})
	first := segmentName(1)
	f.Fuzz(func(t *testing.T, data []byte) {
		disk := vfs.NewMem()
		if ok, err := vfs.Clone(s.disk, disk, "audit", "audit"); !ok || err != nil {
			t.Fatal(err)
		}
		write(t, disk, first, data)
		for _, c := range []Check{{FS: disk, Key: s.birth.Key}, {FS: disk, Public: s.birth.Public}} {
			_, err := Verify("audit", c)
			if err == nil != bytes.Equal(data, s.files[first]) {
				t.Fatalf("%d bytes were found sound: %v", len(data), err)
			}
			if err != nil && !errors.Is(err, ErrTampered) {
				t.Fatal(err)
			}
		}
		_, _ = Read("audit", Filter{FS: disk})
	})
}

// FuzzState gives a reader any bytes as the state, and any as a key file.
func FuzzState(f *testing.F) {
	key := randomKey()
	st := state{chain: newChain(key, nil), segment: 0, size: 7}
	disk := vfs.NewMem()
	if err := errors.Join(disk.MkdirAll("audit", 0o700), st.save(disk, "audit")); err != nil {
		f.Fatal(err)
	}
	text, _ := disk.UnsafeGetFileDataBuffer("audit/" + stateName)
	f.Add(bytes.Clone(text[:bytes.IndexByte(text, '\n')]))
	birth := Birth{make([]byte, 32), key}
	file, _ := birth.Export(nil)
	f.Add(file)
	f.Fuzz(func(t *testing.T, data []byte) {
		if st, err := parseState(data); err == nil && (st.next == 0 || st.size < 0) {
			t.Fatal("a state that no log has")
		}
		if b, err := ParseBirth(data, nil); err == nil {
			file, err := b.Export(nil)
			if again, e := ParseBirth(file, nil); err != nil || e != nil || again.Key != b.Key {
				t.Fatal(err, e)
			}
		}
	})
}
