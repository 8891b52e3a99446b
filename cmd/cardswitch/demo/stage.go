// Package demo is a small town of merchants and card issuers around a switch, and the picture of it
// on a terminal.
//
// The partners are the simulators of conformance: what they believe about the money at the end is
// counted against the switch's journal.
package demo

import (
	"embed"
	"os"
	"path/filepath"
)

// stage holds the configuration, routes and issuers' rules of the demo. They are written out, so
// that who watches can read them too.
//
//go:embed stage/*.yaml
var stage embed.FS

// WriteStage writes the demo's files to a folder and returns the configuration's name.
func WriteStage(dir string) (string, error) {
	files, err := stage.ReadDir("stage")
	if err != nil {
		return "", err
	}
	for _, file := range files {
		text, err := stage.ReadFile("stage/" + file.Name())
		if err != nil {
			return "", err
		}
		if err := os.WriteFile(filepath.Join(dir, file.Name()), text, 0o640); err != nil {
			return "", err
		}
	}
	return filepath.Join(dir, "cardswitch.yaml"), nil
}
