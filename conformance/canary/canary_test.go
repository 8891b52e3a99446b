package canary

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
)

const planted = "3528127701982346"

// The search finds a card number in every shape, and in a file and a log as well; if it didn't,
// the canary test would show nothing.
func TestPlantedSecretsAreFound(t *testing.T) {
	c := New()
	c.Digits("the card", planted)
	c.Bytes("the PIN block", []byte("\x12\x9a\xfe\x01\x77\xc3\x5d\xee"))
	c.Text("the code", "00120047351")
	even, _ := hex.DecodeString(planted)
	odd, _ := hex.DecodeString("f" + planted + "0")
	ebcdic := []byte(planted)
	for i := range ebcdic {
		ebcdic[i] += 0xF0 - '0'
	}
	for name, data := range map[string][]byte{
		"text":             []byte("sale of " + planted + " refused"),
		"cut short":        []byte("card 3528127701"),
		"the end only":     []byte("card **7701982346"),
		"the middle":       []byte("7701982346"),
		"EBCDIC":           ebcdic,
		"packed":           even,
		"packed aside":     odd,
		"hex of text":      []byte(hex.EncodeToString([]byte(planted))),
		"HEX of EBCDIC":    []byte(fmt.Sprintf("%X", ebcdic)),
		"base64":           []byte(base64.StdEncoding.EncodeToString([]byte(planted))),
		"base64 aside":     []byte(base64.StdEncoding.EncodeToString([]byte("1" + planted))),
		"a number":         {0, 0x0C, 0x88, 0xBF, 0x9C, 0x6B, 0x9F, 0x4A},
		"PIN block":        []byte("..\x12\x9a\xfe\x01\x77\xc3\x5d\xee.."),
		"PIN block in hex": []byte("129afe0177c35dee"),
		"security code":    []byte(`{"value":"00120047351"}`),
	} {
		if name == "a number" {
			data = bigEndian(3528127701982346)
		}
		if len(c.Search(name, data)) == 0 {
			t.Errorf("%s isn't found", name)
		}
	}
	for _, allowed := range []string{"352812******2346", "352812", "2346", "3528120000000000",
		"7701-98", ""} {
		if found := c.Search("allowed", []byte(allowed)); len(found) > 0 {
			t.Errorf("%q is found: %v", allowed, found)
		}
	}
}

// Where there is much at random, nothing is found: neither in bytes nor in seals, which are hex.
func TestNothingIsFoundByChance(t *testing.T) {
	if testing.Short() {
		t.Skip("many cases, and nothing that runs side by side")
	}
	c, random := New(), rand.New(rand.NewPCG(8583, 1993))
	for range 1000 {
		var track []byte
		for range 32 {
			track = append(track, byte('0'+random.IntN(10)))
		}
		c.Digits("a track", string(track))
	}
	noise := make([]byte, 16<<20)
	for i := range noise {
		noise[i] = byte(random.Uint32())
	}
	seals := []byte(hex.EncodeToString(noise[:4<<20]))
	for name, data := range map[string][]byte{"bytes": noise, "seals": seals} {
		for _, f := range c.Search(name, data) {
			// In so much hex ten digits of text may be there by chance; in a real log they hardly are.
			if f.Shape != "text" {
				t.Error(f)
			}
		}
	}
}

func bigEndian(n uint64) []byte {
	b := make([]byte, 8)
	for i := range b {
		b[i] = byte(n >> (56 - 8*i))
	}
	return b
}

func TestPlantedFileAndLogAreFound(t *testing.T) {
	c, dir := New(), t.TempDir()
	c.Digits("the card", planted)
	if found, err := c.Folder(dir); err != nil || len(found) > 0 {
		t.Fatalf("an empty folder: %v, %v", found, err)
	}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("a careless line", "frame", []byte(planted))
	if len(c.Search("log", log.Bytes())) == 0 {
		t.Error("the log's line isn't found")
	}
	if err := os.MkdirAll(filepath.Join(dir, "a", "b"), 0o700); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "a", "b", "table.sst")
	if err := os.WriteFile(file, append(make([]byte, 5000), planted...), 0o600); err != nil {
		t.Fatal(err)
	}
	if found, err := c.Folder(dir); err != nil || len(found) != 1 || found[0].Where != file {
		t.Errorf("found %v, %v", found, err)
	}
}
