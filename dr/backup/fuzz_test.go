package backup

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
)

func fuzzKey(t testing.TB) *Key {
	key, err := NewKey(make([]byte, KeySize))
	must(t, err)
	return key
}

// memory is a target of one goroutine that has objects only.
type memory map[string][]byte

func (m memory) Put(_ context.Context, name string, object []byte) error {
	m[name] = object
	return nil
}

func (m memory) Get(_ context.Context, name string) ([]byte, error) {
	if object, ok := m[name]; ok {
		return object, nil
	}
	return nil, fs.ErrNotExist
}

func (m memory) Size(context.Context, string) (int64, error) { return 0, fs.ErrNotExist }

func (m memory) List(context.Context, string, func(Listed) error) error { return nil }

func (m memory) Remove(_ context.Context, name string) error {
	delete(m, name)
	return nil
}

func (m memory) String() string { return "memory" }

// FuzzOpen: what isn't an object opens as nothing, and never takes more memory than a block.
func FuzzOpen(f *testing.F) {
	key := fuzzKey(f)
	object, err := key.Seal("objects/a", bytes.Repeat([]byte("block "), 100))
	must(f, err)
	f.Add("objects/a", object)
	f.Add("objects/b", object)
	f.Add("a", []byte(magic))
	f.Fuzz(func(t *testing.T, name string, object []byte) {
		content, err := key.Open(name, object)
		if err != nil {
			return
		}
		again, err := key.Seal(name, content)
		if err != nil || len(content) > BlockSize {
			t.Fatalf("%d bytes were opened, %v", len(content), err)
		}
		if got, err := key.Open(name, again); err != nil || !bytes.Equal(got, content) {
			t.Fatalf("it came back as something else, %v", err)
		}
	})
}

// FuzzListing: whatever a list of files says, nothing of it goes outside the restored folder.
func FuzzListing(f *testing.F) {
	line, err := json.Marshal(&File{Name: "journal/000001.sst", Size: 7,
		Blocks: []string{strings.Repeat("0a", 32)}})
	must(f, err)
	f.Add(line)
	f.Add(bytes.Replace(line, []byte("journal"), []byte("../.."), 1))
	f.Add(append(append(line, '\n'), line...))
	f.Fuzz(func(t *testing.T, text []byte) {
		files, err := parseListing(text)
		if err != nil {
			return
		}
		for i := range files {
			to := filepath.Join("/restored", filepath.FromSlash(files[i].Name))
			if !strings.HasPrefix(to, "/restored/") {
				t.Fatalf("%q goes to %s", files[i].Name, to)
			}
			for _, b := range files[i].Blocks {
				if name := objectName(b); strings.Contains(name, "..") || len(name) != 75 {
					t.Fatalf("block %q is object %q", b, name)
				}
			}
		}
	})
}

// FuzzManifest: a manifest is taken only under its own ID.
func FuzzManifest(f *testing.F) {
	text, err := json.Marshal(&Manifest{Version: manifestVersion, ID: "a"})
	must(f, err)
	f.Add("a", text)
	f.Add("b", text)
	f.Fuzz(func(t *testing.T, id string, text []byte) {
		m, err := parseManifest(id, text)
		if err == nil && (m.ID != id || m.Version != manifestVersion) {
			t.Fatalf("%q was taken for %q", m.ID, id)
		}
	})
}

// FuzzEntries: entries that are spread over blocks come back as they were; what is cut is damage.
func FuzzEntries(f *testing.F) {
	f.Add([]byte("one two three"), uint8(3), uint8(5))
	f.Add([]byte{0xff, 0xff, 0xff}, uint8(1), uint8(0))
	key := fuzzKey(f)
	f.Fuzz(func(t *testing.T, text []byte, size, cut uint8) {
		r := &Repository{target: make(memory), key: key}
		var want [][]byte
		var stream []byte
		for rest := text; len(rest) > 0; {
			n := min(len(rest), int(size)%7)
			want = append(want, rest[:n])
			stream = append(binary.AppendUvarint(stream, uint64(n)), rest[:n]...)
			rest = rest[max(n, 1):]
		}
		whole := int(cut) >= len(stream)
		stream = stream[:min(len(stream), int(cut))]
		e := entries{ctx: context.Background(), r: r}
		for len(stream) > 0 {
			n := min(len(stream), 1+int(size)%5)
			name := r.key.nameOf(stream[:n])
			_, err := r.write(e.ctx, objectName(name), stream[:n])
			must(t, err)
			e.blocks, stream = append(e.blocks, name), stream[n:]
		}
		for i := 0; ; i++ {
			data, err := e.next()
			switch {
			case errors.Is(err, io.EOF) && (whole && i == len(want) || !whole && i <= len(want)):
				return
			case errors.Is(err, ErrDamaged) && !whole:
				return
			case err != nil || i >= len(want) || !bytes.Equal(data, want[i]):
				t.Fatalf("entry %d is %q, %v", i, data, err)
			}
		}
	})
}
