// Package vectors gives tests the published values that cryptography must reproduce.
//
// They lie in hsm/testdata/crypto-vectors.json, each with its source and whether a standard printed
// it. Only tests import this package.
package vectors

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// sizes is how many cases each group has, so that a group can't silently become empty.
func sizes() map[string]int {
	return map[string]int{
		"tdes_dukpt_ipek": 1, "tdes_dukpt": 34, "tdes_dukpt_cmac": 34, "tdes_dukpt_counter": 1,
		"aes_dukpt_ik": 3, "aes_dukpt_key": 120, "aes_dukpt_use": 2, "aes_dukpt_counter": 1,
		"pin_clear": 8, "pin_clear_prefix": 3, "pin_invalid": 6,
		"aes_pin4": 9, "pin4_pan_field": 4,
		"retail_mac": 12, "cmac": 20, "kcv": 15, "key_components": 3,
		"tr31": 19, "tr31_keys": 10, "tr31_invalid": 11,
		"link_envelope": 1,
	}
}

// Case is one vector. Its methods fail the test when it has no such field or one of another kind.
type Case struct {
	t      testing.TB
	fields map[string]any
}

// Load gives the cases of one group in the order of the file. It fails the test when the group has
// another number of cases than it must have.
func Load(t testing.TB, group string) []Case {
	t.Helper()
	want, known := sizes()[group]
	if !known {
		t.Fatalf("there is no group of vectors called %q", group)
	}
	cases := all(t)[group]
	if len(cases) != want {
		t.Fatalf("the group %s has %d cases, not %d", group, len(cases), want)
	}
	return cases
}

// all reads the file and gives its cases by group.
func all(t testing.TB) map[string][]Case {
	t.Helper()
	var file struct {
		Vectors []map[string]any `json:"vectors"`
	}
	decoder := json.NewDecoder(bytes.NewReader(read(t)))
	decoder.UseNumber()
	if err := decoder.Decode(&file); err != nil {
		t.Fatalf("read the vectors: %v", err)
	}
	groups := make(map[string][]Case)
	for _, fields := range file.Vectors {
		c := Case{t, fields}
		group := c.Text("group")
		groups[group] = append(groups[group], c)
	}
	return groups
}

// read finds the file from whatever folder of the module a test runs in.
func read(t testing.TB) []byte {
	t.Helper()
	dir, err := os.Getwd()
	for err == nil {
		var text []byte
		text, err = os.ReadFile(filepath.Join(dir, "hsm", "testdata", "crypto-vectors.json"))
		if err == nil {
			return text
		}
		if parent := filepath.Dir(dir); errors.Is(err, fs.ErrNotExist) && parent != dir {
			dir, err = parent, nil
		}
	}
	t.Fatalf("find the vectors: %v", err)
	return nil
}

// ID names the case, such as "tr31-004": the name for its subtest.
func (c Case) ID() string { return c.Text("id") }

// Source is where the value comes from.
func (c Case) Source() string { return c.Text("source") }

// Has tells whether the case has a field.
func (c Case) Has(field string) bool {
	_, ok := c.fields[field]
	return ok
}

// Text is a field that holds a text, which may be empty.
func (c Case) Text(field string) string {
	c.t.Helper()
	text, ok := c.fields[field].(string)
	if !ok {
		c.t.Fatalf("the vector %v has no text %q", c.fields["id"], field)
	}
	return text
}

// Hex is the bytes of a field that holds hexadecimal digits, which may be none.
func (c Case) Hex(field string) []byte {
	c.t.Helper()
	value, err := hex.DecodeString(c.Text(field))
	if err != nil {
		c.t.Fatalf("the field %s of the vector %s: %v", field, c.ID(), err)
	}
	return value
}

// Int is a field that holds a whole number.
func (c Case) Int(field string) int {
	c.t.Helper()
	number, ok := c.fields[field].(json.Number)
	n, err := number.Int64()
	if !ok || err != nil {
		c.t.Fatalf("the vector %v has no whole number %q", c.fields["id"], field)
	}
	return int(n)
}
