package journal

import (
	"encoding/hex"
	"testing"

	"cardswitch/spec"
)

// TestRecordsOfLevelOne: a record with every part has the bytes that every program of level 1
// reads. Whoever must change them raises the level, see store.Reads.
func TestRecordsOfLevelOne(t *testing.T) {
	r := Record{At: 1_000_007, Kind: Closed, Txn: 90, Center: 3, Dest: 4, STAN: 5, MTI: 0x1210,
		Action: 116, Reason: 4021, Function: 200, Currency: 392, Amount: 12345, Deadline: 2_000_000,
		Advice: 80, Text: "why", Processing: 3000, Moves: 9, Slice: 2, Day: 261126,
		MerchantDay: 261127, PAN: pan(t, "3528120000000016"),
		Key:  KeyOf(3, spec.MTI(0x1200), 261126093000, 412, 12345678901, 11),
		Card: [16]byte{1, 2, 3}, Reference: [12]byte{'R', '1'}}
	r.Add(Image{Role: Request, Base: 1, Link: 7, Dialect: 8, Data: []byte("image"),
		Cut: []byte("cut")})
	const record = "02ffff3f14030405121074b51fc8018803b96003c8f1cfe2cc0712009c030bb5b8" +
		"f0fe2d010203000000000000000000000000005231000000000000000000008089" +
		"7a28037768790e0111070805696d616765b817090286f80f87f80f"
	const secrets = "10352812000000001603637574"
	got := hex.EncodeToString(appendRecord(nil, &r, 100, 1_000_000))
	if got != record {
		t.Errorf("a record is\n%s, it was\n%s", got, record)
	}
	if got = hex.EncodeToString(appendSecrets(nil, &r)); got != secrets {
		t.Errorf("its secrets are\n%s, they were\n%s", got, secrets)
	}
	if f := r.flags(100, 1_000_000); f != 1<<Parts-1 {
		t.Errorf("parts %b are there of %d", f, Parts)
	}
}
