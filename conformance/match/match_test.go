package match

import "testing"

func TestMatch(t *testing.T) {
	for _, c := range []struct {
		pattern, value string
		here, want     bool
	}{
		{"000", "000", true, true},
		{"000", "0000", true, false},
		{"000", "", false, false},
		{"is present", "present", true, true},
		{"is", "", true, true},
		{"present", "", true, true},
		{"present", "", false, false},
		{"absent", "", false, true},
		{"absent", "x", true, false},
		{"not absent", "x", true, true},
		{"prefix 3528", "3528000000000007", true, true},
		{"prefix 3528", "4528", true, false},
		{"suffix 13", "000000000113", true, true},
		{"suffix 13", "000000000131", true, false},
		{"contains B C", "AB CD", true, true},
		{"one-of 000 001", "001", true, true},
		{"one-of 000 001", "002", true, false},
		{"not one-of 000 001", "002", true, true},
		{"between 10-20", "000000000020", true, true},
		{"between 10-20", "000000000021", true, false},
		{"between 10-20", "", false, false},
		{"matches ^[A-Z]{2}[0-9]+$", "AB12", true, true},
		{"matches ^[A-Z]{2}[0-9]+$", "A12", true, false},
	} {
		p, err := Parse(c.pattern)
		if err != nil {
			t.Errorf("%s: %v", c.pattern, err)
			continue
		}
		if got := p.Match(c.value, c.here); got != c.want {
			t.Errorf("%s on %q: %v", c.pattern, c.value, got)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, text := range []string{
		"prefix", "between 5", "between a-b", "matches (", "present x", "not suffix",
	} {
		if _, err := Parse(text); err == nil {
			t.Errorf("%q was taken", text)
		}
	}
}
