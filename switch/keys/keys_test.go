package keys

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"cardswitch/hsm/keyring"
	"cardswitch/hsm/keyring/master"
	cardswitch "cardswitch/switch"
)

var tester = keyring.By{Who: "alice", Role: "owner", Why: "a test"}

func configuration(dir string) *cardswitch.Config {
	c := cardswitch.Defaults()
	c.Data.Dir = dir
	c.Complete()
	return &c
}

func open(t *testing.T, c *cardswitch.Config, o Options) *Keys {
	t.Helper()
	k, err := Open(t.Context(), c, o)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func generate(t *testing.T, k *Keys, name string) keyring.Record {
	t.Helper()
	slot, err := keyring.ParseSlot(name)
	if err != nil {
		t.Fatal(err)
	}
	r, err := k.Generate(t.Context(), tester, keyring.Plan{Slot: slot})
	if err == nil {
		r, err = k.Serve(t.Context(), tester, r.ID)
	}
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestKeysOutliveTheProcess(t *testing.T) {
	c := configuration(t.TempDir())
	k := open(t, c, Options{})
	made := generate(t, k, "zek:sakura/a")
	first, _ := k.PRF("sakura/a", 1, time.Second)
	secret, err := first.PRF([]byte("once"))
	if err != nil {
		t.Fatal(err)
	}
	if err := k.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := first.PRF([]byte("once")); err == nil {
		t.Error("a closed module answers")
	}
	k = open(t, c, Options{})
	defer k.Close()
	again, ok := k.PRF("sakura/a", 1, time.Second)
	if same, err := again.PRF([]byte("once")); !ok || err != nil || same != secret {
		t.Errorf("another key after a restart: %v, %v", ok, err)
	}
	if got, _ := k.Set().Get(made.ID); got.State != keyring.Sending {
		t.Errorf("it is %s after a restart", got.State)
	}
}

func TestAnotherMasterKeyOpensNothing(t *testing.T) {
	c := configuration(t.TempDir())
	k := open(t, c, Options{})
	generate(t, k, "kek")
	if err := errors.Join(k.Close(), os.Remove(c.Keys.Master)); err != nil {
		t.Fatal(err)
	}
	_, err := Open(t.Context(), c, Options{})
	if err == nil || !strings.Contains(err.Error(), "hint") {
		t.Errorf("got %v", err)
	}
}

// In production nothing opens before several people made the master key.
func TestProductionWaitsForItsMasterKey(t *testing.T) {
	c := configuration(t.TempDir())
	c.Production = true
	words := []byte("correct horse battery")
	if _, err := Open(t.Context(), c, Options{Passphrase: words}); !errors.Is(err, ErrNoMaster) {
		t.Fatal(err)
	}
	made := false
	work := MasterWork(c, words, func() { made = true })
	parts := [][]byte{bytes.Repeat([]byte{1}, master.Size), bytes.Repeat([]byte{2}, master.Size)}
	if _, err := work.Form(t.Context(), parts); err != nil {
		t.Fatal(err)
	}
	if _, err := work.Activate(t.Context(), "dave", "carol", "1"); err != nil || !made {
		t.Fatal(made, err)
	}
	if _, err := Open(t.Context(), c, Options{}); err == nil {
		t.Error("it opens without its passphrase")
	}
	k := open(t, c, Options{Passphrase: words})
	defer k.Close()
	if _, err := k.Reveal(t.Context(), tester, generate(t, k, "zek:a/b").ID); !errors.Is(err,
		keyring.ErrProduction) {
		t.Errorf("production reveals a key: %v", err)
	}
	slot, _ := keyring.ParseSlot("zek:a/c")
	if _, err := k.FormInClear(t.Context(), tester, keyring.Plan{Slot: slot},
		[]string{strings.Repeat("01", 32), strings.Repeat("02", 32)}); !errors.Is(err,
		keyring.ErrProduction) {
		t.Errorf("production takes a clear key: %v", err)
	}
}

// What has a date is done at its date; what people must do is said once.
func TestTend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := configuration(t.TempDir())
		k := open(t, c, Options{})
		old := generate(t, k, "zek:sakura/a")
		generate(t, k, "zek:sakura/a")
		var said bytes.Buffer
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			k.Tend(ctx, slog.New(slog.NewTextHandler(&said, nil)))
		}()
		time.Sleep(26 * time.Hour)
		cancel()
		<-done
		if r, _ := k.Set().Get(old.ID); r.State != keyring.Destroyed {
			t.Errorf("the old generation is %s", r.State)
		}
		if n := strings.Count(said.String(), "due=rotate"); n != 1 {
			t.Errorf("rotation is said %d times: %s", n, said.String())
		}
		if err := k.Close(); err != nil {
			t.Error(err)
		}
	})
}
