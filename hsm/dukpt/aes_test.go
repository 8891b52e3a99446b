package dukpt

import (
	"bytes"
	"crypto/aes"
	"crypto/hmac"
	"encoding/binary"
	"iter"
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"

	"cardswitch/hsm/mac"
	"cardswitch/hsm/pinblock"
	"cardswitch/hsm/vectors"
	"cardswitch/spec"
)

func aesKSN(t testing.TB, b []byte) AESKSN {
	t.Helper()
	k, err := ParseAESKSN(b)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func aesInitial(t testing.TB, key, id []byte) *AESInitialKey {
	t.Helper()
	name, err := ParseAESKeyID(id)
	if err != nil {
		t.Fatal(err)
	}
	i, err := NewAESInitialKey(key, name, AESOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func aesKey(t testing.TB, i *AESInitialKey, k AESKSN, u Usage, kind KeyType) *Key {
	t.Helper()
	key, err := i.Key(k, u, kind)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestAESInitialKey(t *testing.T) {
	for _, c := range vectors.Load(t, "aes_dukpt_ik") {
		t.Run(c.ID(), func(t *testing.T) {
			id, err := ParseAESKeyID(c.Hex("ikid"))
			if err != nil {
				t.Fatal(err)
			}
			key := c.Hex("bdk")
			if _, err := NewAESBDK(key, AESOptions{}); (err == nil) != (len(key) != 24) {
				t.Errorf("without options: %v", err)
			}
			if _, err := NewAESInitialKey(key, id, AESOptions{}); (err == nil) != (len(key) != 24) {
				t.Errorf("without options: %v", err)
			}
			bdk, err := NewAESBDK(key, AESOptions{Allow192: true})
			if err != nil {
				t.Fatal(err)
			}
			initial, err := bdk.InitialKey(id)
			if err != nil || !bytes.Equal(revealed(initial), c.Hex("ik")) || initial.ID() != id {
				t.Errorf("it's %X, not %X, %v", revealed(initial), c.Hex("ik"), err)
			}
			bdkType, _ := aesType(len(key))
			step, err := InitialStep(bdkType, id)
			if err != nil || !bytes.Equal(stepped(t, key, step), c.Hex("ik")) {
				t.Errorf("the step gives another key, %v", err)
			}
		})
	}
}

// stepped does what a module does that is told to derive: AES in ECB mode over the data.
func stepped(t *testing.T, key []byte, s Step) []byte {
	t.Helper()
	block, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	data := s.AppendData(nil)
	for at := 0; at < len(data); at += 16 {
		block.Encrypt(data[at:at+16], data[at:at+16])
	}
	return data[:s.KeyType().Size()]
}

func usageNamed(t *testing.T, name string) Usage {
	u, ok := map[string]Usage{"PIN": PIN, "MACGEN": MACRequest, "MACVER": MACResponse,
		"MACBOTH": MACBoth, "ENC": DataRequest, "DEC": DataResponse, "ENCBOTH": DataBoth,
		"KEK": KeyEncryption}[name]
	if !ok {
		t.Fatalf("there is no usage %s", name)
	}
	return u
}

func typeNamed(t *testing.T, name string) KeyType {
	kind, ok := map[string]KeyType{"TDEA2": TDEA2, "TDEA3": TDEA3, "AES128": AES128,
		"AES256": AES256}[name]
	if !ok {
		t.Fatalf("there is no key type %s", name)
	}
	return kind
}

func TestAESKeys(t *testing.T) {
	for _, c := range vectors.Load(t, "aes_dukpt_key") {
		t.Run(c.ID(), func(t *testing.T) {
			ik, ksn, kind := c.Hex("ik"), c.Hex("ksn"), typeNamed(t, c.Text("key_type"))
			initial := aesInitial(t, ik, ksn[:8])
			update := binary.BigEndian.Uint32(ksn[8:]) == updateCounter
			if _, err := ParseAESKSN(ksn); (err == nil) == update {
				t.Errorf("the KSN: %v", err)
			}
			if c.Text("usage") == "TXN" {
				s, err := derive(initial.s, transactionSteps(initial.t, initial.id,
					binary.BigEndian.Uint32(ksn[8:])))
				if err != nil || !bytes.Equal(s.key(), c.Hex("key")) {
					t.Errorf("the transaction key is %X, not %X, %v", s.key(), c.Hex("key"), err)
				}
				return
			}
			usage := usageNamed(t, c.Text("usage"))
			if update {
				key, err := initial.UpdateKey(kind)
				if err != nil || usage != KeyEncryption || !bytes.Equal(revealed(key), c.Hex("key")) {
					t.Errorf("the update key isn't %X, %v", c.Hex("key"), err)
				}
				steps, err := UpdateSteps(initial.t, initial.id, kind)
				followed(t, ik, steps, err, c.Hex("key"))
				return
			}
			key := aesKey(t, initial, aesKSN(t, ksn), usage, kind)
			if !bytes.Equal(revealed(key), c.Hex("key")) || key.Usage() != usage || key.Type() != kind {
				t.Errorf("%v: it's %X, not %X", key, revealed(key), c.Hex("key"))
			}
			steps, err := Steps(initial.t, aesKSN(t, ksn), usage, kind)
			followed(t, ik, steps, err, c.Hex("key"))
		})
	}
}

// followed takes steps from a key as a module would.
func followed(t *testing.T, key []byte, steps iter.Seq[Step], err error, want []byte) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	for s := range steps {
		key = stepped(t, key, s)
	}
	if !bytes.Equal(key, want) {
		t.Errorf("the steps lead to %X, not %X", key, want)
	}
}

// The derivation data as the standard lays it out, byte for byte.
func TestSteps(t *testing.T) {
	ksn := aesKSN(t, []byte("\x12\x34\x56\x78\x90\x12\x34\x56\x00\x00\x00\x05"))
	want := []string{
		"0101800000020080" + "9012345600000004" + " for AES-128",
		"0101800000020080" + "9012345600000005" + " for AES-128",
		"0101100000000080" + "9012345600000005" + " for TDES of 2 parts",
	}
	steps, err := Steps(AES128, ksn, PIN, TDEA2)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for s := range steps {
		got = append(got, s.String())
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("the steps are\n%s\nnot\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	steps, err = Steps(AES256, ksn, MACResponse, HMAC192)
	if err != nil {
		t.Fatal(err)
	}
	got = nil
	for s := range steps {
		got = append(got, s.String())
		if len(got) == 2 {
			break // who stops early isn't called again
		}
	}
	if len(got) != 2 || got[0] != "01018000000401009012345600000004"+
		"01028000000401009012345600000004 for AES-256" {
		t.Errorf("the first step of AES-256 is %v", got)
	}
	step, err := InitialStep(AES192, ksn.ID())
	if err != nil || step.String() != "010180010003"+"00C0"+"1234567890123456"+
		"010280010003"+"00C0"+"1234567890123456 for AES-192" {
		t.Errorf("the initial step is %v, %v", step, err)
	}
	var last Step
	for s := range workingSteps(AES256, ksn.ID(), 5, MACResponse, HMAC192) {
		last = s
	}
	if got := last.String(); got != "01012001000500C09012345600000005"+
		"01022001000500C09012345600000005 for HMAC with 192 bits" {
		t.Errorf("the last step is %s", got)
	}
}

func TestAESPINs(t *testing.T) {
	initial := vectors.Load(t, "aes_dukpt_use")[0]
	used := 0
	for _, c := range vectors.Load(t, "aes_pin4") {
		if !c.Has("ksn") {
			continue
		}
		used++
		ksn := aesKSN(t, c.Hex("ksn"))
		key := aesKey(t, aesInitial(t, initial.Hex("ik"), c.Hex("ksn")[:8]), ksn, PIN, AES128)
		if !bytes.Equal(revealed(key), c.Hex("pin_key")) {
			t.Errorf("%s: the key is another", c.ID())
		}
		k, err := key.PINKey()
		if err != nil {
			t.Fatal(err)
		}
		pan, err := spec.ParsePAN(c.Text("pan"))
		if err != nil {
			t.Fatal(err)
		}
		pin, err := k.Decrypt(pinblock.Format4, pinblock.Digits, pan, c.Hex("enc_pin_block"))
		if err != nil || string(pin.AppendReveal(nil)) != c.Text("pin") {
			t.Errorf("%s: another PIN comes out, %v", c.ID(), err)
		}
	}
	if used != 8 {
		t.Errorf("%d blocks have a KSN, not 8", used)
	}
}

func TestAESUse(t *testing.T) {
	form := mac.Spec{Algorithm: mac.AESCMAC, Size: 16}
	for _, c := range vectors.Load(t, "aes_dukpt_use") {
		initial, ksn := aesInitial(t, c.Hex("ik"), c.Hex("ksn")[:8]), aesKSN(t, c.Hex("ksn"))
		data := []byte(c.Text("data_ascii"))
		for u, field := range map[Usage]string{MACRequest: "cmac_gen", MACResponse: "cmac_ver"} {
			m, err := aesKey(t, initial, ksn, u, AES128).MAC(form)
			if err != nil {
				t.Fatal(err)
			}
			if got := m.Sum(nil, data); !bytes.Equal(got, c.Hex(field)) {
				t.Errorf("%s: the code for %v is %X, not %X", c.ID(), u, got, c.Hex(field))
			}
		}
		for u, field := range map[Usage]string{
			MACRequest: "hmac128_sha256_gen", MACResponse: "hmac128_sha256_ver",
		} {
			h, err := aesKey(t, initial, ksn, u, HMAC128).HMAC()
			if err != nil {
				t.Fatal(err)
			}
			if _, _ = h.Write(data); !hmac.Equal(h.Sum(nil), c.Hex(field)) {
				t.Errorf("%s: the HMAC for %v isn't %X", c.ID(), u, c.Hex(field))
			}
		}
		plain := filled(c.Text("data_ascii"), 16)
		for u, field := range map[Usage]string{
			DataRequest: "cbc_enc", DataResponse: "cbc_dec_key_enc",
		} {
			key := aesKey(t, initial, ksn, u, AES128)
			got, err := key.EncryptData(nil, nil, plain)
			if err != nil || !bytes.Equal(got, c.Hex(field)) {
				t.Errorf("%s: the data for %v is %X, not %X, %v", c.ID(), u, got, c.Hex(field), err)
			}
			back, err := key.DecryptData(nil, make([]byte, 16), got)
			if err != nil || !bytes.Equal(back, plain) {
				t.Errorf("%s: the data for %v comes back as %q, %v", c.ID(), u, back, err)
			}
		}
	}
}

// Whether a counter is taken depends on how many bits are set, so one of each number and some by
// chance stand for all of the 4,294,967,296.
func TestAESCounters(t *testing.T) {
	want := vectors.Load(t, "aes_dukpt_counter")[0].Int("valid_counters")
	r := rand.New(rand.NewPCG(1, 2))
	taken := new(big.Int)
	for set := range 33 {
		for range 50 {
			b := []byte("\x12\x34\x56\x78\x90\x12\x34\x56\x00\x00\x00\x00")
			var counter uint32
			for _, bit := range r.Perm(32)[:set] {
				counter |= 1 << bit
			}
			binary.BigEndian.PutUint32(b[8:], counter)
			k, err := ParseAESKSN(b)
			if (err == nil) != (set >= 1 && set <= 16) || err == nil && k.Counter() != counter {
				t.Fatalf("a counter with %d bits: %v", set, err)
			}
			if err == nil {
				taken.Add(taken, new(big.Int).Binomial(32, int64(set)))
			}
		}
	}
	if got := taken.Div(taken, big.NewInt(50)).Int64(); got != int64(want) {
		t.Errorf("%d counters are taken, not %d", got, want)
	}
}
