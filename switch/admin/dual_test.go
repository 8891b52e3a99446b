package admin

import (
	"bytes"
	"net/http"
	"path/filepath"
	"testing"

	"cardswitch/hsm/keyring/master"
	cardswitch "cardswitch/switch"
	"cardswitch/switch/keys"
)

// productionOffice has a master key of a ceremony.
func productionOffice(t *testing.T) *office {
	dir := t.TempDir()
	config := cardswitch.Config{Production: true, Data: cardswitch.DataConfig{Dir: dir},
		Keys: cardswitch.KeysConfig{Module: cardswitch.ModuleSoft, Store: filepath.Join(dir, "keys"),
			Master: filepath.Join(dir, "master.key")}}
	words := []byte("correct horse battery")
	work := keys.MasterWork(&config, words, func() {})
	if _, err := work.Form(t.Context(), [][]byte{bytes.Repeat([]byte{1}, master.Size),
		bytes.Repeat([]byte{2}, master.Size)}); err != nil {
		t.Fatal(err)
	}
	if _, err := work.Activate(t.Context(), "dave", "carol", "1"); err != nil {
		t.Fatal(err)
	}
	o := &office{t: t, audit: &notes{}}
	return openOffice(t, o, config, keys.Options{Passphrase: words, Audit: o.audit})
}

// Every role at every step of every purpose in production: who made a key on which others depend
// doesn't serve it, and who serves it doesn't make it.
func TestInProductionItTakesTwoPeople(t *testing.T) {
	o := productionOffice(t)
	erin := Person{Name: "erin", Roles: []string{cardswitch.Administrator, cardswitch.Approver}}
	for _, c := range []struct {
		who              Person
		path, body, what string
		want             int
	}{
		{dave, "generate", `{"slot":"kbpk:a","why":"x"}`, "a KBPK alone", http.StatusConflict},
		{dave, "import", `{"slot":"kbpk:a","under":1,"block":"D","why":"x"}`, "a KBPK in a block",
			http.StatusConflict},
		{carol, "generate", `{"slot":"kek","why":"x"}`, "made by an approver", http.StatusForbidden},
		{alice, "generate", `{"slot":"kek","why":"x"}`, "made by a custodian", http.StatusForbidden},
		{dave, "generate", `{"slot":"kek","serve":true,"why":"x"}`, "made and served",
			http.StatusConflict},
		{dave, "generate", `{"slot":"kek","why":"x"}`, "made", http.StatusOK},
		{dave, "step/serve", `{"key":"kek@1","why":"x"}`, "served by its maker", http.StatusForbidden},
		{dave, "step/confirm", `{"key":"kek@1","why":"x"}`, "confirmed by its maker",
			http.StatusForbidden},
		{alice, "step/serve", `{"key":"kek@1","why":"x"}`, "served by a custodian",
			http.StatusForbidden},
		{Person{Name: "dave", Roles: []string{cardswitch.Approver}}, "step/serve",
			`{"key":"kek@1","why":"x"}`, "served by its maker in a new role", http.StatusConflict},
		{carol, "step/serve", `{"key":"kek@1","why":"x"}`, "served by an approver", http.StatusOK},
		{carol, "step/retire", `{"key":"kek@1","why":"x"}`, "retired by an approver",
			http.StatusForbidden},
		{dave, "step/retire", `{"key":"kek@1","why":"x"}`, "retired", http.StatusOK},
		{erin, "generate", `{"slot":"bdk:a","why":"x"}`, "made by one of both roles", http.StatusOK},
		{erin, "step/serve", `{"key":"bdk:a@1","why":"x"}`, "served by its maker of both roles",
			http.StatusConflict},
		{carol, "step/serve", `{"key":"bdk:a@1","why":"x"}`, "served by another", http.StatusOK},
		{dave, "generate", `{"slot":"zek:a/b","serve":true,"why":"x"}`, "a link key", http.StatusOK},
		{carol, "step/retire", `{"key":"zek:a/b@1","why":"x"}`, "a link key by an approver",
			http.StatusForbidden},
	} {
		if status, text := o.ask(c.who, "/v1/keys/"+c.path, c.body, nil); status != c.want {
			t.Errorf("%s, %s: %d %s", c.what, c.who.Name, status, text)
		}
	}
}

// A test installation stays simple: its owner may do it all.
func TestInATestOneIsEnough(t *testing.T) {
	o := newOffice(t)
	root := Person{Name: "root", Owner: true}
	for _, slot := range []string{"kbpk:a", "bdk:a", "kek"} {
		o.must(root, "/v1/keys/generate", `{"slot":"`+slot+`","serve":true,"why":"x"}`, nil)
	}
	if status, text := o.ask(carol, "/v1/keys/step/retire", `{"key":"kek@1","why":"x"}`,
		nil); status != http.StatusForbidden {
		t.Errorf("an approver retires: %d %s", status, text)
	}
}
