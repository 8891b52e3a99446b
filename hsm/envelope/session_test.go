package envelope

import (
	"bytes"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
)

func TestMessagesPassBothWays(t *testing.T) {
	for name, p := range shapes() {
		t.Run(name, func(t *testing.T) {
			i, a := pair(t, p, p)
			for n := 1; n < 1100; n += 7 {
				passes(t, i, a, strings.Repeat("m", n))
				passes(t, a, i, strings.Repeat("w", n))
			}
		})
	}
}

func TestSizeIsKnownBeforehand(t *testing.T) {
	for name, p := range shapes() {
		t.Run(name, func(t *testing.T) {
			i, _ := pair(t, p, p)
			for n := 1; n < 300; n++ {
				frame := seal(t, i, strings.Repeat("m", n))
				if len(frame) != i.Sealer().Size(n) {
					t.Fatalf("%d bytes make a frame of %d, told as %d", n, len(frame),
						i.Sealer().Size(n))
				}
				if name == "GCM" && len(frame) != n+40 {
					t.Fatalf("%d bytes make a frame of %d", n, len(frame))
				}
				if p.Padding && (len(frame)-i.Sealer().Size(1))%64 != 0 {
					t.Fatalf("a padded message of %d bytes shows its length", n)
				}
			}
		})
	}
}

func TestSealInPlace(t *testing.T) {
	for name, p := range shapes() {
		t.Run(name, func(t *testing.T) {
			i, a := pair(t, p, p)
			s := i.Sealer()
			// As a link's writer does it: a length, room, the message; and so on.
			buf := make([]byte, 0, 1<<16)
			var ends []int
			for n := 1; n < 200; n++ {
				buf = append(buf, 0xAA, 0xBB)
				at := len(buf)
				message := buf[at+s.Headroom() : at+s.Headroom()+n]
				for k := range message {
					message[k] = byte(n)
				}
				before := &buf[0]
				var err error
				if buf, err = s.Seal(buf, message); err != nil {
					t.Fatal(err)
				}
				if &buf[0] != before {
					t.Fatal("moved, in spite of the room there was")
				}
				ends = append(ends, len(buf))
			}
			at := 0
			for n, end := range ends {
				if !bytes.Equal(buf[at:at+2], []byte{0xAA, 0xBB}) {
					t.Fatal("a frame was written over what stood before it")
				}
				got, err := a.Opener().Open(buf[at+2 : end])
				if err != nil || !bytes.Equal(got, bytes.Repeat([]byte{byte(n + 1)}, n+1)) {
					t.Fatalf("message %d: %x, %v", n, got, err)
				}
				at = end
			}
		})
	}
}

