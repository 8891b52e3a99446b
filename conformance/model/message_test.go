package model_test

import (
	"fmt"
	"maps"
	"slices"

	"cardswitch/conformance/load/wire"
	"cardswitch/conformance/model"
)

func build(mti string, e map[int]string) []byte {
	var list []wire.Element
	for _, n := range slices.Sorted(maps.Keys(e)) {
		list = append(list, wire.Element{Number: n, Value: e[n]})
	}
	frame, err := wire.Build(mti, list...)
	if err != nil {
		panic(err)
	}
	return frame
}

// reply answers a message with an action code.
func reply(m *wire.Message, action string) []byte {
	e := map[int]string{39: action}
	for _, n := range []int{2, 3, 4, 7, 11, 12, 32, 33, 37, 41, 42, 49, 56, 59, 93, 94} {
		if m.Has(n) {
			e[n] = string(m.Data(n))
		}
	}
	if m.MTI() == 1804 {
		e[24] = string(m.Data(24))
	}
	if action < "100" {
		e[38] = "A00001"
	}
	return build(fmt.Sprint(m.MTI()&^1+10), e)
}

// reference is the retrieval reference number of a question, which its reversal shares.
func reference(k model.Key) string { return fmt.Sprintf("%04d%08d", k.Kind, k.Number) }

// message is a question as it goes over the wire.
func message(q model.Question, repeat bool) []byte {
	about := q.Key
	if q.Kind == 1420 {
		about = q.Original
	}
	e := map[int]string{2: pan(q.Card), 3: "000000", 4: fmt.Sprintf("%012d", q.Amount),
		11: fmt.Sprintf("%06d", q.Number), 12: local, 24: "200", 26: "5311", 32: acquirer,
		37: reference(about), 41: "T0000001", 42: "AOYAMA000000001", 49: "392"}
	switch q.Kind {
	case 1420:
		e[24], e[25] = "400", "4000"
		e[56] = fmt.Sprintf("%d%06d%s%02d%s", about.Kind, about.Number, local, len(acquirer), acquirer)
	case 1220:
		e[25], e[38], e[39] = "1004", "OFF001", "000"
		fallthrough
	default:
		e[22], e[43] = "510101513344", `AOYAMA\1-2-3 KITA-AOYAMA\TOKYO\107-0061  TKYJPN`
	}
	mti := int(q.Kind)
	if repeat {
		mti++
	}
	return build(fmt.Sprint(mti), e)
}

func pan(card int) string { return []string{"3528100000000005", "3528100000000013"}[card] }
