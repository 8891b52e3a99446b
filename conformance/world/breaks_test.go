package world

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// root is the folder of the whole program.
const root = "../.."

// breaks are patches that break a promise on purpose.
func breaks(t *testing.T) []string {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("no git to apply patches with")
	}
	one, errOne := filepath.Glob("testdata/breaks/*.patch")
	several, err := filepath.Glob(severalBreaks + "/*.patch")
	if err := errors.Join(errOne, err); err != nil || len(one) == 0 || len(several) == 0 {
		t.Fatal("there are no breaks", err)
	}
	return append(one, several...)
}

// severalBreaks has those that only several nodes show.
const severalBreaks = "testdata/breaks/several"

func apply(dir, patch string, flags ...string) error {
	file, err := filepath.Abs(patch)
	if err != nil {
		return err
	}
	cmd := exec.Command("git", append(append([]string{"apply"}, flags...), file)...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}

// A break that no longer applies breaks nothing: it is to be made anew.
func TestBreaksApply(t *testing.T) {
	for _, patch := range breaks(t) {
		if err := apply(root, patch, "--check"); err != nil {
			t.Errorf("%s must be made anew: %v", patch, err)
		}
	}
}

// Each break is found by a seed: in a copy of the program, seeds are played until one is.
func TestBreaks(t *testing.T) {
	if !*given.breaks {
		t.Skip("ask for it with -breaks")
	}
	for _, patch := range breaks(t) {
		name := strings.TrimSuffix(filepath.Base(patch), ".patch")
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			copyTree(t, dir)
			if err := apply(dir, patch); err != nil {
				t.Fatal(err)
			}
			hunt(t, name, dir, filepath.Dir(patch) == severalBreaks)
		})
	}
}

// hunt plays seeds in the copy until one fails, and says which.
func hunt(t *testing.T, name, dir string, several bool) {
	t.Helper()
	binary := filepath.Join(dir, "world.test")
	build := exec.Command("go", "test", "-c", "-o", binary, "./conformance/world")
	build.Dir = dir
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	seeds := exec.Command(binary, "-test.run=^TestFresh$", "-test.v", "-test.timeout=0", "-stop",
		"-count", "1000", fmt.Sprint("-several=", several))
	seeds.Dir = filepath.Join(dir, "conformance/world")
	out, err := seeds.CombinedOutput()
	text := string(out)
	for seed, why := range failures(text) {
		fmt.Printf("%s: caught by seed %d: %s\n", name, seed, why)
		return
	}
	if err != nil {
		fmt.Printf("%s: caught by seed %d: the process dies of it: %s\n", name, lastBegun(text, 0),
			lineWith(text, "panic"))
		return
	}
	t.Errorf("1000 seeds don't find %s", name)
}

// copyTree copies what the program is built of.
func copyTree(t *testing.T, to string) {
	t.Helper()
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		at, _ := filepath.Rel(root, name)
		switch {
		case d.IsDir() && at != "." && (strings.HasPrefix(d.Name(), ".") || at == "bin"):
			return filepath.SkipDir
		case d.IsDir():
			return os.MkdirAll(filepath.Join(to, at), 0o755)
		case !d.Type().IsRegular():
			return nil
		}
		b, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, at), b, 0o644)
	})
	if err != nil {
		t.Fatal(err)
	}
}
