package routing

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A bad table names every fault, each with its line and what to do.
var badTables = []struct{ name, text, want string }{
	{"nothing", "", "t: no ranges (hint: write at least one entry under ranges:)"},
	{"not YAML", "ranges:\n  - {from: \"1\n", "t:2: not YAML: found unexpected end of stream" +
		" (hint: ranges are indented under ranges:, one a line)"},
	{"another file", "routes: []\n", `
t:1: unknown key "routes" (hint: known keys: ranges)`},
	{"a list on top", "- a\n",
		"t:1: not a list of keys and values (hint: known keys: ranges)"},
	{"two documents", "ranges: [{any: true, destinations: [a]}]\n---\nranges: []\n",
		"t:2: a second document (hint: put all ranges into one)"},
	{"a range too short", `ranges: [{prefix: "45391", destinations: [a]}]`,
		rangeFault("5 digits, must be 6 to 19")},
	{"a range too long", `ranges: [{prefix: "45391234000000080000", destinations: [a]}]`,
		rangeFault("20 digits, must be 6 to 19")},
	{"letters", `ranges: [{prefix: "45391x", destinations: [a]}]`,
		rangeFault("must be digits only")},
	{"from above to", `ranges: [{from: "453912", to: "453911", destinations: [a]}]`,
		rangeFault("from is above to")},
	{"unequal ends", `ranges: [{from: "453912", to: "45391234", destinations: [a]}]`,
		rangeFault("from has 6 digits, to has 8")},
	{"a range in two ways", `ranges: [{from: "453912", prefix: "453912", destinations: [a]}]`,
		"t:1: the range isn't given in one way " +
			"(hint: give from and to, or prefix, or any: true)"},
	{"unknown keys", `
ranges:
  - {any: true, destination: [a], when: {currency: "392", mti: ["1200"]}}`, `
t:3: unknown key "destination" (hint: known keys: from, to, prefix, any, luhn, scheme, ` +
		`destinations, effective, until, when)
t:3: no destinations (hint: write destinations: [center])
t:3: unknown key "currency" (hint: known keys: mti, processing, acquirers, amount, categories, ` +
		`company, kid, merchants)`},
	{"a key twice", `ranges: [{any: true, any: true, destinations: [a]}]`,
		"t:1: any is given twice (hint: keep one of them)"},
	{"unknown destination", `ranges: [{any: true, destinations: [a, c, a]}]`, `
t:1: unknown destination "c" (hint: known: a, b)
t:1: destination "a" is given twice (hint: keep the first)`},
	{"no destination", `ranges: [{any: true, destinations: []}]`,
		"t:1: an empty list (hint: name at least one, or leave the key out)"},
	{"dates", `
ranges:
  - any: true
    destinations: [a]
    effective: 2026-01-01
  - any: true
    destinations: [a]
    effective: 2026-01-01T00:00:00+09:00
    until: 2025-12-31T15:00:00Z`, `
t:5: not a time with its zone (hint: write it as 2026-04-01T00:00:00+09:00)
t:9: until isn't after effective (hint: exchange the two dates)`},
	{"conditions", `
ranges:
  - any: true
    destinations: [a]
    luhn: maybe
    when:
      mti: ["1400", "1201"]
      processing: ["2", "200"]
      acquirers: ["123456789012"]
      amount: {min: 2, max: 1}
      categories: ["541"]
      company: ["00000"]
      kid: "739"
      merchants: [hq]
  - any: true
    destinations: [a]
    when: {}`, `
t:5: neither true nor false (hint: write true or false)
t:7: unknown message type (hint: write it as "1200")
t:7: 1201 is a repeat, which goes where its first message went (hint: write "1200")
t:8: not a processing code (hint: give its first 2, 4 or all 6 digits, as "20")
t:8: not a processing code (hint: give its first 2, 4 or all 6 digits, as "20")
t:9: not an identifier (hint: give 1 to 11 digits in quotes)
t:10: min is above max (hint: exchange the two)
t:11: not an identifier (hint: give 4 digits in quotes)
t:12: not an identifier (hint: give 5 digits in quotes)
t:13: not a list (hint: write it as [a, b])
t:14: unknown merchant "hq" (hint: known: hq-ginza, hq-aoyama)
t:17: when has no condition (hint: leave it out)`},
	{"equal width, half overlapping", `
ranges:
  - {from: "453900", to: "453949", destinations: [a]}
  - {from: "453925", to: "453974", destinations: [b]}`, "t:4: overlaps the range of t:3, " +
		"which is as wide (hint: make one narrower, or let their times not overlap)"},
	{"the same twice", `
ranges:
  - {prefix: "453912", destinations: [a], when: {mti: ["1200", "1100"]}}
  - {prefix: "453912", destinations: [b], when: {mti: ["1100", "1200"]}}`,
		"t:4: has the range, conditions and time of t:3 (hint: remove one)"},
	{"never reached", `
ranges:
  - {prefix: "453912", destinations: [a]}
  - {from: "45391200", to: "45391299", destinations: [b], when: {mti: ["1100"]}}`, "t:4: is " +
		"never reached, as t:3 takes all of its range (hint: put it before that one)"},
}

