package load

import (
	"fmt"
	"time"

	"cardswitch/conformance/load/cards"
	"cardswitch/conformance/load/wire"
)

// maxAuditNumber is where DE 11 starts again at 1.
const maxAuditNumber = 999999

// acquirersPerLane is how many DE 32 a lane alternates when DE 11 starts again, so that (DE 11, DE
// 12, DE 32) doesn't repeat even when a million requests leave within one second of DE 12.
const acquirersPerLane = 2

var tokyo = time.FixedZone("JST", 9*60*60)

// request is the message a lane sends: built once, then patched where it differs from the last.
type request struct {
	lane      uint64
	frame     []byte
	cards     []string
	acquirers [acquirersPerLane][]byte
	second    int64 // of the time that the frame carries
	localTime [12]byte
	at        offsets
}

// offsets are where the data of the patched elements begin in the frame.
type offsets struct {
	card, amount, transmission, audit, local, acquirer, reference int
}

func newRequest(lane int) (*request, error) {
	r := &request{lane: uint64(lane), cards: cards.All(), second: -1}
	for i, id := range Acquirers(lane + 1)[lane*acquirersPerLane:] {
		r.acquirers[i] = []byte(id)
	}
	var err error
	r.frame, err = wire.Build("1200", elements(lane, r.cards[0], string(r.acquirers[0]))...)
	if err != nil {
		return nil, err
	}
	body, _ := wire.Next(r.frame)
	var m wire.Message
	if !m.Scan(body) {
		return nil, fmt.Errorf("load: the request can't be walked")
	}
	for n, at := range map[int]*int{2: &r.at.card, 4: &r.at.amount, 7: &r.at.transmission,
		11: &r.at.audit, 12: &r.at.local, 32: &r.at.acquirer, 37: &r.at.reference} {
		*at = wire.HeaderLength + m.Offset(n)
	}
	return r, nil
}

// elements are those of a sale at a department store: 18, 415 bytes with MTI and bitmap.
func elements(lane int, card, acquirer string) []wire.Element {
	return []wire.Element{
		{Number: 2, Value: card},
		{Number: 3, Value: "000000"},
		{Number: 4, Value: "000000000000"},
		{Number: 7, Value: "0101000000"},
		{Number: 11, Value: "000001"},
		{Number: 12, Value: "260101000000"},
		{Number: 14, Value: "3112"},
		{Number: 22, Value: "510101513344"},
		{Number: 24, Value: "200"},
		{Number: 26, Value: "5311"},
		{Number: 32, Value: acquirer},
		{Number: 37, Value: "000000000001"},
		{Number: 41, Value: fmt.Sprintf("T%07d", lane)},
		{Number: 42, Value: "AOYAMA000000001"},
		{Number: 43, Value: `AOYAMA DEPT STORE\1-2-3 KITA-AOYAMA\MINATO-KU\107-0061  TKYJPN`},
		{Number: 48, Value: additionalData},
		{Number: 49, Value: "392"},
		{Number: 59, Value: cookie},
	}
}

// additionalData is DE 48 as Japanese links use it: items of a tag, a length and a value. Lump sum,
// slip, serial number, goods, tax and shipping, terminal, company, KID.
const additionalData = "000100210" + "0002006004711" + "00030100000001234" + "00040071234567" +
	"0005012000000001000" + "00080131234567890123" + "000900512345" + "0010003739"

// cookie is what a register's maker has carried and wants back, DE 59.
const cookie = "REGISTER 07 OF THE SECOND FLOOR, CASHIER 0123, " +
	"WITH SOME BYTES FOR ITS MAKER, 001"

// size is that of a frame.
func (r *request) size() int { return len(r.frame) }

// setTime puts the time of a batch into the frame; the text changes once a second.
func (r *request) setTime(t time.Time) {
	if t.Unix() == r.second {
		return
	}
	r.second = t.Unix()
	t.In(tokyo).AppendFormat(r.localTime[:0], "060102150405")
	copy(r.frame[r.at.local:], r.localTime[:])
	t.UTC().AppendFormat(r.frame[:r.at.transmission], "0102150405")
}

// append adds one request; the time is that of the last setTime.
func (r *request) append(dst []byte, sequence uint64) []byte {
	begin := len(dst)
	dst = append(dst, r.frame...)
	frame := dst[begin:]
	copy(frame[r.at.card:], r.cards[(sequence*2654435761>>8+r.lane)%uint64(len(r.cards))])
	wire.PutNumber(frame[r.at.amount:][:12], amount(sequence))
	wire.PutNumber(frame[r.at.audit:][:6], auditNumber(sequence))
	copy(frame[r.at.acquirer:], r.acquirer(sequence))
	wire.Reference{Lane: r.lane, Sequence: sequence}.Put(frame[r.at.reference:])
	return dst
}

// amount is what the n-th sale of a lane costs: 100 to 10,072 yen.
func amount(sequence uint64) uint64 { return 100 + sequence%9973 }

// auditNumber is DE 11 of the n-th message of a lane.
func auditNumber(sequence uint64) uint64 { return (sequence-1)%maxAuditNumber + 1 }

// acquirer is DE 32 of the n-th message of a lane.
func (r *request) acquirer(sequence uint64) []byte {
	return r.acquirers[(sequence-1)/maxAuditNumber%acquirersPerLane]
}

// Acquirers lists the DE 32 of a number of connections: what the switch's center must allow.
func Acquirers(connections int) []string {
	ids := make([]string, 0, connections*acquirersPerLane)
	for i := range connections * acquirersPerLane {
		ids = append(ids, fmt.Sprintf("900%08d", i+1))
	}
	return ids
}

// signOnMessage is 1804/801 from a merchant center.
func signOnMessage(destination, originator string, now time.Time) ([]byte, error) {
	return wire.Build("1804",
		wire.Element{Number: 7, Value: now.UTC().Format("0102150405")},
		wire.Element{Number: 11, Value: "000000"},
		wire.Element{Number: 12, Value: now.In(tokyo).Format("060102150405")},
		wire.Element{Number: 24, Value: "801"},
		wire.Element{Number: 93, Value: destination},
		wire.Element{Number: 94, Value: originator})
}
