package routing_test

import (
	"strings"
	"testing"

	"cardswitch/routing"
	"cardswitch/routing/cardrange"
)

// other is a range of part a, and one of part b.
func other(a, b, more string) string {
	return `{prefix: "` + a + `", destinations: [a1]}, ` +
		`{prefix: "` + b + `", destinations: [b1]` + more + `}`
}

// The card number alone must say which part a message goes to.
func TestDivides(t *testing.T) {
	part := func(destination string) string { return destination[:1] }
	for text, want := range map[string]string{
		`{prefix: "453500", destinations: [a1, a2]}`:                      "",
		`{prefix: "453500", destinations: [a1, b1]}`:                      "of a and of b",
		`{prefix: "453500", destinations: [a1], when: {mti: ["1200"]}}`:   "",
		other("453500", "360000", ""):                                     "",
		other("453500", "45350067", ""):                                   "",
		other("453500", "45350067", `, when: {mti: ["1200"]}`):            "sends cards to b that x:1",
		other("453500", "45350067", `, until: 2030-01-01T00:00:00+09:00`): "sends cards to b that x:1",
		`{prefix: "453500", luhn: true, destinations: [a1]}, ` +
			`{any: true, destinations: [b1]}`: "",
		`{prefix: "453500", destinations: [a1], when: {mti: ["1200"]}}, ` +
			`{prefix: "453500", destinations: [b1]}`: "sends cards to b that x:1",
		`{prefix: "453500", destinations: [a1], when: {mti: ["1200"]}}, ` +
			`{prefix: "453500", destinations: [a2]}`: "",
	} {
		table, err := routing.Parse("x", []byte("ranges: ["+text+"]"), []string{"a1", "a2", "b1"})
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		err = table.Divides(part)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

// A reload may bring cards, and takes none to another part.
func TestKeeps(t *testing.T) {
	part := func(destination string) string { return destination[:1] }
	parse := func(text string) *routing.Table {
		t.Helper()
		table, err := routing.Parse("x", []byte("ranges: ["+text+"]"), []string{"a1", "a2", "b1"})
		if err != nil {
			t.Fatal(err)
		}
		return table
	}
	before := parse(`{prefix: "453500", destinations: [a1]}, {prefix: "360000", destinations: [b1]}`)
	for text, keeps := range map[string]bool{
		`{prefix: "453500", destinations: [a2]}, {prefix: "360000", destinations: [b1]}`: true,
		`{prefix: "453500", destinations: [a1]}, {prefix: "360000", destinations: [b1]},
		 {prefix: "400000", destinations: [b1]}`: true,
		`{any: true, destinations: [a1]}, {prefix: "360000", destinations: [b1]}`:        true,
		`{any: true, destinations: [a1]}`:                                                false,
		`{prefix: "453500", destinations: [a1]}`:                                         false,
		`{prefix: "453500", destinations: [b1]}, {prefix: "360000", destinations: [b1]}`: false,
		`{prefix: "453500", destinations: [a1]}, {prefix: "360000", destinations: [b1]},
		 {prefix: "45350067", destinations: [b1]}`: false,
		`{from: "453500", to: "453501", destinations: [a1]}, {prefix: "360000", destinations: [b1]},
		 {prefix: "4535010", destinations: [b1]}`: true,
	} {
		if err := before.Keeps(parse(text), part); (err == nil) != keeps {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestNearest(t *testing.T) {
	table, err := routing.Parse("x", []byte(`ranges: [{prefix: "453500", destinations: [a1]},
  {prefix: "45350067", destinations: [b1], when: {mti: ["1200"]}}]`), []string{"a1", "b1"})
	if err != nil {
		t.Fatal(err)
	}
	for pan, want := range map[uint64]string{4535006700000003: "b1", 4535006800000003: "a1",
		3600000000000003: ""} {
		route, ok := table.Nearest(cardrange.Align(pan, 16))
		if got := ""; ok {
			if got = table.Destination(route.To[0]); got != want {
				t.Errorf("%d: %s, want %s", pan, got, want)
			}
		} else if want != "" {
			t.Errorf("%d: none, want %s", pan, want)
		}
	}
}