// A message that lies in place, in a buffer without room for the tag, is moved with the buffer.
func TestSealInPlaceWithoutRoomBehind(t *testing.T) {
	for name, p := range shapes() {
		i, a := pair(t, p, p)
		at := i.Sealer().Headroom()
		buf := make([]byte, at+5)
		copy(buf[at:], "hello")
		frame, err := i.Sealer().Seal(buf[:0], buf[at:])
		must(t, err)
		got, err := a.Opener().Open(frame)
		if string(got) != "hello" || err != nil {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

func TestNothingReadableOnTheWire(t *testing.T) {
	for name, p := range shapes() {
		i, _ := pair(t, p, p)
		message := "0200" + strings.Repeat("1234567890123456", 8)
		frame := seal(t, i, message)
		for n := 0; n+4 <= len(message); n++ {
			if bytes.Contains(frame, []byte(message[n:n+4])) {
				t.Fatalf("%s: %q is on the wire", name, message[n:n+4])
			}
		}
	}
}

func TestSealRefusesAMessageNotTheSession(t *testing.T) {
	p := Policy{MaxFrame: 200}
	i, a := pair(t, p, p)
	dst := []byte("kept")
	for want, message := range map[Cause]string{Empty: "", TooLong: strings.Repeat("m", 161)} {
		got, err := i.Sealer().Seal(dst, []byte(message))
		if err != want || string(got) != "kept" {
			t.Errorf("%d bytes: %q, %v", len(message), got, err)
		}
	}
	passes(t, i, a, strings.Repeat("m", 160))
}

func TestOrderlyClose(t *testing.T) {
	for name, p := range shapes() {
		i, a := pair(t, p, p)
		passes(t, i, a, "last")
		frame, err := i.Sealer().Close(nil)
		must(t, err)
		for range 2 {
			if _, err := a.Opener().Open(frame); err != io.EOF {
				t.Fatalf("%s: a close gives %v", name, err)
			}
		}
		// The other direction goes on.
		passes(t, a, i, "answer")
		if _, err := i.Sealer().Seal(nil, []byte("more")); err != Ended {
			t.Errorf("%s: sealed after the close: %v", name, err)
		}
		if _, err := i.Sealer().Close(nil); err != Ended {
			t.Errorf("%s: closed twice: %v", name, err)
		}
	}
}

func TestAlertAfterARefusal(t *testing.T) {
	i, a := pair(t, Policy{}, Policy{})
	refuses(t, a, flipped(seal(t, i, "one"), 300), WrongTag)
	frame, err := a.Sealer().Alert(nil)
	must(t, err)
	refuses(t, i, frame, Alerted)
	if _, err := a.Sealer().Alert(nil); err != Ended {
		t.Errorf("a second alert: %v", err)
	}
}

// An alert in clear could be anyone's. It ends the session as any wrong frame would.
func TestAlertInClear(t *testing.T) {
	i, a := pair(t, Policy{}, Policy{})
	refuses(t, i, alert(acceptor), Alerted)
	refuses(t, a, alert(acceptor), WrongSuite)
}

func TestEnd(t *testing.T) {
	i, a := pair(t, Policy{}, Policy{Share: ShareOffered})
	frame := seal(t, a, "late")
	must(t, i.Install(8, prfOf(8)))
	waiting := [][]generation{i.sealer.pending.list, i.opener.pending.list}
	i.End()
	for _, list := range waiting {
		if list[0] != (generation{}) {
			t.Error("a pending secret is left")
		}
	}
	if _, err := i.Sealer().Seal(nil, []byte("x")); err != Ended {
		t.Errorf("seal after the end: %v", err)
	}
	if _, err := i.Opener().Open(frame); err != Ended {
		t.Errorf("open after the end: %v", err)
	}
	if err := i.Install(9, prfOf(9)); err != Ended {
		t.Errorf("install after the end: %v", err)
	}
	if err := i.Switch(8); err != Ended {
		t.Errorf("switch after the end: %v", err)
	}
	i.End()
	zero := secret{}
	if i.origin.shared != zero || i.sealer.channel.secret != zero || i.opener.channel.secret != zero ||
		i.sealer.channel.iv != [12]byte{} || i.opener.channel.aead != nil ||
		i.sealer.pending.list != nil || i.opener.pending.list != nil {
		t.Error("a secret is left")
	}
}

func TestAllocatesNothing(t *testing.T) {
	for name, p := range shapes() {
		t.Run(name, func(t *testing.T) {
			i, a := pair(t, p, p)
			message := bytes.Repeat([]byte("0100"), 100)
			buf := make([]byte, 0, 1024)
			if n := testing.AllocsPerRun(1000, func() {
				frame, err := i.Sealer().Seal(buf, message)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := a.Opener().Open(frame); err != nil {
					t.Fatal(err)
				}
			}); n != 0 {
				t.Errorf("%v allocations a message", n)
			}
		})
	}
}

// Any mix of lengths, ratchets, generations and shapes: what goes in comes out.
func TestRandomWalk(t *testing.T) {
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 1))
		p := Policy{Padding: r.IntN(2) == 0, EpochFrames: uint64(1 + r.IntN(50))}
		if r.IntN(2) == 0 {
			p.Suites = []Suite{TDES}
		}
		i, a := pair(t, p, p)
		ends := [2]*Session{i, a}
		generation := uint16(7)
		for range 500 {
			from := r.IntN(2)
			switch r.IntN(20) {
			case 0:
				if mostWaiting(i, a) < mostPending {
					generation++
					must(t, i.Install(generation, prfOf(generation)))
					must(t, a.Install(generation, prfOf(generation)))
				}
			case 1:
				must(t, ends[from].Switch(generation))
			case 2:
				ends[from].Ratchet()
			}
			message := make([]byte, 1+r.IntN(300))
			for k := range message {
				message[k] = byte(r.Uint32())
			}
			passes(t, ends[from], ends[1-from], string(message))
		}
	}
}

func mostWaiting(sessions ...*Session) int {
	n := 0
	for _, s := range sessions {
		n = max(n, s.sealer.pending.len(), s.opener.pending.len())
	}
	return n
}
