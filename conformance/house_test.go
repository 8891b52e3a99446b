package conformance

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// source is one Go file of the module.
type source struct {
	path    string // from the root of the module, with slashes
	text    []byte
	file    *ast.File
	files   *token.FileSet
	imports []string
}

// dir is the package's folder from the root.
func (s *source) dir() string { return path.Dir(s.path) }

// isTest reports whether the file is only there for tests.
func (s *source) isTest() bool { return strings.HasSuffix(s.path, "_test.go") }

const module = "cardswitch"

// house reads every Go file of the module.
func house(t *testing.T) []*source {
	t.Helper()
	var list []*source
	walk(t, func(name string, text []byte) {
		if !strings.HasSuffix(name, ".go") {
			return
		}
		s := &source{path: name, text: text, files: token.NewFileSet()}
		var err error
		s.file, err = parser.ParseFile(s.files, name, text, parser.ParseComments)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			return
		}
		for _, i := range s.file.Imports {
			p, err := strconv.Unquote(i.Path.Value)
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			s.imports = append(s.imports, p)
		}
		list = append(list, s)
	})
	if len(list) < 50 {
		t.Fatalf("only %d Go files found: the test looks in the wrong place", len(list))
	}
	return list
}

// walk visits every text file that belongs to the project.
func walk(t *testing.T, visit func(name string, text []byte)) {
	t.Helper()
	root := os.DirFS("..")
	err := fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			switch path.Base(name) {
			case ".git", "testdata", "bin", "data":
				return fs.SkipDir
			}
			return nil
		}
		if name == ".git" {
			return nil // in a worktree it is a file, which names the repository's path
		}
		info, err := d.Info()
		if err != nil || !info.Mode().IsRegular() || info.Size() > 1<<20 {
			return err
		}
		text, err := os.ReadFile(filepath.Join("..", name))
		if err != nil || bytes.IndexByte(text, 0) >= 0 {
			return err
		}
		visit(name, text)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
