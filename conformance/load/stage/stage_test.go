package stage_test

import (
	"bytes"
	"os"
	"testing"

	"go.yaml.in/yaml/v3"

	"cardswitch/conformance/load/stage"
	cardswitch "cardswitch/switch"
)

func TestTheSwitchTakesTheConfiguration(t *testing.T) {
	s, err := stage.New("cardswitch", t.TempDir(), [][]string{
		{"127.0.0.1:1", "127.0.0.1:2"}, {"127.0.0.1:3"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Write(); err == nil {
		t.Error("a merchant center without acquirers is written")
	}
	s.Acquirers = []string{"90000000001", "90000000002"}
	if err := s.Write(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(s.File("cardswitch.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	config := cardswitch.Defaults()
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	if err := decoder.Decode(&config); err != nil {
		t.Fatal(err)
	}
	config.Dir = s.Dir
	config.Complete()
	if err := config.Validate(); err != nil {
		t.Error(err)
	}
	if err := config.CheckFiles(); err != nil {
		t.Error(err)
	}
	if _, err := config.Routes(); err != nil {
		t.Error(err)
	}
}
