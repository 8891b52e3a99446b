// Package baseline is a plain pass-through switch, built as the moov-io packages suggest.
//
// It is what one gets in a page of code: their server takes a request, their codec unpacks it, Send
// carries it to the issuer, Reply brings the answer back. No journal, no checks, no reversal. The
// benchmark runs it beside cardswitch on the same machine, so that a ratio remains when machines
// differ.
package baseline

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"

	"github.com/moov-io/iso8583"
	connection "github.com/moov-io/iso8583-connection"
	"github.com/moov-io/iso8583-connection/server"
	"github.com/moov-io/iso8583/encoding"
	"github.com/moov-io/iso8583/field"
	"github.com/moov-io/iso8583/prefix"

	"cardswitch/conformance/load/cards"
	"cardswitch/conformance/load/wire"
)

// Config says where the baseline listens and where its issuers are, in the order of cards.Range.
type Config struct {
	Listen      string
	Issuers     []string
	Connections int // to each issuer
}

// Switch is a running baseline.
type Switch struct {
	server  *server.Server
	issuers [][]*connection.Connection
	turn    atomic.Uint32
	failed  atomic.Uint64
}

// Start connects the issuers, then listens.
func Start(config Config) (*Switch, error) {
	spec := Spec()
	s := &Switch{}
	byReference := connection.SetRequestIDGenerator(reference{})
	for _, address := range config.Issuers {
		var group []*connection.Connection
		for range config.Connections {
			c, err := connection.New(address, spec, readLength, writeLength, byReference)
			if err != nil {
				return nil, fmt.Errorf("baseline: %w", err)
			}
			if err := c.Connect(); err != nil {
				return nil, fmt.Errorf("baseline: %w", err)
			}
			group = append(group, c)
		}
		s.issuers = append(s.issuers, group)
	}
	s.server = server.New(spec, readLength, writeLength,
		connection.InboundMessageHandler(s.received), byReference)
	if err := s.server.Start(config.Listen); err != nil {
		return nil, fmt.Errorf("baseline: %w", err)
	}
	return s, nil
}

// Address is where it listens.
func (s *Switch) Address() string { return s.server.Addr }

// Failed counts requests that couldn't be carried to an issuer or answered.
func (s *Switch) Failed() uint64 { return s.failed.Load() }

// Close ends it without waiting for anything: their Close can wait for ever for a lost answer.
func (s *Switch) Close() {
	go s.server.Close()
	for _, group := range s.issuers {
		for _, c := range group {
			go c.Close()
		}
	}
}

// received runs in a goroutine of its own for each message, as the connection package has it.
func (s *Switch) received(c *connection.Connection, request *iso8583.Message) {
	response, err := s.answer(request)
	if err == nil {
		err = c.Reply(response)
	}
	if err != nil {
		s.failed.Add(1)
	}
}

func (s *Switch) answer(request *iso8583.Message) (*iso8583.Message, error) {
	mti, err := request.GetMTI()
	if err != nil {
		return nil, err
	}
	if strings.HasPrefix(mti, "18") {
		request.MTI("1814")
		return request, request.Field(39, "800")
	}
	card, err := request.GetString(2)
	if err != nil {
		return nil, err
	}
	for _, r := range cards.Ranges() {
		if strings.HasPrefix(card, r.Prefix) {
			group := s.issuers[r.Issuer%len(s.issuers)]
			return group[int(s.turn.Add(1))%len(group)].Send(request)
		}
	}
	return nil, errors.New("no issuer for this card")
}

// reference matches answers by DE 37, which is unique here where DE 11 isn't.
type reference struct{}

func (reference) GenerateRequestID(m *iso8583.Message) (string, error) { return m.GetString(37) }

// Spec is the 1993 table in ASCII with a binary bitmap, as moov writes it.
func Spec() *iso8583.MessageSpec {
	fields := map[int]field.Field{
		0: field.NewString(&field.Spec{Length: 4, Enc: encoding.ASCII, Pref: prefix.ASCII.Fixed}),
		1: field.NewBitmap(&field.Spec{Length: 8, Enc: encoding.Binary, Pref: prefix.Binary.Fixed}),
	}
	prefixes := map[int]prefix.Prefixer{0: prefix.ASCII.Fixed, 2: prefix.ASCII.LL, 3: prefix.ASCII.LLL}
	for n := 2; n <= 128; n++ {
		digits, length := wire.Shape(n)
		spec := &field.Spec{Length: length, Enc: encoding.ASCII, Pref: prefixes[digits]}
		switch n {
		case 52, 53, 55, 64, 65, 96, 128:
			spec.Enc = encoding.Binary
			fields[n] = field.NewBinary(spec)
		default:
			fields[n] = field.NewString(spec)
		}
	}
	return &iso8583.MessageSpec{Name: "1993", Fields: fields}
}

func readLength(r io.Reader) (int, error) {
	var header [wire.HeaderLength]byte
	if _, err := io.ReadFull(r, header[:]); err != nil {
		return 0, err
	}
	return int(binary.BigEndian.Uint16(header[:])), nil
}

func writeLength(w io.Writer, length int) (int, error) {
	return w.Write(binary.BigEndian.AppendUint16(nil, uint16(length)))
}
