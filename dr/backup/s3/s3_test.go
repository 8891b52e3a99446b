package s3

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cardswitch/dr/backup"
	"cardswitch/dr/backup/targettest"
	"cardswitch/store"
)

func TestTarget(t *testing.T) {
	_, target := newDouble(t)
	targettest.Run(t, target)
}

func TestOverTLS(t *testing.T) {
	d := &double{t: t, objects: make(map[string][]byte), page: 4}
	server := httptest.NewTLSServer(d)
	defer server.Close()
	target := d.target(t, server.URL, doubleCredentials)
	target.o.Tries = 1
	if err := target.Put(context.Background(), "a", nil); err == nil {
		t.Error("a store that nobody vouches for was taken")
	}
	trusting := target.o
	trusting.HTTP = server.Client()
	target, err := New(trusting)
	if err != nil {
		t.Fatal(err)
	}
	if err := target.Put(context.Background(), "a", []byte("b")); err != nil {
		t.Error(err)
	}
}

// Faults that pass cost time; those that don't are told at once, with what the store says.
func TestFaults(t *testing.T) {
	ctx := context.Background()
	for _, c := range []struct {
		name  string
		fault func(asked int, w http.ResponseWriter, r *http.Request) bool
		asked int // 0: it comes to nothing
		says  string
	}{
		{"busy", func(asked int, w http.ResponseWriter, _ *http.Request) bool {
			if asked < 4 {
				http.Error(w, "<Error><Code>SlowDown</Code></Error>", http.StatusServiceUnavailable)
			}
			return asked < 4
		}, 4, ""},
		{"always busy", func(_ int, w http.ResponseWriter, _ *http.Request) bool {
			http.Error(w, "<html>gateway</html>", http.StatusBadGateway)
			return true
		}, 0, "502 Bad Gateway"},
		{"cut off", func(asked int, w http.ResponseWriter, _ *http.Request) bool {
			if asked < 3 {
				w.Header().Set("Content-Length", "1000")
				_, _ = w.Write([]byte("half"))
				_ = http.NewResponseController(w).Flush()
				panic(http.ErrAbortHandler)
			}
			return asked < 3
		}, 3, ""},
		{"silent", func(asked int, _ http.ResponseWriter, r *http.Request) bool {
			if asked < 2 {
				<-r.Context().Done()
			}
			return asked < 2
		}, 2, ""},
		{"another region", func(_ int, w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("X-Amz-Bucket-Region", "ap-northeast-1")
			w.Header().Set("Location", "https://elsewhere.example.com/")
			w.WriteHeader(http.StatusMovedPermanently)
			return true
		}, 0, "region ap-northeast-1"},
	} {
		d, target := newDouble(t)
		d.objects["tokyo 1/a"] = []byte("object")
		d.fault = c.fault
		target.o.Patience = 300 * time.Millisecond
		if c.name == "silent" {
			target.o.Patience = 100 * time.Millisecond
		}
		got, err := target.Get(ctx, "a")
		switch {
		case c.asked == 0:
			if err == nil || !strings.Contains(err.Error(), c.says) || errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s: %v", c.name, err)
			}
		case err != nil || string(got) != "object" || d.asked < c.asked:
			t.Errorf("%s: %q after %d requests, %v", c.name, got, d.asked, err)
		}
	}
}

func TestRefusals(t *testing.T) {
	ctx := context.Background()
	d, target := newDouble(t)
	wrong := target.o
	wrong.Credentials.Secret = "another"
	stranger, err := New(wrong)
	if err != nil {
		t.Fatal(err)
	}
	if err := stranger.Put(ctx, "a", nil); err == nil ||
		!strings.Contains(err.Error(), "SignatureDoesNotMatch") || d.asked != 1 ||
		strings.Contains(err.Error(), "another") {
		t.Errorf("%v after %d requests", err, d.asked)
	}
	wrong = target.o
	wrong.Bucket = "none"
	lost, err := New(wrong)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lost.Get(ctx, "a"); err == nil || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no bucket: %v", err)
	}
}

// books is a journal that is a file.
type books struct{ text []byte }

// Checkpoint writes it.
func (b books) Checkpoint(dir string) (store.Mark, error) {
	err := os.MkdirAll(dir, 0o700)
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "000001.sst"), b.text, 0o600)
	}
	return store.Mark{First: 1, Last: 7}, err
}

// A backup to a store that fails now and then is whole, and comes back byte for byte.
func TestBackupToAStoreThatFails(t *testing.T) {
	ctx := context.Background()
	d, target := newDouble(t)
	d.fault = func(asked int, w http.ResponseWriter, r *http.Request) bool {
		switch asked % 5 {
		case 1:
			w.WriteHeader(http.StatusServiceUnavailable)
			return true
		case 3:
			panic(http.ErrAbortHandler)
		}
		return false
	}
	key, err := backup.NewKey(make([]byte, backup.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	r, err := backup.Open(ctx, target, key, true)
	if err != nil {
		t.Fatal(err)
	}
	noise := make([]byte, 9<<20)
	for i := range noise {
		noise[i] = byte(i * i >> 7)
	}
	source := &backup.Source{Journal: books{noise}, Scratch: filepath.Join(t.TempDir(), "scratch")}
	m, err := r.Create(ctx, source, backup.Options{})
	if err != nil {
		t.Fatal(err)
	}
	again, err := r.Create(ctx, source, backup.Options{})
	if err != nil || again.Copied > 1000 {
		t.Errorf("again %d bytes were copied: %v", again.Copied, err)
	}
	into := filepath.Join(t.TempDir(), "restored")
	if err := r.Restore(ctx, &m, into, nil, nil); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(into, "journal", "000001.sst"))
	if err != nil || !bytes.Equal(text, noise) {
		t.Errorf("%d bytes came back, %v", len(text), err)
	}
	if p, err := r.Prune(ctx, backup.Keep{Last: 1}, false); err != nil || len(p.Removed) != 1 {
		t.Errorf("%+v, %v", p, err)
	}
	for name := range d.objects {
		if strings.HasPrefix(name, "tokyo 1/claims/") {
			t.Errorf("%s was left", name)
		}
	}
}
