package dukpt

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"cardswitch/hsm/mac"
)

var (
	testTDESBDK = []byte("\x01\x23\x45\x67\x89\xAB\xCD\xEF\xFE\xDC\xBA\x98\x76\x54\x32\x10")
	testTDESKSN = []byte("\xFF\xFF\x98\x76\x54\x32\x10\xE0\x00\x15")
	testAESBDK  = []byte("\xFE\xDC\xBA\x98\x76\x54\x32\x10\xF1\xF1\xF1\xF1\xF1\xF1\xF1\xF1")
	testAESKSN  = []byte("\x12\x34\x56\x78\x90\x12\x34\x56\x00\x01\xFF\xFE")
)

func usages() []Usage {
	return []Usage{0, PIN, MACRequest, MACResponse, MACBoth, DataRequest, DataResponse, DataBoth,
		KeyEncryption, KeyEncryption + 1}
}

func testAESKeys(t testing.TB, n int) *AESBDK {
	t.Helper()
	b, err := NewAESBDK(bytes.Repeat(testAESBDK, 2)[:n], AESOptions{Allow192: true})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// What may come from which BDK, written out. Nothing is stronger than what it comes from.
func TestWhatMayBeDerived(t *testing.T) {
	allowed := map[int]string{
		16: "tdes2 tdes3 aes128 hmac128",
		24: "tdes2 tdes3 aes128 aes192 hmac128 hmac192",
		32: "tdes2 tdes3 aes128 aes192 aes256 hmac128 hmac192 hmac256",
	}
	names := []string{"none", "tdes2", "tdes3", "aes128", "aes192", "aes256", "hmac128", "hmac192",
		"hmac256", "unknown"}
	ksn := aesKSN(t, testAESKSN)
	for n, list := range allowed {
		bdk := testAESKeys(t, n)
		initial, err := bdk.InitialKey(ksn.ID())
		if err != nil || len(revealed(initial)) != n {
			t.Fatal(err)
		}
		for kind, name := range names {
			for place, u := range usages() {
				want := strings.Contains(" "+list+" ", " "+name+" ") && place > 0 && place < 9
				if strings.HasPrefix(name, "hmac") && (place < 2 || place > 4) {
					want = false // a key for HMAC is for MACs
				}
				key, err := bdk.Key(ksn, u, KeyType(kind))
				_, stepsErr := Steps(initial.t, ksn, u, KeyType(kind))
				if (err == nil) != want || (stepsErr == nil) != want {
					t.Errorf("%d bytes, %s for %v: %v, %v", n, name, u, err, stepsErr)
				}
				if err != nil {
					continue
				}
				size := KeyType(kind).Size()
				if len(revealed(key)) != size || *key.s.bytes != [32]byte(append(revealed(key),
					make([]byte, 32-size)...)) {
					t.Errorf("%d bytes, %s: the key has %d bytes, or some stand behind it", n, name,
						len(revealed(key)))
				}
			}
			_, err := initial.UpdateKey(KeyType(kind))
			want := strings.Contains(" "+list+" ", " "+name+" ") && !strings.HasPrefix(name, "hmac")
			if (err == nil) != want {
				t.Errorf("%d bytes, update key of %s: %v", n, name, err)
			}
		}
	}
	for place, u := range usages() {
		_, err := tdesBDK(t, testTDESBDK).Key(tdesKSN(t, testTDESKSN), u)
		if (err == nil) != (place > 0 && place < 8) {
			t.Errorf("TDES for %v: %v", u, err)
		}
	}
	for _, kind := range []KeyType{0, TDEA2, TDEA3, HMAC128, 99} {
		if _, err := InitialStep(kind, ksn.ID()); err == nil {
			t.Errorf("a BDK of %v", kind)
		}
		if _, err := Steps(kind, ksn, PIN, TDEA2); err == nil {
			t.Errorf("an initial key of %v", kind)
		}
	}
}

// Different usages, types and counters have different keys, except those that the standard makes
// the same.
func TestKeysDiffer(t *testing.T) {
	seen := make(map[string]string)
	bdk := testAESKeys(t, 32)
	tdes := tdesBDK(t, testTDESBDK)
	for counter := byte(1); counter < 20; counter++ {
		a, b := bytes.Clone(testAESKSN), bytes.Clone(testTDESKSN)
		a[11], b[9] = counter, counter
		for _, u := range usages()[1:9] {
			for kind := TDEA2; kind <= HMAC256; kind++ {
				key, err := bdk.Key(aesKSN(t, a), u, kind)
				if err == nil {
					single(t, seen, fmt.Sprint(counter, key), revealed(key)[:16])
				}
			}
			key, err := tdes.Key(tdesKSN(t, b), u)
			if err == nil && u != MACBoth && u != DataBoth {
				single(t, seen, fmt.Sprint("tdes", counter, key), revealed(key))
			}
		}
	}
	if len(seen) < 19*(7*5+3*3+5) {
		t.Errorf("only %d keys", len(seen))
	}
}

func single(t *testing.T, seen map[string]string, name string, key []byte) {
	if other, ok := seen[string(key)]; ok {
		t.Errorf("%s is the same as %s", name, other)
	}
	seen[string(key)] = name
}

func TestKeysThatAreRefused(t *testing.T) {
	id, aid := tdesKSN(t, testTDESKSN).ID(), aesKSN(t, testAESKSN).ID()
	half := bytes.Repeat(testTDESBDK[:8], 2)
	parity := bytes.Clone(half)
	parity[0], parity[9] = parity[0]^1, parity[9]^1
	for _, key := range [][]byte{nil, testTDESBDK[:8], testTDESBDK[:15],
		append(bytes.Clone(testTDESBDK), half[:8]...), half, parity} {
		if _, err := NewTDESBDK(key); err == nil {
			t.Errorf("a TDES BDK of %d bytes", len(key))
		}
		if _, err := NewTDESInitialKey(key, id); err == nil {
			t.Errorf("a TDES initial key of %d bytes", len(key))
		}
	}
	for _, n := range []int{0, 8, 15, 17, 31} {
		key := bytes.Repeat(testAESBDK, 3)[:n]
		if _, err := NewAESBDK(key, AESOptions{Allow192: true}); err == nil {
			t.Errorf("an AES BDK of %d bytes", n)
		}
		if _, err := NewAESInitialKey(key, aid, AESOptions{Allow192: true}); err == nil {
			t.Errorf("an AES initial key of %d bytes", n)
		}
	}
}

// A KSN that isn't there, and one of another terminal, give no key.
func TestKSNsThatAreRefused(t *testing.T) {
	other, aesOther := bytes.Clone(testTDESKSN), bytes.Clone(testAESKSN)
	other[7] ^= 0x20
	aesOther[0]++
	initial, err := tdesBDK(t, testTDESBDK).InitialKey(tdesKSN(t, testTDESKSN).ID())
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range []TDESKSN{{}, tdesKSN(t, other)} {
		if _, err := initial.Key(k, PIN); err == nil {
			t.Errorf("the KSN %v gives a key", k)
		}
	}
	aesInitial := aesInitial(t, testAESBDK, testAESKSN[:8])
	for _, k := range []AESKSN{{}, aesKSN(t, aesOther)} {
		if _, err := aesInitial.Key(k, PIN, AES128); err == nil {
			t.Errorf("the KSN %v gives a key", k)
		}
	}
	if _, err := testAESKeys(t, 16).Key(AESKSN{}, PIN, AES128); err == nil {
		t.Error("no KSN gives a key")
	}
	if _, err := tdesBDK(t, testTDESBDK).Key(TDESKSN{}, PIN); err == nil {
		t.Error("no KSN gives a key")
	}
}

// A key does the one thing that it's for.
func TestOneUsage(t *testing.T) {
	ksn, bdk := aesKSN(t, testAESKSN), testAESKeys(t, 32)
	for kind := TDEA2; kind <= HMAC256; kind++ {
		for _, u := range usages()[1:9] {
			key, err := bdk.Key(ksn, u, kind)
			if err != nil {
				continue
			}
			_, pinErr := key.PINKey()
			_, hmacErr := key.HMAC()
			_, encErr := key.EncryptData(nil, nil, make([]byte, 16))
			_, decErr := key.DecryptData(nil, nil, make([]byte, 16))
			if (pinErr == nil) != (u == PIN) || (hmacErr == nil) != (kind >= HMAC128) ||
				(encErr == nil) != u.forData() || (decErr == nil) != u.forData() {
				t.Errorf("%v: %v, %v, %v, %v", key, pinErr, hmacErr, encErr, decErr)
			}
			for algorithm := mac.Algorithm(0); algorithm < 7; algorithm++ {
				form := mac.Spec{Algorithm: algorithm, Size: 8}
				if algorithm == mac.Retail || algorithm == mac.CBC {
					form.Padding = mac.Padding2
				}
				tdes := algorithm == mac.Retail || algorithm == mac.TDESCMAC
				want := u.forMAC() && (kind <= TDEA3 && tdes ||
					kind >= AES128 && kind <= AES256 && algorithm == mac.AESCMAC)
				if _, err := key.MAC(form); (err == nil) != want {
					t.Errorf("%v with %v: %v", key, algorithm, err)
				}
			}
		}
	}
	data := tdesKey(t, tdesBDK(t, testTDESBDK), tdesKSN(t, testTDESKSN), DataRequest)
	for _, c := range [][2]int{{8, 7}, {7, 8}, {16, 8}, {0, 8}, {8, 17}} {
		if _, err := data.EncryptData(nil, make([]byte, c[0]), make([]byte, c[1])); err == nil {
			t.Errorf("an initial value of %d bytes and data of %d are taken", c[0], c[1])
		}
	}
}

// After Wipe nothing is left of a key, in any copy, and it does nothing.
func TestWipe(t *testing.T) {
	ksn, aksn := tdesKSN(t, testTDESKSN), aesKSN(t, testAESKSN)
	bdk, abdk := tdesBDK(t, testTDESBDK), testAESKeys(t, 32)
	copied, acopied := *bdk, *abdk
	initial, err := bdk.InitialKey(ksn.ID())
	if err != nil {
		t.Fatal(err)
	}
	ainitial, err := abdk.InitialKey(aksn.ID())
	if err != nil {
		t.Fatal(err)
	}
	secrets := []*secret{abdk.s, initial.s, ainitial.s}
	var keys []*Key
	for _, u := range usages()[1:8] {
		keys = append(keys, tdesKey(t, bdk, ksn, u), aesKey(t, ainitial, aksn, u, AES128))
	}
	for _, k := range keys {
		secrets = append(secrets, k.s)
		k.Wipe()
		_, pinErr := k.PINKey()
		_, dataErr := k.DecryptData(nil, nil, nil)
		_, macErr := k.MAC(mac.Spec{})
		if pinErr == nil || dataErr == nil || macErr == nil || len(revealed(k)) != 0 {
			t.Errorf("%v does something after it was wiped", k)
		}
	}
	bdk.Wipe()
	abdk.Wipe()
	initial.Wipe()
	ainitial.Wipe()
	for _, s := range secrets {
		if *s.bytes != [32]byte{} || s.n != 0 {
			t.Error("something is left of a key")
		}
	}
	for name, err := range map[string]error{
		"TDES BDK":         second(bdk.Key(ksn, PIN)),
		"its copy":         second(copied.Key(ksn, PIN)),
		"AES BDK":          second(abdk.Key(aksn, PIN, AES128)),
		"its copy, AES":    second(acopied.Key(aksn, PIN, AES128)),
		"TDES initial key": second(initial.Key(ksn, PIN)),
		"AES initial key":  second(ainitial.Key(aksn, PIN, AES128)),
		"update key":       second(ainitial.UpdateKey(AES128)),
		"no BDK":           second((&TDESBDK{}).Key(ksn, PIN)),
		"no AES BDK":       second((&AESBDK{}).Key(aksn, PIN, AES128)),
		"no key":           second((&Key{u: PIN, t: AES128}).PINKey()),
	} {
		if err == nil {
			t.Errorf("%s: gives a key after it was wiped", name)
		}
	}
}

func second[T any](_ T, err error) error { return err }

// Goroutines that share everything, the bytes of the KSN as well, get the right keys.
func TestSharedByMany(t *testing.T) {
	bdk, abdk := tdesBDK(t, testTDESBDK), testAESKeys(t, 32)
	raw, araw := make([]byte, 10, 64), make([]byte, 12, 64) // room that nobody may write to
	copy(raw, testTDESKSN)
	copy(araw, testAESKSN)
	ksn, aksn := tdesKSN(t, raw), aesKSN(t, araw)
	initial, err := abdk.InitialKey(aksn.ID())
	if err != nil {
		t.Fatal(err)
	}
	want := make(map[Usage][2][]byte)
	for _, u := range usages()[1:8] {
		want[u] = [2][]byte{revealed(tdesKey(t, bdk, ksn, u)),
			revealed(aesKey(t, initial, aksn, u, AES256))}
	}
	var working sync.WaitGroup
	for range 8 {
		working.Go(func() {
			for range 30 {
				for u, keys := range want {
					k, err := ParseTDESKSN(raw)
					a, aerr := ParseAESKSN(araw)
					if err != nil || aerr != nil || k != ksn || a != aksn {
						t.Error("the KSN is another")
					}
					got, err := bdk.Key(k, u)
					if err != nil || !bytes.Equal(revealed(got), keys[0]) {
						t.Errorf("TDES for %v: another key, %v", u, err)
					}
					agot, err := initial.Key(a, u, AES256)
					if err != nil || !bytes.Equal(revealed(agot), keys[1]) {
						t.Errorf("AES for %v: another key, %v", u, err)
					}
				}
			}
		})
	}
	working.Wait()
}

// Prints of every kind, also of structures whose fields no printer may ask, show no key.
func TestNothingPrints(t *testing.T) {
	bdk, abdk := tdesBDK(t, testTDESBDK), testAESKeys(t, 16)
	initial, err := bdk.InitialKey(tdesKSN(t, testTDESKSN).ID())
	if err != nil {
		t.Fatal(err)
	}
	ainitial, err := NewAESInitialKey(testAESBDK, aesKSN(t, testAESKSN).ID(), AESOptions{})
	if err != nil {
		t.Fatal(err)
	}
	key := newKey(AES128, PIN, newSecret(testAESBDK))
	all := struct {
		A *TDESBDK
		B *AESBDK
		C *TDESInitialKey
		D *AESInitialKey
		E *Key
		F Key
		f Key
		d AESInitialKey
		e *Key
		g *AESInitialKey
		h **Key
		i any
		j []*Key
	}{bdk, abdk, initial, ainitial, key, *key, *key, *ainitial, key, ainitial, &key, key, []*Key{key}}
	var out strings.Builder
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%X", "%q", "%d"} {
		for _, v := range []any{bdk, abdk, initial, ainitial, key, *bdk, *abdk, *initial, *ainitial,
			*key, all, &all, []Key{*key}, map[string]*Key{"a": key}} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
	}
	text, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	out.Write(text)
	slog.New(slog.NewTextHandler(&out, nil)).Info("x", "key", key, "all", all)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "key", key, "all", all)
	shown := strings.ToLower(out.String())
	for _, secret := range [][]byte{testTDESBDK[:6], testAESBDK[:6], revealed(initial)[:6]} {
		for _, form := range []string{fmt.Sprintf("%x", secret), fmt.Sprintf("% x", secret),
			strings.Trim(fmt.Sprint(secret), "[]"), strings.ReplaceAll(fmt.Sprint(secret), " ", ","),
			strings.TrimSuffix(strings.TrimPrefix(fmt.Sprintf("%#v", secret), "[]byte{"), "}")} {
			if strings.Contains(shown, form) {
				t.Errorf("a print shows a key as %s", form)
			}
		}
	}
	for _, name := range []string{"(tdes bdk)", "(aes-128 bdk)", "(tdes initial key)",
		"(aes-128 initial key)", "(aes-128 key for pins)"} {
		if !strings.Contains(shown, name) {
			t.Errorf("no print shows %s, so this test tells little", name)
		}
	}
}

func BenchmarkDerive(b *testing.B) {
	ksn, aksn := tdesKSN(b, testTDESKSN), aesKSN(b, testAESKSN)
	bdk, abdk := tdesBDK(b, testTDESBDK), testAESKeys(b, 16)
	initial, err := bdk.InitialKey(ksn.ID())
	if err != nil {
		b.Fatal(err)
	}
	measure := func(name string, derive func() (*Key, error)) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := derive(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	measure("TDES data key from the BDK, 3 bits", func() (*Key, error) {
		return bdk.Key(ksn, DataRequest)
	})
	measure("TDES data key from the initial key, 3 bits", func() (*Key, error) {
		return initial.Key(ksn, DataRequest)
	})
	measure("AES-128 data key from the BDK, 16 bits", func() (*Key, error) {
		return abdk.Key(aksn, DataRequest, AES128)
	})
}
