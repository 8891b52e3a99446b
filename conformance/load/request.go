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
	shops     []shop
	acquirers [acquirersPerLane][]byte
	second    int64 // of the time that the frame carries
	localTime [12]byte
	at        offsets
}

// offsets are where the data of the patched elements begin in the frame.
type offsets struct {
	card, amount, transmission, audit, local, acquirer, reference int
	terminal, merchant, name, items, cookie                       int
}

func newRequest(lane int) (*request, error) {
	r := &request{lane: uint64(lane), cards: cards.All(), shops: shops(), second: -1}
	for i, id := range Acquirers(lane + 1)[lane*acquirersPerLane:] {
		r.acquirers[i] = []byte(id)
	}
	var err error
	r.frame, err = wire.Build("1200", elements(r.cards[0], string(r.acquirers[0]), r.shops[0])...)
	if err != nil {
		return nil, err
	}
	body, _ := wire.Next(r.frame)
	var m wire.Message
	if !m.Scan(body) {
		return nil, fmt.Errorf("load: the request can't be walked")
	}
	for n, at := range map[int]*int{2: &r.at.card, 4: &r.at.amount, 7: &r.at.transmission,
		11: &r.at.audit, 12: &r.at.local, 32: &r.at.acquirer, 37: &r.at.reference,
		41: &r.at.terminal, 42: &r.at.merchant, 43: &r.at.name, 48: &r.at.items,
		59: &r.at.cookie} {
		*at = wire.HeaderLength + m.Offset(n)
	}
	return r, nil
}

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
	r.vary(frame, mix(sequence<<10|r.lane))
	return dst
}

// vary gives the message a shop, a slip and goods of its own. Were they the same in all messages, a
// journal that compresses would look better than it is.
func (r *request) vary(frame []byte, chance uint64) {
	s := &r.shops[chance%uint64(len(r.shops))]
	copy(frame[r.at.terminal:], s.terminal)
	copy(frame[r.at.merchant:], s.merchant)
	copy(frame[r.at.name:], s.name)
	items := frame[r.at.items:]
	wire.PutNumber(items[slipAt:][:6], chance>>16)
	wire.PutNumber(items[serialAt:][:10], chance>>8)
	wire.PutNumber(items[goodsAt:][:7], chance>>24)
	wire.PutNumber(items[terminalAt:][:13], chance>>4)
	cookie := frame[r.at.cookie+cookieAt:][:cookieSize]
	for i := range cookie {
		if i%16 == 0 {
			chance = mix(chance)
		}
		cookie[i] = "0123456789ABCDEF"[chance>>(i%16*4)&15]
	}
}

// mix makes a number of which no bit shows the one it came from (the finalizer of splitmix64).
func mix(v uint64) uint64 {
	v += 0x9e3779b97f4a7c15
	v = (v ^ v>>30) * 0xbf58476d1ce4e5b9
	v = (v ^ v>>27) * 0x94d049bb133111eb
	return v ^ v>>31
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
