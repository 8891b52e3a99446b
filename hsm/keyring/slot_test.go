package keyring

import (
	"strings"
	"testing"
)

func TestSlotsAreWrittenAndRead(t *testing.T) {
	for _, text := range []string{"zek:sakura/primary", "zpk:sakura:in", "zak:sakura/dr:out", "kek",
		"kbpk:sakura", "bdk:aoyama", "bdk:aoyama:FFFF987654", "data:sakura:out"} {
		slot, err := ParseSlot(text)
		if err != nil || slot.String() != text {
			t.Errorf("%s: %v, %v", text, slot, err)
		}
		id, err := ParseID(text + "@65535")
		if err != nil || id != (ID{slot, 65535}) || id.String() != text+"@65535" {
			t.Errorf("%s: %v, %v", text, id, err)
		}
	}
}

func TestSlotsThatMakeNoSense(t *testing.T) {
	for _, text := range []string{"", "zek", "zek:sakura", "zek:sakura/", "zek:sakura/a:in",
		"zpk:sakura", "zpk:in", "zpk:sakura:sideways",
		"kbpk", "kbpk:sakura/a", "kek:sakura", "pvk:sakura",
		"zpk:sakura:in:FFFF", "bdk:aoyama:ffff98", "bdk:aoyama:FF", "zek:Sakura/a", "zek:a b/c",
		"zek:sakura/primary:", "zek:sakura/a/b", "zpk:sakura:in:", "zpk::in", "kek::", "kek/a"} {
		if slot, err := ParseSlot(text); err == nil {
			t.Errorf("%q is taken as %v", text, slot)
		}
	}
	for _, text := range []string{"kek", "kek@", "kek@0", "kek@01", "kek@65536", "kek@-1", "kek@1@2"} {
		if id, err := ParseID(text); err == nil {
			t.Errorf("%q is taken as %v", text, id)
		}
	}
}

// What was typed in a wrong place could be a key: not more than its begin is said again.
func TestRefusalsDontRepeatLongInputs(t *testing.T) {
	secret := "zpk:" + strings.Repeat("0123456789ABCDEF", 4)
	if _, err := ParseSlot(secret); err == nil || strings.Contains(err.Error(), secret[:40]) {
		t.Errorf("got %v", err)
	}
}

func FuzzParseID(f *testing.F) {
	for _, text := range []string{"zek:sakura/primary@3", "kek@1", "bdk:a:FFFF987654@9",
		"zpk:a:in@2"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		id, err := ParseID(text)
		if err == nil && (id.String() != text || id.Slot.Validate() != nil) {
			t.Errorf("%q is read as %v", text, id)
		}
	})
}
