package canary

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/klauspost/compress/s2"

	"cardswitch/conformance/ground"
	"cardswitch/store/journal"
	cardswitch "cardswitch/switch"
)

// places looks where the secrets could have got to.
type places struct {
	t      *testing.T
	canary *Canary
	looked int // bytes
}

func (p *places) look(where string, data []byte) {
	p.t.Helper()
	p.looked += len(data)
	for _, f := range p.canary.Search(where, data) {
		p.t.Error(f)
		if at := f.At; testing.Verbose() {
			p.t.Logf("%q", data[max(0, at-60):min(len(data), at+40)])
		}
	}
}

// api asks the operators' door for everything that it tells.
func (p *places) api(socket, secret string, txns []uint64) {
	p.t.Helper()
	client := &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		}}}
	defer client.CloseIdleConnections()
	paths := []string{"/metrics", "/livez", "/readyz", "/v1/status", "/v1/links", "/v1/saf",
		"/v1/worklist", "/v1/journal?from=1", "/v1/journal?from=1&declined=1", "/v1/journal/verify",
		"/v1/transactions?last4=" + secret, "/v1/transactions/" + secret,
		"/v1/transactions?rrn=" + secret, "/v1/transactions?stan=" + secret,
		"/v1/transactions?last4=" + secret[len(secret)-4:], "/v1/explain?rrn=" + secret}
	for _, txn := range txns {
		paths = append(paths, fmt.Sprintf("/v1/transactions/%d?raw=1", txn),
			fmt.Sprintf("/v1/transactions/%d/explain", txn))
	}
	for _, path := range paths {
		r, err := client.Get("http://switch" + path)
		p.answer(path, r, err)
	}
	for _, body := range []string{
		`{"pan":"` + secret + `"}`, `{"pan":"` + secret + `x"}`, `{"pan":` + secret + `}`,
		`{"pan":"` + secret + secret + `"}`, `{"mti":"` + secret + `","pan":"4"}`} {
		r, err := client.Post("http://switch/v1/route/explain", "application/json",
			strings.NewReader(body))
		p.answer("explain", r, err)
		r, err = client.Post("http://switch/v1/explain", "application/json",
			strings.NewReader(strings.Replace(body, "{", `{"why":"a test",`, 1)))
		p.answer("explain card", r, err)
		for _, path := range []string{"", "/261122115500", "/" + secret} {
			r, err = client.Post("http://switch/v1/checks"+path, "application/json",
				strings.NewReader(strings.Replace(body, `"pan":`, `"line":1,"card":`, 1)))
			p.answer("check", r, err)
		}
	}
}

func (p *places) answer(path string, r *http.Response, err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err != nil || len(body) == 0 {
		p.t.Errorf("%s: %d bytes, %v", path, len(body), err)
	}
	p.look(strings.TrimRight(path, "0123456789"), body)
}

// program runs the operators' commands.
func (p *places) program(socket, secret string, txns []uint64) {
	p.t.Helper()
	program := filepath.Join(p.t.TempDir(), "cardswitch")
	build := exec.Command("go", "build", "-o", program, "cardswitch/cmd/cardswitch")
	if out, err := build.CombinedOutput(); err != nil {
		p.t.Fatalf("%v: %s", err, out)
	}
	commands := [][]string{{"journal", "tail", "--from", "1", "--follow=false"},
		{"journal", "tail", "--from", "1", "--follow=false", "-o", "json"},
		{"journal", "show", "--last4", secret[len(secret)-4:]}, {"journal", "show", secret},
		{"journal", "show", "--last4", secret}, {"journal", "verify"}, {"link", "list"},
		{"saf", "list"}, {"worklist", "list"}, {"worklist", "list", "-o", "json"}, {"status"},
		{"status", "-o", "json"}, {"route", "explain", secret},
		{"route", "explain", secret, "-o", "json"}, {"route", "explain", secret + "x"}}
	for _, txn := range txns[:min(len(txns), 8)] {
		commands = append(commands, []string{"journal", "show", "--raw", fmt.Sprint(txn)},
			[]string{"journal", "explain", "--full", fmt.Sprint(txn)})
	}
	for _, c := range commands {
		cmd := exec.Command(program, append(c, "--socket", socket)...)
		out, err := cmd.CombinedOutput()
		if len(out) == 0 {
			p.t.Errorf("%s says nothing: %v", c, err)
		}
		p.look(c[0], out)
	}
}

