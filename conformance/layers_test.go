package conformance

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

// levels orders the top folders: one imports only what stands on a lower level, or its own.
// dr stands beside switch, so neither may import the other; only cmd wires the two.
func levels() map[string]int {
	return map[string]int{
		"spec": 0, "routing": 1, "hsm": 1, "store": 2, "switch": 3, "dr": 3,
		"conformance": 4, "cmd": 5,
	}
}

func top(dir string) string {
	first, _, _ := strings.Cut(dir, "/")
	return first
}

// under reports whether a folder is one of the given ones or below it.
func under(dir string, folders ...string) bool {
	return slices.ContainsFunc(folders, func(f string) bool {
		return dir == f || strings.HasPrefix(dir, f+"/")
	})
}

func TestImportsGoOneWay(t *testing.T) {
	level := levels()
	for _, s := range house(t) {
		from, known := level[top(s.dir())]
		if !known {
			t.Errorf("%s: the design has no folder %s", s.path, top(s.dir()))
		}
		for _, i := range s.imports {
			dir, ours := strings.CutPrefix(i, module+"/")
			if !ours || top(dir) == top(s.dir()) {
				continue
			}
			if level[top(dir)] >= from {
				t.Errorf("%s imports %s, which stands above it or beside it", s.path, dir)
			}
		}
	}
}

// Some libraries have one user, so that they can be replaced, and so that one place knows them.
func TestLibrariesHaveTheirPlace(t *testing.T) {
	places := []struct {
		library string
		folders []string
	}{
		{"github.com/moov-io/iso8583-connection", []string{"conformance"}},
		{"github.com/moov-io/iso8583", []string{"spec", "conformance"}},
		{"github.com/cockroachdb/pebble", []string{"store"}},
		{"github.com/spf13/viper", []string{"cmd/cardswitch"}},
		{"github.com/spf13/cobra", []string{"cmd/cardswitch"}},
		{"charm.land/", []string{"cmd/cardswitch"}},
		{"go.etcd.io/raft", []string{"store", "dr/replica"}},
		{"github.com/miekg/pkcs11", []string{"hsm/pkcs11"}},
		{"github.com/prometheus/", []string{"switch", "cmd/cardswitch", "conformance/ground"}},
	}
	for _, s := range house(t) {
		for _, i := range s.imports {
			for _, p := range places {
				if !strings.HasPrefix(i, p.library) {
					continue
				}
				// A test may read what another package wrote with the library it was written with.
				if !under(s.dir(), p.folders...) && !s.isTest() {
					t.Errorf("%s imports %s, which only %v may", s.path, i, p.folders)
				}
				break // the first and longest name counts
			}
		}
	}
}

// Inside switch: txn knows none of the others, a service knows txn alone, link knows no service,
// the root knows them all but not admin, which looks at it from outside.
func TestLayersOfSwitch(t *testing.T) {
	for _, s := range house(t) {
		if top(s.dir()) != "switch" || s.isTest() {
			continue
		}
		for _, i := range s.imports {
			dir, ours := strings.CutPrefix(i, module+"/")
			if !ours || top(dir) != "switch" || dir == s.dir() {
				continue
			}
			allowed := true
			switch {
			case under(s.dir(), "switch/txn"):
				allowed = under(dir, "switch/txn")
			case under(s.dir(), "switch/service", "switch/standin"):
				allowed = under(dir, "switch/txn") || under(dir, s.dir())
			case under(s.dir(), "switch/link", "switch/saf", "switch/settle"):
				own := strings.Join(strings.Split(s.dir(), "/")[:2], "/")
				allowed = under(dir, "switch/txn", own)
			case under(s.dir(), "switch/door"):
				allowed = under(dir, "switch/link")
			case s.dir() == "switch":
				allowed = !under(dir, "switch/admin", "switch/door")
			}
			if !allowed {
				t.Errorf("%s imports %s: see DESIGN section 3", s.path, dir)
			}
		}
	}
}

// The simulators are a second implementation: they share no code with what they test.
func TestTheOtherEndIsIndependent(t *testing.T) {
	folders := []string{
		"conformance/format", "conformance/wire", "conformance/match", "conformance/ledger",
		"conformance/issuer", "conformance/pos", "conformance/scenario", "conformance/suite",
		"conformance/envelope", "conformance/cmac", "conformance/keyblock", "conformance/keychange",
	}
	for _, s := range house(t) {
		if !under(s.dir(), folders...) || s.isTest() {
			continue
		}
		for _, i := range s.imports {
			if dir, ours := strings.CutPrefix(i, module+"/"); ours && top(dir) != "conformance" {
				t.Errorf("%s imports %s: the two ends must not share a bug", s.path, dir)
			}
		}
	}
}

// moov's own Send, Reply, Pool and server hang or crash on the money path (reference peers.md
// 2.4), so the simulators use the connection only through package wire.
func TestConnectionIsUsedInOnePlace(t *testing.T) {
	for _, s := range house(t) {
		for _, i := range s.imports {
			if strings.HasPrefix(i, "github.com/moov-io/iso8583-connection") &&
				s.dir() != "conformance/wire" && s.dir() != "conformance/load/baseline" {
				t.Errorf("%s imports %s; use conformance/wire", s.path, i)
			}
		}
	}
}

func TestNobodyReflects(t *testing.T) {
	for _, s := range house(t) {
		if slices.Contains(s.imports, "reflect") && !s.isTest() && s.dir() != "cmd/cardswitch" {
			t.Errorf("%s imports reflect", s.path)
		}
	}
}

// What is secret or must not be guessed comes from the system's generator (PCI PIN requirement 5).
// A pool's jitter is no secret.
func TestSecretsAreRandom(t *testing.T) {
	folders := []string{"hsm", "store/vault", "store/audit", "store/journal", "switch/security"}
	for _, s := range house(t) {
		if s.isTest() || !under(s.dir(), folders...) || s.dir() == "hsm/payshield" {
			continue
		}
		for _, i := range s.imports {
			if strings.HasPrefix(i, "math/rand") {
				t.Errorf("%s imports %s; use crypto/rand", s.path, i)
			}
		}
	}
}

// Codes, tags, proofs and check values are compared in constant time: a comparison that ends at the
// first difference tells who guesses how far he is.
func TestCodesAreComparedInConstantTime(t *testing.T) {
	folders := []string{"hsm", "store/vault", "store/audit", "switch"}
	compared := `(?i)\bbytes\.(Equal|Compare)\([^)]*\b\w*(mac|tag|code|proof|check|kcv|digest)\b`
	secret := regexp.MustCompile(compared)
	for _, s := range house(t) {
		// moduletest is only there for tests; a record of the audit log is compared with its own text.
		if s.isTest() || !under(s.dir(), folders...) || s.dir() == "hsm/moduletest" ||
			s.path == "store/audit/record.go" {
			continue
		}
		for n, line := range strings.Split(string(s.text), "\n") {
			if secret.MatchString(line) {
				t.Errorf("%s:%d: use crypto/subtle: %s", s.path, n+1, strings.TrimSpace(line))
			}
		}
	}
}
