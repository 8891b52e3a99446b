package routing

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cardswitch/routing/cardrange"
)

var centers = Parser{
	Destinations: []string{"issuer-sakura", "issuer-fuji", "issuer-ume"},
	Merchants:    []string{"hq-ginza", "hq-aoyama"},
}

func sample(t testing.TB) *Table {
	t.Helper()
	text, err := os.ReadFile("testdata/routes.yaml")
	if err != nil {
		t.Fatal(err)
	}
	table, err := centers.Parse(Source{Name: "routes.yaml", Text: text})
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// ask makes a query of a sale of 1000 yen in the year 2026 by the digits of a card.
func ask(digits string, changes ...func(*Query)) *Query {
	q := &Query{MTI: 0x1200, Amount: 1000, PANLen: uint8(len(digits))}
	for _, c := range digits {
		q.PAN = q.PAN*10 + uint64(c-'0')
	}
	q.PAN = cardrange.Align(q.PAN, len(digits))
	q.At = time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC).Unix()
	for _, change := range changes {
		change(q)
	}
	return q
}

func TestChoose(t *testing.T) {
	turn := time.Date(2026, 12, 31, 15, 0, 0, 0, time.UTC).Unix() // midnight in Japan
	tests := []struct {
		name  string
		query *Query
		want  string
	}{
		{"the narrowest range goes first", ask("4539123400000008"), "issuer-sakura issuer-fuji"},
		{"one digit beside it", ask("4539123500000007"), "issuer-sakura"},
		{"lowest of a range", ask("4000000000000002"), "issuer-sakura"},
		{"highest of a range", ask("4999999999999996"), "issuer-sakura"},
		{"below a range", ask("3999999999999999"), ""},
		{"above a range", ask("5000000000000000"), ""},
		{"wrong check digit", ask("4539123400000007"), ""},
		{"a return", ask("4000000000000002", func(q *Query) { q.ProcessingCode = 200030 }),
			"issuer-fuji"},
		{"not quite a return", ask("4000000000000002", func(q *Query) { q.ProcessingCode = 210000 }),
			"issuer-sakura"},
		{"a large sale", ask("4000000000000002", func(q *Query) {
			q.Amount, q.Category = 100000, 5732
		}), "issuer-ume"},
		{"a large sale repeated", ask("4000000000000002", func(q *Query) {
			q.MTI, q.Amount, q.Category = 0x1201, 100000, 5732
		}), "issuer-ume"},
		{"an advice of a large sale", ask("4000000000000002", func(q *Query) {
			q.MTI, q.Amount, q.Category = 0x1220, 100000, 5732
		}), "issuer-sakura"},
		{"one yen less", ask("4000000000000002", func(q *Query) {
			q.Amount, q.Category = 99999, 5732
		}), "issuer-sakura"},
		{"the second before a change", ask("3530111333300000", func(q *Query) { q.At = turn - 1 }),
			"issuer-sakura"},
		{"the second of a change", ask("3530111333300000", func(q *Query) { q.At = turn }),
			"issuer-ume issuer-sakura"},
		{"KID and acquirer", ask("5555555555554444", func(q *Query) {
			q.KID, q.Acquirer = 739, 12345678901
		}), "issuer-fuji"},
		{"KID of another acquirer", ask("5555555555554444", func(q *Query) {
			q.KID, q.Acquirer = 739, 12345678902
		}), ""},
		{"the asking merchant", ask("5555555555554444", func(q *Query) { q.Merchant = 1 }),
			"issuer-ume"},
		{"another merchant", ask("5555555555554444", func(q *Query) { q.Merchant = 0 }), ""},
		{"no card number, company code", ask("", func(q *Query) { q.Company = 123 }), "issuer-ume"},
		{"no card number, nothing", ask(""), ""},
		{"nineteen nines", ask("9999999999999999999", func(q *Query) { q.Company = 123 }),
			"issuer-ume"},
		{"six digits known, eight needed", ask("453912"), ""},
	}
	table := sample(t)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			route, ok := table.Choose(test.query)
			got := strings.Join(table.names(route.To), " ")
			if got != test.want || ok != (test.want != "") {
				t.Errorf("goes to %q, %v, want %q\n%s", got, ok, test.want, table.Explain(test.query))
			}
		})
	}
}

func TestChooseDoesNotAllocate(t *testing.T) {
	table, q := sample(t), ask("4539123400000008")
	if n := testing.AllocsPerRun(100, func() { table.Choose(q) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestExplain(t *testing.T) {
	table := sample(t)
	tests := []struct{ name, card, want string }{
		{"taken", "4539123400000008", `
1200, card 453912******0008: goes to issuer-sakura, then issuer-fuji
  * routes.yaml:5  45391234 visa to issuer-sakura, issuer-fuji: the first whose conditions all hold
  - routes.yaml:8  400000-499999 visa to issuer-fuji: asks for processing code 20xxxx, is 000000
  - routes.yaml:15  400000-499999 visa to issuer-ume: asks for amount from 100000, is 1000
  - routes.yaml:21  400000-499999 visa to issuer-sakura: not reached: an earlier one was taken
  - routes.yaml:36  any to issuer-ume: asks for company code 00123, is 00000
`},
		{"a few digits", "3530", `
1200, card 3530: no route, no candidate takes it
  - routes.yaml:24  352800-358999 jcb to issuer-sakura: needs 6 digits, has 4
  - routes.yaml:26  352800-358999 jcb to issuer-ume, issuer-sakura: needs 6 digits, has 4
  - routes.yaml:36  any to issuer-ume: asks for company code 00123, is 00000
`},
		{"time and merchant", "353011", `
1200, card 353011: goes to issuer-sakura
  * routes.yaml:24  352800-358999 jcb to issuer-sakura: the first whose conditions all hold
  - routes.yaml:26  352800-358999 jcb to issuer-ume, issuer-sakura: ` +
			`not in effect before 2026-12-31T15:00:00Z
  - routes.yaml:36  any to issuer-ume: asks for company code 00123, is 00000
`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := table.Explain(ask(test.card)).String()
			if diff := cmp.Diff(strings.TrimPrefix(test.want, "\n"), got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
