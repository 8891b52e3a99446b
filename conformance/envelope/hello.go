package envelope

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
)

const (
	optionPadding = 1
	optionShare   = 2
	optionTerm    = 3
	optionStandby = 4

	helloShare = 32 + 1184 // X25519 public key, ML-KEM-768 encapsulation key
	ackShare   = 32 + 1088 // X25519 public key, ML-KEM-768 ciphertext
)

// greeting is a hello or a hello-ack, without its header.
type greeting struct {
	nonce   [32]byte
	link    string  // of a hello
	suites  []Suite // of a hello
	padding bool
	share   []byte
	term    *uint64
	standby bool
}

func (g *greeting) bytes(k kind) []byte {
	b := append([]byte(nil), g.nonce[:]...)
	if k == hello {
		b = append(append(b, byte(len(g.link))), g.link...)
		b = append(b, byte(len(g.suites)))
		for _, s := range g.suites {
			b = append(b, byte(s))
		}
	}
	if g.padding {
		b = append(b, optionPadding, 0, 0)
	}
	if g.share != nil {
		b = append(b, optionShare)
		b = binary.BigEndian.AppendUint16(b, uint16(len(g.share)))
		b = append(b, g.share...)
	}
	if g.term != nil {
		b = binary.BigEndian.AppendUint64(append(b, optionTerm, 0, 8), *g.term)
	}
	if g.standby {
		b = append(b, optionStandby, 0, 0)
	}
	return b
}

var errShort = errors.New("the hello ends too early")

// take splits n bytes off the front.
func take(b *[]byte, n int) ([]byte, error) {
	if len(*b) < n {
		return nil, errShort
	}
	head := (*b)[:n]
	*b = (*b)[n:]
	return head, nil
}

// counted splits off what a byte before it gives the length of.
func counted(b *[]byte, most int) ([]byte, error) {
	n, err := take(b, 1)
	if err != nil {
		return nil, err
	}
	if n[0] == 0 || int(n[0]) > most {
		return nil, fmt.Errorf("a count of %d, not 1 to %d", n[0], most)
	}
	return take(b, int(n[0]))
}

// readGreeting reads the body of a hello or hello-ack.
func readGreeting(k kind, body []byte) (g greeting, err error) {
	nonce, err := take(&body, 32)
	if err != nil {
		return g, err
	}
	g.nonce = [32]byte(nonce)
	if k == hello {
		link, err := counted(&body, 64)
		if err != nil {
			return g, err
		}
		if g.link = string(link); !goodLink(g.link) {
			return g, errors.New("a link id with other characters than ! to ~")
		}
		suites, err := counted(&body, 16)
		if err != nil {
			return g, err
		}
		for i, s := range suites {
			if bytes.IndexByte(suites[:i], s) >= 0 {
				return g, errors.New("a suite is offered twice")
			}
			g.suites = append(g.suites, Suite(s))
		}
	}
	if err := g.options(k, body); err != nil {
		return g, err
	}
	if g.standby && (g.term == nil || k == hello && *g.term != 0) {
		return g, errors.New("a standby whose term isn't 0")
	}
	return g, nil
}

func (g *greeting) options(k kind, b []byte) error {
	size := helloShare
	if k == helloAck {
		size = ackShare
	}
	for last := 0; len(b) > 0; {
		head, err := take(&b, 3)
		if err != nil {
			return err
		}
		value, err := take(&b, int(binary.BigEndian.Uint16(head[1:])))
		if err != nil {
			return err
		}
		option := int(head[0])
		if option <= last {
			return errors.New("the options don't ascend")
		}
		last = option
		switch {
		case option == optionPadding && len(value) == 0:
			g.padding = true
		case option == optionShare && len(value) == size:
			g.share = value
		case option == optionTerm && len(value) == 8:
			g.term = new(binary.BigEndian.Uint64(value))
		case option == optionStandby && len(value) == 0:
			g.standby = true
		case option <= optionStandby:
			return fmt.Errorf("option %d has %d bytes", option, len(value))
		case k == helloAck:
			return fmt.Errorf("option %d in a hello-ack", option)
		}
	}
	return nil
}

func goodLink(id string) bool {
	if len(id) == 0 || len(id) > 64 {
		return false
	}
	for i := range len(id) {
		if id[i] < '!' || id[i] > '~' {
			return false
		}
	}
	return true
}
