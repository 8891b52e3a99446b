package envelope

import (
	"bytes"
	"strings"
	"testing"
)

func testHello() *hello {
	h := &hello{generation: 7, link: testLink, suites: []Suite{GCM, TDES}}
	h.nonce[0], h.session[0], h.padding = 1, 2, true
	return h
}

func TestHelloIsReadAsWritten(t *testing.T) {
	for _, share := range [][]byte{nil, bytes.Repeat([]byte{5}, helloShareSize)} {
		for _, padding := range []bool{false, true} {
			for n := 1; n <= MaxLink; n++ {
				want := testHello()
				want.link, want.padding, want.share = strings.Repeat("L", n), padding, share
				frame := want.frame()
				got, fault := readHello(frame)
				if fault != None || !bytes.Equal(got.frame(), frame) || got.link != want.link {
					t.Fatalf("%+v: %v", got, fault)
				}
			}
		}
	}
}

func TestHelloFaults(t *testing.T) {
	whole := func(change func(h *hello)) []byte {
		h := testHello()
		change(h)
		return h.frame()
	}
	patch := func(at int, b ...byte) []byte {
		f := testHello().frame()
		copy(f[at:], b)
		return f
	}
	after := func(b ...byte) []byte {
		return append(whole(func(h *hello) { h.padding = false }), b...)
	}
	length := headerSize + nonceSize
	for name, c := range map[string]struct {
		frame []byte
		want  Cause
	}{
		"nothing":                {nil, Short},
		"header only":            {testHello().frame()[:headerSize], Short},
		"too long":               {make([]byte, MaxHello+1), TooLong},
		"a suite in the header":  {patch(2, 1), WrongSuite},
		"an epoch":               {patch(6, 0, 1), WrongEpoch},
		"a sequence":             {patch(23, 1), WrongSequence},
		"of the acceptor":        {patch(3, 1), WrongDirection},
		"a flag":                 {patch(3, 4), WrongFlags},
		"no link":                {patch(length, 0), BadHello},
		"link beyond the end":    {patch(length, 255), BadHello},
		"link too long":          {whole(func(h *hello) { h.link = strings.Repeat("L", 65) }), BadHello},
		"link with a blank":      {whole(func(h *hello) { h.link = "POS HQ" }), BadHello},
		"link with a line break": {whole(func(h *hello) { h.link = "POS\nHQ" }), BadHello},
		"link not ASCII":         {whole(func(h *hello) { h.link = "POSé" }), BadHello},
		"no suites":              {whole(func(h *hello) { h.suites = nil }), BadHello},
		"a suite twice":          {whole(func(h *hello) { h.suites = []Suite{1, 1} }), BadHello},
		"17 suites": {whole(func(h *hello) {
			for n := range 17 {
				h.suites = append(h.suites[:n], Suite(n))
			}
		}), BadHello},
		"share of a wrong size": {whole(func(h *hello) { h.share = make([]byte, 100) }), BadHello},
		"option 0":              {after(0, 0, 0), BadHello},
		"option twice":          {after(1, 0, 0, 1, 0, 0), BadHello},
		"options descend":       {after(9, 0, 0, 1, 0, 0), BadHello},
		"option cut":            {after(9, 0), BadHello},
		"option value cut":      {after(9, 0, 2, 1), BadHello},
		"padding with a value":  {after(1, 0, 1, 1), BadHello},
		"an option unknown":     {after(1, 0, 0, 9, 0, 1, 1), None},
	} {
		if _, fault := readHello(c.frame); fault != c.want {
			t.Errorf("%s: %v, want %v", name, fault, c.want)
		}
	}
}

func TestAckFaults(t *testing.T) {
	good := ack{suite: GCM, generation: 7}
	for name, c := range map[string]struct {
		frame []byte
		want  Cause
	}{
		"good":              {good.frame(), None},
		"an option unknown": {append(good.frame(), 9, 0, 0), BadHello},
		"a hello's share":   {(&options{share: make([]byte, 1216)}).append(good.frame()), BadHello},
		"cut":               {good.frame()[:50], Short},
		"too long":          {make([]byte, MaxHello+1), TooLong},
	} {
		if _, fault := readAck(c.frame); fault != c.want {
			t.Errorf("%s: %v, want %v", name, fault, c.want)
		}
	}
}

// Shares that are no keys.
func TestBadShares(t *testing.T) {
	p := Policy{Share: ShareRequired}
	share := headerSize + nonceSize + 1 + len(testLink) + 2 + 3
	order := append([]byte{1}, make([]byte, 31)...) // a point of low order
	for name, c := range map[string]struct {
		stage, at int
		value     []byte
	}{
		"low order in the hello": {0, share, order},
		"low order in the ack":   {1, headerSize + nonceSize + 3, order},
		"no lattice key":         {0, share + 32, bytes.Repeat([]byte{0xFF}, 100)},
	} {
		i, a := open(t, p, p)
		errI, errA := shake(i, a, func(n int, frame []byte) []byte {
			if n == c.stage {
				frame = bytes.Clone(frame)
				copy(frame[c.at:], c.value)
			}
			return frame
		})
		if c.stage == 0 {
			shut(t, i, errI, Alerted)
			shut(t, a, errA, BadShare)
		} else {
			shut(t, i, errI, BadShare)
			shut(t, a, errA, Alerted)
		}
		_ = name
	}
}

func TestNewInitiatorRefuses(t *testing.T) {
	other := func(string, uint16) (Key, Policy, bool) { return Key{8, prfOf(8)}, Policy{}, true }
	any := func(p Policy) Keys {
		return func(_ string, g uint16) (Key, Policy, bool) { return Key{g, prfOf(g)}, p, true }
	}
	for name, c := range map[string]struct {
		link string
		keys Keys
		want Cause
	}{
		"unknown":          {"OTHER", ring(Policy{}, 7), UnknownKey},
		"another key":      {testLink, other, UnknownKey},
		"no link":          {"", any(Policy{}), BadPolicy},
		"long link":        {strings.Repeat("L", 65), any(Policy{}), BadPolicy},
		"suite":            {testLink, any(Policy{Suites: []Suite{3}}), BadPolicy},
		"suite twice":      {testLink, any(Policy{Suites: []Suite{GCM, GCM}}), BadPolicy},
		"share":            {testLink, any(Policy{Share: 3}), BadPolicy},
		"epoch":            {testLink, any(Policy{EpochFrames: 1<<32 + 1}), BadPolicy},
		"frame too big":    {testLink, any(Policy{MaxFrame: 1 << 16}), BadPolicy},
		"frame too little": {testLink, any(Policy{MaxFrame: 127}), BadPolicy},
	} {
		if h, err := NewInitiator(c.link, 7, c.keys); h != nil || CauseOf(err) != c.want {
			t.Errorf("%s: %v", name, err)
		}
	}
}
