package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	cardswitch "cardswitch/switch"
)

// cards is a file of cards in a folder of its own.
func cards(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "cards.csv")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestReadCards(t *testing.T) {
	list, err := readCards(cards(t, "# cards\n3528000000000007,2912\n\n  tok_abc \r\n"))
	want := []cardLine{{2, "3528000000000007", "2912"}, {4, "tok_abc", ""}}
	if err != nil || len(list) != 2 || list[0] != want[0] || list[1] != want[1] {
		t.Errorf("%v, %v", list, err)
	}
	for _, text := range []string{"", "# nothing\n", "3528000000000007,29\n",
		"3528000000000007,1a12\n", strings.Repeat("3", 201)} {
		_, err := readCards(cards(t, text))
		if err == nil || strings.Contains(err.Error(), "352800000") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// resultsOf makes a file of results of some lines of these cards, and closes it.
func resultsOf(t *testing.T, lines []cardLine, done ...int) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "results.csv")
	r, err := openResults(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.head(261122115500); err != nil {
		t.Fatal(err)
	}
	for _, i := range done {
		c := cardswitch.CardChecked{Asked: true, Action: 118, Name: "a, \"name\"",
			Card: lines[i].shown(), Center: "issuer-a", Txn: 9}
		if err := r.add(resultOf(lines[i].number, &c)); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.close(); err != nil {
		t.Fatal(err)
	}
	return name
}

var someCards = []cardLine{{1, "3528000000000007", ""}, {2, "3528000000000015", ""},
	{3, "tok_abc", ""}}

// Wherever the end of the process cuts the file, the next run finds all whole lines, and no other.
func TestResultsCutAnywhere(t *testing.T) {
	name := resultsOf(t, someCards, 0, 2)
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), someCards[0].card) ||
		!strings.Contains(string(text), "tok_abc") {
		t.Errorf("the file is\n%s", text)
	}
	for end := range len(text) + 1 {
		if err := os.WriteFile(name, text[:end], 0o600); err != nil {
			t.Fatal(err)
		}
		r, err := openResults(name)
		if err != nil {
			t.Fatalf("cut at %d: %v", end, err)
		}
		whole := strings.Count(string(text[:end]), "\n") - 2 // of cards
		left, err := r.left(someCards, false)
		if err != nil || len(r.seen) != max(whole, 0) || len(left) != 3-max(whole, 0) ||
			whole >= 0 && r.job != 261122115500 {
			t.Errorf("cut at %d: %d seen, %v left, %v", end, len(r.seen), left, err)
		}
		if err := r.close(); err != nil {
			t.Fatal(err)
		}
		kept, _ := os.ReadFile(name)
		if !strings.HasPrefix(string(kept), resultHead) || !strings.HasSuffix(string(kept), "\n") {
			t.Fatalf("cut at %d, then the file ends with %q", end, kept[max(0, len(kept)-9):])
		}
	}
}

func TestResultsOfAnotherFile(t *testing.T) {
	name := resultsOf(t, someCards, 0, 1)
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.Replace(string(text), "118", "000", 1)
	if err := os.WriteFile(name, []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := openResults(name); err == nil || !strings.Contains(err.Error(), ":3 ") {
		t.Errorf("a changed line: %v", err)
	}
	if err := os.WriteFile(name, text, 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := openResults(name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := openResults(name); err == nil {
		t.Error("two runs write one file")
	}
	other := []cardLine{{1, "3528000000000007", ""}, {2, "4111111111111111", ""}}
	if _, err := r.left(other, false); err == nil {
		t.Error("another card in line 2 is not seen")
	}
	if _, err := r.left(someCards[:1], false); err == nil {
		t.Error("a file that lost lines is not seen")
	}
	left, err := r.left(someCards, true)
	if err != nil || len(left) != 1 || left[0] != 2 {
		t.Errorf("declined cards are asked again: %v, %v", left, err)
	}
	if err := r.close(); err != nil {
		t.Fatal(err)
	}
	notOurs := cards(t, "something else\n")
	if _, err := openResults(notOurs); err == nil {
		t.Error("a file of something else is added to")
	}
}

// FuzzResult: what is taken for a line is one that was written, byte for byte.
func FuzzResult(f *testing.F) {
	for _, r := range []result{{17, "352800******0007", 118, "no card record", "issuer-a", "now", 4},
		{0, "job 261122115500", 0, "", "", "now", 0}} {
		f.Add(strings.TrimSuffix(string(r.appendTo(nil)), "\n"))
	}
	f.Fuzz(func(t *testing.T, line string) {
		r, err := parseResult([]byte(line))
		if err != nil {
			return
		}
		again, err := parseResult([]byte(strings.TrimSuffix(string(r.appendTo(nil)), "\n")))
		if err != nil || again != r {
			t.Fatalf("%q reads as %+v, written again as %+v, %v", line, r, again, err)
		}
	})
}