// values prints what the switch exports as a careless program would.
func (p *places) values(n *ground.Node, secret string) (txns []uint64) {
	p.t.Helper()
	explained, err := n.Explain(cardswitch.Question{PAN: secret})
	if err != nil {
		p.t.Error(err)
	}
	list, err := n.WorkList()
	if err != nil || len(list) == 0 {
		p.t.Errorf("the work list has %d entries, %v", len(list), err)
	}
	for name, v := range map[string]any{"status": n.Status(), "links": n.Links(),
		"queues": n.Queues(), "worklist": list, "explanation": explained} {
		p.look(name, fmt.Appendf(nil, "%v %+v %#v", v, v, v))
	}
	if n.Status().Counts.TimedOut == 0 {
		p.t.Error("no sale timed out")
	}
	kinds := make(map[journal.Kind]int)
	err = n.Journal().Replay(1, func(r *journal.Record) error {
		kinds[r.Kind]++
		if r.Txn == 0 || r.Txn == r.Seq {
			txns = append(txns, r.Seq)
		}
		p.look("a record", fmt.Appendf(nil, "%v %+v %#v", *r, *r, *r))
		for i := range r.Images[:r.ImageCount] {
			p.look(fmt.Sprintf("image %s of record %d, %s", r.Images[i].Role, r.Seq, r.MTI),
				r.Images[i].Data)
		}
		return nil
	})
	if err != nil {
		p.t.Error(err)
	}
	for _, k := range []journal.Kind{journal.Opened, journal.Closed, journal.Settled,
		journal.Delivered, journal.Shelved, journal.Late, journal.Repeated, journal.Event} {
		if kinds[k] == 0 {
			p.t.Errorf("no record is %s: the traffic shows less than it should", k)
		}
	}
	return txns
}

// tables reads everything that the store's databases hold, decompressed.
func (p *places) tables(dir string) {
	p.t.Helper()
	chunks := 0
	for _, name := range []string{"journal", "index"} {
		db, err := pebble.Open(filepath.Join(dir, name), &pebble.Options{ReadOnly: true,
			Logger: silent{}})
		if err != nil {
			p.t.Fatal(err)
		}
		iter, err := db.NewIter(nil)
		if err != nil {
			p.t.Fatal(err)
		}
		for iter.First(); iter.Valid(); iter.Next() {
			key, value := iter.Key(), iter.Value()
			p.look(name+" key", bytes.Clone(key))
			p.look(name+" value", value)
			if name == "journal" && key[0] == 'j' {
				chunks++
				p.look("a chunk", body(p.t, value))
			}
		}
		if err := iter.Close(); err != nil {
			p.t.Error(err)
		}
		if err := db.Close(); err != nil {
			p.t.Error(err)
		}
	}
	if chunks < 10 {
		p.t.Errorf("%d chunks read: the test looks in the wrong place", chunks)
	}
}

// body is the records of a chunk, decompressed; see package journal for where they stand.
func body(t *testing.T, chunk []byte) []byte {
	t.Helper()
	raw, stored := binary.BigEndian.Uint32(chunk[62:]), binary.BigEndian.Uint32(chunk[66:])
	b := chunk[82:][:stored]
	if chunk[1]&1 != 0 {
		var err error
		if b, err = s2.Decode(nil, b); err != nil {
			t.Fatal(err)
		}
	}
	if len(b) != int(raw) {
		t.Fatalf("a chunk's body has %d bytes, its head says %d", len(b), raw)
	}
	return b
}

type silent struct{}

func (silent) Infof(string, ...any)         {}
func (silent) Errorf(string, ...any)        {}
func (silent) Fatalf(f string, args ...any) { panic(fmt.Sprintf(f, args...)) }
