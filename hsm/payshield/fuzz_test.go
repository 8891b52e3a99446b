package payshield

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"cardswitch/hsm"
)

// FuzzAnswer reads any answer as that of each command.
func FuzzAnswer(f *testing.F) {
	for _, seed := range []string{
		"0000ND00" + someLMK + firmware, "0000A100" + zoneA + "4FE9FD", "0000BV002356F2",
		"0248CD00060E4A2BFA78E244FF01", "0048M700C57E4295", "0013M30001234567890ABCDE0008ABCDEFGH",
		"0004A900RB0080K0TN00N00001C414014375212C24995E405B5EE052CB92B67F455EA2680F6751088F9F1C228" +
			"5C9405",
		"0000A110", "0000", "", "0000M901", "0000A100S99999", "0000A100S0005",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, message []byte) {
		a, err := parseAnswer(4, message)
		if err != nil {
			if !errors.Is(err, errFormat) {
				t.Errorf("error %v", err)
			}
			return
		}
		if joined := a.header + a.code + a.result + string(a.rest); joined != string(message) {
			t.Errorf("%q became %q", message, joined)
		}
		rest := bytes.Clone(a.rest)
		if k, err := readKey(rest); err == nil && k.block+k.check != string(rest) {
			t.Errorf("key %+v of %q", k, rest)
		} else if err == nil {
			_, err := readHeader(k.block)
			if err != nil && !errors.Is(err, hsm.ErrKey) {
				t.Errorf("error %v", err)
			}
		}
		if b, c, err := readExport(rest); err == nil && "R"+b+c != string(rest) {
			t.Errorf("export %s, %s of %q", b, c, rest)
		}
		if c, err := readCheck(rest); err == nil && c != string(rest) {
			t.Errorf("check %s of %q", c, rest)
		}
		if b, err := readPIN(rest, "01"); err == nil && (len(b) != pinBlockSize || len(rest) != 20) {
			t.Errorf("PIN block of %d bytes of %q", len(b), rest)
		}
		for _, n := range []int{4, 8} {
			if b, err := readMAC(rest, n); err == nil && (len(b) != n || len(rest) != 2*n) {
				t.Errorf("MAC of %d bytes of %q", len(b), rest)
			}
		}
		if d, err := readDecrypt(rest, 8); err == nil && (len(d) != 8 || len(rest) != 28) {
			t.Errorf("data of %d bytes of %q", len(d), rest)
		}
		if id, err := readIdentity(rest); err == nil && id.lmkCheck+id.firmware != string(rest) {
			t.Errorf("identity %+v of %q", id, rest)
		}
		if !bytes.Equal(rest, a.rest) {
			t.Error("reading changes the answer")
		}
		text := refusal(zonePIN, a.result).Error() + refusal(makeKey, a.result).Error()
		if !strings.HasPrefix(text, "payshield: ") {
			t.Error(text)
		}
	})
}

// FuzzFrames cuts any stream.
func FuzzFrames(f *testing.F) {
	f.Add([]byte("\x00\x06HEADNC\x00\x00\x00\x01x"), uint8(1))
	f.Add([]byte("\xff\xffHEAD"), uint8(3))
	f.Add([]byte{}, uint8(0))
	f.Fuzz(func(t *testing.T, stream []byte, piece uint8) {
		whole := newFrames(bytes.NewReader(stream))
		pieces := newFrames(&slow{rest: stream, piece: int(piece)%7 + 1})
		taken := 0
		for {
			a, errA := whole.next()
			b, errB := pieces.next()
			if !bytes.Equal(a, b) || (errA == nil) != (errB == nil) {
				t.Fatalf("%q, %v in one; %q, %v in pieces", a, errA, b, errB)
			}
			if errA != nil {
				if errA != errB || errA != io.EOF && errA != io.ErrUnexpectedEOF {
					t.Errorf("errors %v and %v", errA, errB)
				}
				if (errA == io.EOF) != (taken == len(stream)) {
					t.Errorf("%v after %d of %d bytes", errA, taken, len(stream))
				}
				return
			}
			taken += lengthSize + len(a)
		}
	})
}

// slow gives a few bytes at a time.
type slow struct {
	rest  []byte
	piece int
}

func (s *slow) Read(b []byte) (int, error) {
	if len(s.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(b, s.rest[:min(s.piece, len(s.rest))])
	s.rest = s.rest[n:]
	return n, nil
}