func TestParseNamesEveryFault(t *testing.T) {
	for _, test := range badTables {
		t.Run(test.name, func(t *testing.T) {
			parser := Parser{Destinations: []string{"a", "b"}, Merchants: centers.Merchants}
			table, err := parser.Parse(Source{Name: "t", Text: []byte(test.text)})
			if err == nil || table != nil {
				t.Fatal("accepted")
			}
			if diff := cmp.Diff(strings.TrimPrefix(test.want, "\n"), err.Error()); diff != "" {
				t.Error(diff)
			}
			if e := new(Error); !errors.As(err, &e) {
				t.Error("no Error inside")
			}
		})
	}
}

func rangeFault(what string) string {
	return "t:1: range: " + what +
		` (hint: give as many digits of from as of to, 6 to 19, as "352800" and "358999")`
}

// What differs in time or condition may share a range, and a narrower range may lie across others.
func TestParseTakesWhatIsNotAmbiguous(t *testing.T) {
	for _, text := range []string{`
ranges:
  - {from: "453900", to: "453949", destinations: [a], until: 2026-01-01T00:00:00Z}
  - {from: "453925", to: "453974", destinations: [b], effective: 2026-01-01T00:00:00Z}`, `
ranges:
  - {prefix: "453912", destinations: [a], when: {mti: ["1200"]}}
  - {prefix: "453912", destinations: [b], when: {mti: ["1100"]}}
  - {prefix: "453912", destinations: [b]}`, `
ranges:
  - {from: "453900", to: "453949", destinations: [a]}
  - {from: "453940", to: "453999", destinations: [b]}`,
	} {
		if _, err := Parse("t", []byte(text), []string{"a", "b"}); err != nil {
			t.Error(err)
		}
	}
}

func TestParseReadsSeveralFilesAsOne(t *testing.T) {
	table, err := centers.Parse(
		Source{"one", []byte("ranges:\n  - {prefix: \"453912\", destinations: [issuer-ume]}\n")},
		Source{"two", []byte("\nranges:\n  - {any: true, destinations: [issuer-fuji]}\n")})
	if err != nil {
		t.Fatal(err)
	}
	got := table.Explain(ask("4539120000000000")).Candidates
	if len(got) != 2 || got[0].Where != "one:2" || got[1].Where != "two:3" {
		t.Errorf("candidates %+v", got)
	}
}

// Faults are told in the order of the lines, and not without end.
func TestParseTellsABoundedNumberOfFaults(t *testing.T) {
	text := "ranges:\n" + strings.Repeat("  - {}\n", 200)
	_, err := Parse("t", []byte(text), nil)
	lines := strings.Split(err.Error(), "\n")
	if len(lines) != maxFaults+1 || lines[maxFaults] != "and 300 more faults" {
		t.Errorf("%d lines, the last %q", len(lines), lines[len(lines)-1])
	}
}

// A range may name a single card, and a careless file may hold card numbers anywhere: neither
// faults nor explanations show them.
func TestNothingShowsACardNumber(t *testing.T) {
	const card = "4539123400000008"
	for _, text := range []string{
		`ranges: [{prefix: "` + card + `", destinations: [a]}]`,
		`ranges: [{prefix: "` + card + `x", destinations: [a]}]`,
		`ranges: [{from: "` + card + `", to: "1", destinations: [a]}]`,
		`ranges: [{any: true, destinations: ["` + card + `"]}]`,
		`ranges: [{any: true, destinations: [a], when: {acquirers: ["` + card + `"]}}]`,
		`ranges: [{any: true, destinations: [a], "` + card + `": 1}]`,
		card + ": [}",
	} {
		table, err := Parse("t", []byte(text), []string{"a"})
		said := fmt.Sprint(err)
		if table != nil {
			said = fmt.Sprintf("%v %+v", table.Explain(ask(card)), table.Explain(ask(card)))
		}
		if strings.Contains(said, "391234") {
			t.Errorf("%s\nsays %s", text, said)
		}
	}
}

func FuzzParse(f *testing.F) {
	text, err := os.ReadFile("testdata/routes.yaml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte("ranges: [{prefix: \"453912\", destinations: [issuer-ume]}]"))
	f.Add([]byte("ranges: &a [*a, {any: true}]"))
	f.Fuzz(func(t *testing.T, text []byte) {
		table, err := centers.Parse(Source{Name: "t", Text: text})
		if (table == nil) == (err == nil) {
			t.Fatal("neither a table nor an error, or both")
		}
		if table == nil {
			return
		}
		q := ask("4539123400000008")
		route, ok := table.Choose(q)
		e := table.Explain(q)
		if ok != (len(e.To) > 0) || len(route.To) != len(e.To) {
			t.Fatalf("chooses %v, explains %v", route, e)
		}
	})
}
