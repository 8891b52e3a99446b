package dukpt

import (
	"bytes"
	"fmt"
	"math/bits"
	"testing"

	"cardswitch/hsm/mac"
	"cardswitch/hsm/pinblock"
	"cardswitch/hsm/vectors"
	"cardswitch/spec"
)

func tdesBDK(t testing.TB, key []byte) *TDESBDK {
	t.Helper()
	b, err := NewTDESBDK(key)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func tdesKSN(t testing.TB, b []byte) TDESKSN {
	t.Helper()
	k, err := ParseTDESKSN(b)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// tdesKey derives from the BDK.
func tdesKey(t testing.TB, b *TDESBDK, k TDESKSN, u Usage) *Key {
	t.Helper()
	key, err := b.Key(k, u)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func revealed(k interface{ AppendReveal([]byte) []byte }) []byte { return k.AppendReveal(nil) }

func TestTDESInitialKey(t *testing.T) {
	for _, c := range vectors.Load(t, "tdes_dukpt_ipek") {
		id, err := ParseTDESKeyID(c.Hex("ksn"))
		if err != nil {
			t.Fatal(err)
		}
		initial, err := tdesBDK(t, c.Hex("bdk")).InitialKey(id)
		if err != nil || !bytes.Equal(revealed(initial), c.Hex("ipek")) || initial.ID() != id {
			t.Errorf("%s: it's %X, not %X, %v", c.ID(), revealed(initial), c.Hex("ipek"), err)
		}
	}
}

func TestTDESVectors(t *testing.T) {
	for _, c := range vectors.Load(t, "tdes_dukpt") {
		t.Run(c.ID(), func(t *testing.T) {
			bdk, ksn := tdesBDK(t, c.Hex("bdk")), tdesKSN(t, c.Hex("ksn"))
			initial, err := bdk.InitialKey(ksn.ID())
			if err != nil || !bytes.Equal(revealed(initial), c.Hex("ipek")) {
				t.Fatalf("the initial key is %X, not %X, %v", revealed(initial), c.Hex("ipek"), err)
			}
			w, err := initial.transaction(ksn)
			if err != nil || !bytes.Equal(w.key[:], c.Hex("txn_key")) {
				t.Fatalf("the transaction key is %X, not %X, %v", w.key, c.Hex("txn_key"), err)
			}
			loaded, err := NewTDESInitialKey(c.Hex("ipek"), ksn.ID())
			if err != nil {
				t.Fatal(err)
			}
			pinKey, err := loaded.Key(ksn, PIN)
			if err != nil {
				t.Fatal(err)
			}
			checkTDESPIN(t, c, pinKey)
			checkTDESMACs(t, c, bdk, ksn)
			checkTDESData(t, c, bdk, ksn)
		})
	}
}

func checkTDESPIN(t *testing.T, c vectors.Case, key *Key) {
	k, err := key.PINKey()
	if err != nil {
		t.Fatal(err)
	}
	pin, err := pinblock.ParsePIN([]byte(c.Text("pin")))
	if err != nil {
		t.Fatal(err)
	}
	pan, err := spec.ParsePAN(c.Text("pan"))
	if err != nil {
		t.Fatal(err)
	}
	block, err := pinblock.Encode(nil, pinblock.Format0, pin, pan)
	if err != nil || !bytes.Equal(block, c.Hex("clear_pin_block")) {
		t.Errorf("the clear PIN block is %X, not %X, %v", block, c.Hex("clear_pin_block"), err)
	}
	block, err = k.Encrypt(nil, pinblock.Format0, pin, pan)
	if err != nil || !bytes.Equal(block, c.Hex("enc_pin_block")) {
		t.Errorf("the PIN block is %X, not %X, %v", block, c.Hex("enc_pin_block"), err)
	}
	got, err := k.Decrypt(pinblock.Format0, pinblock.Digits, pan, c.Hex("enc_pin_block"))
	if err != nil || !got.Equal(pin) {
		t.Errorf("another PIN comes out, %v", err)
	}
}

func checkTDESMACs(t *testing.T, c vectors.Case, bdk *TDESBDK, ksn TDESKSN) {
	form := mac.Spec{Algorithm: mac.Retail, Padding: mac.Padding1, Size: 4}
	for _, m := range []struct {
		usage Usage
		field string
	}{{MACRequest, "mac_request"}, {MACBoth, "mac_request"}, {MACResponse, "mac_response"}} {
		code, err := tdesKey(t, bdk, ksn, m.usage).MAC(form)
		if err != nil {
			t.Fatal(err)
		}
		if got := code.Sum(nil, []byte(c.Text("data_ascii"))); !bytes.Equal(got, c.Hex(m.field)) {
			t.Errorf("for %v: the code is %X, not %X", m.usage, got, c.Hex(m.field))
		}
		if !code.Verify(c.Hex(m.field), []byte(c.Text("data_ascii"))) {
			t.Errorf("for %v: the code isn't taken", m.usage)
		}
	}
}

// filled is data with zeros up to a whole block.
func filled(text string, block int) []byte {
	n := (len(text) + block - 1) / block * block
	return append([]byte(text), make([]byte, n-len(text))...)
}

func checkTDESData(t *testing.T, c vectors.Case, bdk *TDESBDK, ksn TDESKSN) {
	plain := filled(c.Text("data_ascii"), 8)
	for _, u := range []Usage{DataRequest, DataBoth} {
		key := tdesKey(t, bdk, ksn, u)
		got, err := key.EncryptData(nil, nil, plain)
		if err != nil || !bytes.Equal(got, c.Hex("enc_data_request")) {
			t.Errorf("for %v: the data is %X, not %X, %v", u, got, c.Hex("enc_data_request"), err)
		}
		back, err := key.DecryptData([]byte("x"), make([]byte, 8), c.Hex("enc_data_request"))
		if err != nil || !bytes.Equal(back, append([]byte("x"), plain...)) {
			t.Errorf("for %v: the data comes back as %q, %v", u, back, err)
		}
	}
	response := tdesKey(t, bdk, ksn, DataResponse)
	if got, err := response.EncryptData(nil, nil, plain); err != nil ||
		bytes.Equal(got, c.Hex("enc_data_request")) {
		t.Errorf("data of responses has the key of requests, %v", err)
	}
}

// The standard's annex has no data of responses. These values are outputs of another
// implementation, github.com/moov-io/dukpt pkg/des/des_test.go, over the counters 1 to 5.
func TestTDESDataOfResponses(t *testing.T) {
	first := vectors.Load(t, "tdes_dukpt")
	for i, want := range []string{
		"1FCC89AF66222F27B903898BB2BC8589CDBFDE5EC6AFCC25",
		"5B692A6B1FDD5E25B0DEFAFDE1672E402F8011360CFF3508",
		"345992D4163E4926C927BFD8ABD5D76F087A9CE81D5A27B8",
		"418C7413576C0D1819E785D3807AF32334231FDEC23414DB",
		"7D4C109E49E83355A556AE949EED359F4404E7A2F0167C00",
	} {
		ksn := tdesKSN(t, first[i].Hex("ksn"))
		key := tdesKey(t, tdesBDK(t, first[i].Hex("bdk")), ksn, DataResponse)
		got, err := key.EncryptData(nil, nil, filled(first[i].Text("data_ascii"), 8))
		if err != nil || ksn.Counter() != uint32(i+1) || fmt.Sprintf("%X", got) != want {
			t.Errorf("%v: the data is %X, not %s, %v", ksn, got, want, err)
		}
	}
}

func TestTDESWithCMAC(t *testing.T) {
	bdk := tdesBDK(t, vectors.Load(t, "tdes_dukpt")[0].Hex("bdk"))
	form := mac.Spec{Algorithm: mac.TDESCMAC, Size: 8}
	for _, c := range vectors.Load(t, "tdes_dukpt_cmac") {
		ksn := tdesKSN(t, c.Hex("ksn"))
		initial, err := bdk.InitialKey(ksn.ID())
		if err != nil {
			t.Fatal(err)
		}
		if w, err := initial.transaction(ksn); err != nil || !bytes.Equal(w.key[:], c.Hex("txn_key")) {
			t.Errorf("%s: the transaction key is another, %v", c.ID(), err)
		}
		for u, field := range map[Usage]string{
			MACRequest: "cmac_request", MACBoth: "cmac_request", MACResponse: "cmac_response",
		} {
			code, err := tdesKey(t, bdk, ksn, u).MAC(form)
			if err != nil {
				t.Fatal(err)
			}
			if got := code.Sum(nil, []byte(c.Text("data_ascii"))); !bytes.Equal(got, c.Hex(field)) {
				t.Errorf("%s for %v: the code is %X, not %X", c.ID(), u, got, c.Hex(field))
			}
		}
	}
}

// Of all counters exactly those are taken that the standard's terminal uses.
func TestTDESCounters(t *testing.T) {
	want := vectors.Load(t, "tdes_dukpt_counter")[0].Int("valid_counters")
	b := []byte("\xFF\xFF\x98\x76\x54\x32\x10\xE0\x00\x00")
	taken := 0
	for counter := range 1 << 21 {
		b[7], b[8], b[9] = 0xE0|byte(counter>>16), byte(counter>>8), byte(counter)
		k, err := ParseTDESKSN(b)
		if err != nil {
			continue
		}
		if taken++; k.Counter() != uint32(counter) {
			t.Fatalf("%v has the counter %d, not %d", k, k.Counter(), counter)
		}
		if n := bits.OnesCount(uint(counter)); n == 0 || n > 10 {
			t.Fatalf("%v is taken", k)
		}
	}
	if taken != want {
		t.Errorf("%d counters are taken, not %d", taken, want)
	}
}
