package load

import (
	"fmt"
	"strings"
	"time"

	"cardswitch/conformance/load/cards"
	"cardswitch/conformance/load/wire"
)

// maxAuditNumber is where DE 11 starts again at 1.
const maxAuditNumber = 999999

// acquirersPerLane is how many DE 32 a lane alternates when DE 11 starts again, so that (DE 11, DE 12,
// DE 32) doesn't repeat even when a million requests leave within one second of DE 12.
const acquirersPerLane = 2

var tokyo = time.FixedZone("JST", 9*60*60)

// request is the message a lane sends: built once, then patched where it differs from the last.
type request struct {
	lane      uint64
	frame     []byte
	at        map[int]int // offsets of the data of patched elements in the frame
	acquirers [acquirersPerLane][]byte
	cards     []string
	second    int64
	localTime [12]byte

	pan, amount, audit, acquirerAt, reference int
}

func newRequest(lane int) (*request, error) {
	r := &request{lane: uint64(lane), cards: cards.All(), second: -1}
	for i, id := range Acquirers(lane + 1)[lane*acquirersPerLane:] {
		r.acquirers[i] = []byte(id)
	}
	frame, err := wire.Build("1200",
		wire.Element{Number: 2, Value: r.cards[0]},
		wire.Element{Number: 3, Value: "000000"},
		wire.Element{Number: 4, Value: "000000001000"},
		wire.Element{Number: 7, Value: "0101000000"},
		wire.Element{Number: 11, Value: "000001"},
		wire.Element{Number: 12, Value: "260101000000"},
		wire.Element{Number: 14, Value: "3112"},
		wire.Element{Number: 22, Value: "510101513344"},
		wire.Element{Number: 24, Value: "200"},
		wire.Element{Number: 26, Value: "5411"},
		wire.Element{Number: 32, Value: string(r.acquirers[0])},
		wire.Element{Number: 37, Value: "000000000001"},
		wire.Element{Number: 41, Value: fmt.Sprintf("T%07d", lane)},
		wire.Element{Number: 42, Value: "AOYAMA000000001"},
		wire.Element{Number: 43, Value: `AOYAMA DEPARTMENT STORE\1-2-3 KITA-AOYAMA\MINATO-KU\107-0061  TKYJPN`[:64]},
		wire.Element{Number: 48, Value: additionalData()},
		wire.Element{Number: 49, Value: "392"},
		wire.Element{Number: 59, Value: strings.Repeat("REGISTER-07 ", 7)[:77]})
	if err != nil {
		return nil, err
	}
	r.frame = frame
	return r, r.locate()
}
