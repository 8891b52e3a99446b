package issuer

import (
	"net"

	"cardswitch/conformance/load/wire"
)

// bufferSize holds several hundred messages, the most that one read or write may carry.
const bufferSize = 256 << 10

// session is one connection of the switch.
type session struct {
	issuer   *Issuer
	in, out  []byte
	message  wire.Message
	report   Report
	approval [6]byte

	financial, authorization, advice, reversal, network wire.Echo
}

func newSession(i *Issuer) *session {
	echoed := []int{2, 3, 4, 7, 11, 12, 32, 33, 37, 41, 42, 48, 49, 59, 100, 102, 103}
	reversal := append([]int{56}, echoed...)
	return &session{
		issuer:        i,
		in:            make([]byte, 0, bufferSize),
		out:           make([]byte, 0, bufferSize),
		authorization: wire.NewEcho("1110", "000", echoed...),
		financial:     wire.NewEcho("1210", "000", echoed...),
		advice:        wire.NewEcho("1230", "900", echoed...),
		reversal:      wire.NewEcho("1430", "400", reversal...),
		network:       wire.NewEcho("1814", "800", 7, 11, 12, 59, 93, 94),
	}
}

// serve answers until the connection ends; how it ends is the switch's business.
func (s *session) serve(conn net.Conn) {
	for {
		n, err := conn.Read(s.in[len(s.in):cap(s.in)])
		if err != nil {
			return
		}
		rest := s.answerAll(s.in[:len(s.in)+n])
		s.in = s.in[:copy(s.in[:cap(s.in)], rest)]
		s.publish()
		if len(s.out) == 0 {
			continue
		}
		if _, err := conn.Write(s.out); err != nil {
			return
		}
		s.out = s.out[:0]
	}
}

func (s *session) answerAll(buffered []byte) (rest []byte) {
	for {
		body, rest := wire.Next(buffered)
		if body == nil {
			return rest
		}
		buffered = rest
		if !s.message.Scan(body) {
			s.report.Malformed++
			continue
		}
		s.answer(&s.message)
	}
}

func (s *session) answer(m *wire.Message) {
	switch m.MTI() {
	case 1200, 1201:
		s.post(m)
		s.out = s.financial.AppendAnswer(s.out, m, s.approval[:])
	case 1100, 1101:
		s.out = s.authorization.AppendAnswer(s.out, m, s.approval[:])
	case 1220, 1221:
		s.report.Advices++
		s.out = s.advice.AppendAnswer(s.out, m, nil)
	case 1420, 1421:
		s.report.Reversals++
		s.out = s.reversal.AppendAnswer(s.out, m, nil)
	case 1804, 1805:
		s.report.Network++
		s.out = s.network.AppendAnswer(s.out, m, nil)
	default:
		s.report.Unexpected++
	}
}

// post books a sale: once by its retrieval reference number, a second time as a duplicate.
func (s *session) post(m *wire.Message) {
	reference, ok := wire.ParseReference(m.Data(37))
	if !ok || !m.Has(4) {
		s.report.Malformed++
		return
	}
	wire.PutNumber(s.approval[:], reference.Sequence%1000000)
	if s.issuer.seen.mark(reference.Lane, reference.Sequence) {
		s.report.Duplicates++
		return
	}
	s.report.Postings++
	s.report.Amount += wire.Number(m.Data(4))
}

// publish adds what this batch counted to the issuer's counts.
func (s *session) publish() {
	c := &s.issuer.counts
	if s.report.Postings > 0 {
		c.postings.Add(s.report.Postings)
		c.amount.Add(s.report.Amount)
	}
	rare := s.report.Duplicates + s.report.Reversals + s.report.Advices + s.report.Network +
		s.report.Malformed + s.report.Unexpected
	if rare > 0 {
		c.duplicates.Add(s.report.Duplicates)
		c.reversals.Add(s.report.Reversals)
		c.advices.Add(s.report.Advices)
		c.network.Add(s.report.Network)
		c.malformed.Add(s.report.Malformed)
		c.unexpected.Add(s.report.Unexpected)
	}
	s.report = Report{}
}
