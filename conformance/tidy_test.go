package conformance

import (
	"go/ast"
	"go/doc"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

const (
	mostLines    = 500 // a file
	mostFunction = 70  // lines a function
	mostColumns  = 100
	mostSynopsis = 140 // characters of the sentence that opens a package comment
)

func TestFilesAreShort(t *testing.T) {
	for _, s := range house(t) {
		lines := strings.Split(strings.TrimSuffix(string(s.text), "\n"), "\n")
		if len(lines) > mostLines {
			t.Errorf("%s has %d lines, more than %d", s.path, len(lines), mostLines)
		}
		for n, line := range lines {
			if w := utf8.RuneCountInString(line); w > mostColumns {
				t.Errorf("%s:%d has %d columns, more than %d", s.path, n+1, w, mostColumns)
			}
		}
	}
}

func TestFunctionsAreShort(t *testing.T) {
	for _, s := range house(t) {
		for _, d := range s.file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || f.Body == nil {
				continue
			}
			from, to := s.files.Position(f.Pos()).Line, s.files.Position(f.End()).Line
			if to-from+1 > mostFunction {
				t.Errorf("%s:%d: %s has %d lines, more than %d", s.path, from, f.Name.Name,
					to-from+1, mostFunction)
			}
			if f.Recv == nil && f.Name.Name == "init" {
				t.Errorf("%s:%d: an init function; what happens must be asked for", s.path, from)
			}
		}
	}
}

// Each package says in one plain sentence what it is, in one of its files.
func TestPackageComments(t *testing.T) {
	comments := make(map[string][]string)
	names := make(map[string]string)
	for _, s := range house(t) {
		if s.isTest() {
			continue
		}
		names[s.dir()] = s.file.Name.Name
		if s.file.Doc != nil {
			comments[s.dir()] = append(comments[s.dir()], s.file.Doc.Text())
		}
	}
	for dir, name := range names {
		if len(comments[dir]) != 1 {
			t.Errorf("%s has %d package comments, not one", dir, len(comments[dir]))
			continue
		}
		first := new(doc.Package).Synopsis(comments[dir][0])
		begin := "Package " + name + " "
		if name == "main" {
			begin = "Command " + path.Base(dir) + " "
		}
		switch {
		case !strings.HasPrefix(first, begin):
			t.Errorf("%s: the package comment begins with %q, not %q", dir, first, begin)
		case !strings.HasSuffix(first, "."):
			t.Errorf("%s: the package comment's first sentence doesn't end", dir)
		case utf8.RuneCountInString(first) > mostSynopsis:
			t.Errorf("%s: the package comment's first sentence has %d characters, more than %d",
				dir, utf8.RuneCountInString(first), mostSynopsis)
		}
	}
}

func TestNamesSaySomething(t *testing.T) {
	banned := []string{
		"util", "utils", "helper", "helpers", "manager", "managers", "base", "common", "impl",
		"processor", "misc", "internal",
	}
	for _, s := range house(t) {
		for _, part := range strings.Split(s.dir(), "/") {
			if slices.Contains(banned, part) {
				t.Errorf("%s: a folder called %s says nothing", s.path, part)
			}
		}
		stem := strings.TrimSuffix(strings.TrimSuffix(path.Base(s.path), ".go"), "_test")
		if slices.Contains(banned, s.file.Name.Name) || slices.Contains(banned, stem) {
			t.Errorf("%s: a name that says nothing", s.path)
		}
	}
}

// Work that is left undone is an issue, not a comment; and nothing knows the machine it was
// written on. The words are put together here so that the test doesn't find itself.
func TestNothingLeftLying(t *testing.T) {
	undone := regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME|XX` + `X|HA` + `CK)\b`)
	machine := regexp.MustCompile(`(^|[\s"'` + "`" + `=:(])/(work|root|home|Users)/[\w.]`)
	walk(t, func(name string, text []byte) {
		for n, line := range strings.Split(string(text), "\n") {
			if undone.MatchString(line) && strings.HasSuffix(name, ".go") {
				t.Errorf("%s:%d: %s", name, n+1, strings.TrimSpace(line))
			}
			if machine.MatchString(line) {
				t.Errorf("%s:%d names a path of one machine: %s", name, n+1,
					strings.TrimSpace(line))
			}
		}
	})
}

// The top level is the design's, and nothing else.
func TestTopLevel(t *testing.T) {
	allowed := []string{
		"cmd", "switch", "spec", "routing", "hsm", "store", "dr", "conformance",
		"go.mod", "go.sum", "Makefile", "README.md",
	}
	ignored := map[string]bool{"bin": true, "data": true, "bench.json": true}
	entries, err := os.ReadDir("..")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		name := e.Name()
		built := name == module && e.Type().IsRegular() // what go build leaves behind
		if strings.HasPrefix(name, ".") || ignored[name] || built {
			continue
		}
		if !slices.Contains(allowed, name) {
			t.Errorf("%s doesn't belong at the top level", name)
		}
	}
}

// The README says which test holds which requirement; a test of another name holds none.
func TestReadmeNamesTestsThatExist(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]bool{}
	for _, s := range house(t) {
		for _, d := range s.file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && s.isTest() {
				tests[f.Name.Name] = true
			}
		}
	}
	named := regexp.MustCompile(`\bTest[A-Z]\w+`).FindAllString(string(readme), -1)
	if len(named) < 40 {
		t.Errorf("only %d tests are named: the test looks in the wrong place", len(named))
	}
	for _, name := range named {
		if !tests[name] {
			t.Errorf("README.md names %s, which isn't there", name)
		}
	}
}
