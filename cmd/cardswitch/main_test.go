package main

import (
	"os"
	"regexp"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"cardswitch/conformance/load/stage"
)

// The scripts in testdata/script run the program as an operator would; the test
// binary stands in for it.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"cardswitch": main})
}

func TestScripts(t *testing.T) {
	if testing.Short() {
		t.Skip("whole programs; what runs side by side in them has tests of its own")
	}
	testscript.Run(t, testscript.Params{
		Dir:           "testdata/script",
		Deadline:      time.Now().Add(8 * time.Minute), // with the race detector on a busy machine
		UpdateScripts: os.Getenv("UPDATE_SCRIPTS") != "",
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"ports":   ports,
			"expand":  expand,
			"waitfor": waitFor,
		},
		Setup: func(env *testscript.Env) error {
			// Nothing of the machine's own configuration may leak in.
			env.Setenv("CARDSWITCH_CONFIG", "")
			return nil
		},
	})
}

// ports NAME... puts addresses that are free into the environment.
func ports(ts *testscript.TestScript, _ bool, names []string) {
	free, err := stage.Ports(len(names))
	ts.Check(err)
	for i, name := range names {
		ts.Setenv(name, free[i])
	}
}

// expand FILE... replaces $NAME in files by the environment.
func expand(ts *testscript.TestScript, _ bool, files []string) {
	for _, file := range files {
		text := os.Expand(ts.ReadFile(file), ts.Getenv)
		ts.Check(os.WriteFile(ts.MkAbs(file), []byte(text), 0o600))
	}
}

// waitfor PATTERN COMMAND... runs a command until it succeeds and prints the text.
func waitFor(ts *testscript.TestScript, _ bool, args []string) {
	for end := time.Now().Add(time.Minute); time.Now().Before(end); {
		err := ts.Exec(args[1], args[2:]...)
		if err == nil && matches(args[0], ts.ReadFile("stdout")) {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	ts.Fatalf("%q never appeared in the output of %v:\n%s", args[0], args[1:], ts.ReadFile("stdout"))
}

func matches(pattern, text string) bool {
	return regexp.MustCompile(pattern).MatchString(text)
}

// What fails may be told by all who had part in it: a person reads each line once.
func TestALineIsSaidOnce(t *testing.T) {
	if got := once("the disk is full\nthe log failed\nthe log failed"); got !=
		"the disk is full\nthe log failed" {
		t.Errorf("%q", got)
	}
}
