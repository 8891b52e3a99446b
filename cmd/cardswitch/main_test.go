package main

import (
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// The scripts in testdata/script run the program as an operator would; the test
// binary stands in for it.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"cardswitch": main})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:           "testdata/script",
		UpdateScripts: os.Getenv("UPDATE_SCRIPTS") != "",
		Setup: func(env *testscript.Env) error {
			// Nothing of the machine's own configuration may leak in.
			env.Setenv("CARDSWITCH_CONFIG", "")
			return nil
		},
	})
}
