// Package dialect reads the definitions of wire formats and holds the built-in ones.
//
// A definition is a YAML file that starts from the standard's table, or from another definition,
// and says what differs. It becomes a moov-io/iso8583 MessageSpec, which spec compiles; the
// simulators and the tests speak through the same MessageSpec.
package dialect

import (
	"embed"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/moov-io/iso8583"

	"cardswitch/spec"
)

//go:embed builtin/*.yaml charsets/*.txt
var files embed.FS

// Default is the dialect of a center that asks for none.
const Default = "ascii-binary"

// Names are the built-in dialects, sorted.
func Names() []string {
	entries, _ := files.ReadDir("builtin") // embedded, so it is there
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		names = append(names, strings.TrimSuffix(e.Name(), ".yaml"))
	}
	slices.Sort(names)
	return names
}

// Builtin is one of the dialects that come with the program.
func Builtin(name string) (*spec.Dialect, error) {
	text, err := builtinText(name)
	if err != nil {
		return nil, err
	}
	return Parse(name, text)
}

// Load reads a definition from a file. The dialect's name is the file's, without its extension.
func Load(path string) (*spec.Dialect, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("dialect: %w; check the path under dialects", err)
	}
	name := filepath.Base(path)
	return Parse(strings.TrimSuffix(name, filepath.Ext(name)), text)
}

// Parse reads a definition.
func Parse(name string, text []byte) (*spec.Dialect, error) {
	def, err := Define(name, text)
	if err != nil {
		return nil, err
	}
	return def.Compile()
}

// MessageSpec is the moov-io/iso8583 specification of a built-in dialect.
func MessageSpec(name string) (*iso8583.MessageSpec, error) {
	text, err := builtinText(name)
	if err != nil {
		return nil, err
	}
	def, err := Define(name, text)
	return def.Spec, err
}

func builtinText(name string) ([]byte, error) {
	text, err := files.ReadFile("builtin/" + name + ".yaml")
	if err != nil {
		return nil, fmt.Errorf("there is no dialect %q; the built-in ones are %s", name,
			strings.Join(Names(), ", "))
	}
	return text, nil
}
