package envelope

import (
	"encoding/binary"
	"errors"
	"math"
	"sync"
	"testing"
)

func install(t testing.TB, generation uint16, sessions ...*Session) {
	t.Helper()
	for _, s := range sessions {
		must(t, s.Install(generation, prfOf(generation)))
	}
}

func TestSwitch(t *testing.T) {
	for _, p := range []Policy{{}, {Share: ShareOffered}, {Suites: []Suite{TDES}}} {
		i, a := pair(t, p, p)
		passes(t, i, a, "old")
		install(t, 8, i, a)
		passes(t, i, a, "still old")
		must(t, i.Switch(8))
		if at(i) != "{7 0} {7 0}" {
			t.Errorf("moved before its next frame: %v", at(i))
		}
		passes(t, i, a, "new")
		passes(t, i, a, "new again")
		passes(t, a, i, "old, the other way")
		if at(i) != "{8 0} {7 0}" || at(a) != "{7 0} {8 0}" {
			t.Errorf("stand at %v and %v", at(i), at(a))
		}
		must(t, a.Switch(8))
		passes(t, a, i, "new, the other way")
		must(t, a.Switch(8))
		passes(t, a, i, "and on")
		if at(i) != "{8 0} {8 0}" || at(a) != "{8 0} {8 0}" {
			t.Errorf("stand at %v and %v", at(i), at(a))
		}
	}
}

// What was sealed before the switch arrives before it: nothing is lost.
func TestFramesUnderwayAtASwitch(t *testing.T) {
	i, a := pair(t, Policy{}, Policy{})
	install(t, 8, a, i)
	underway := [][]byte{seal(t, i, "1"), seal(t, i, "2")}
	must(t, i.Switch(8))
	underway = append(underway, seal(t, i, "3"))
	for n, frame := range underway {
		got, err := a.Opener().Open(frame)
		if err != nil || string(got) != string(rune('1'+n)) {
			t.Fatalf("frame %d: %q, %v", n, got, err)
		}
	}
}

// A third generation comes before both directions have gone to the second; the prototype, which had
// room for one, came to a stop here.
func TestThirdGeneration(t *testing.T) {
	i, a := pair(t, Policy{}, Policy{})
	install(t, 8, i, a)
	must(t, i.Switch(8))
	passes(t, i, a, "i is on 8, a is silent")
	install(t, 9, i, a)
	must(t, i.Switch(9))
	passes(t, i, a, "i is on 9")
	must(t, a.Switch(8))
	passes(t, a, i, "a comes to 8 only now")
	must(t, a.Switch(9))
	passes(t, a, i, "and to 9")

	// Or it leaves one out.
	install(t, 10, i, a)
	install(t, 11, i, a)
	must(t, a.Switch(11))
	passes(t, a, i, "from 9 to 11")
	if err := a.Switch(10); err != NotInstalled {
		t.Errorf("back to 10: %v", err)
	}
	must(t, i.Switch(10))
	passes(t, i, a, "in order")
	must(t, i.Switch(11))
	passes(t, i, a, "in order")
	if at(i) != "{11 0} {11 0}" || at(a) != "{11 0} {11 0}" || mostWaiting(i, a) != 0 {
		t.Errorf("stand at %v and %v", at(i), at(a))
	}
}

func TestGenerationsNeverGoBack(t *testing.T) {
	i, a := pair(t, Policy{}, Policy{})
	install(t, 8, i, a)
	install(t, 9, i, a)
	must(t, i.Switch(9))
	if err := i.Switch(8); err != NotInstalled {
		t.Errorf("an order taken back: %v", err)
	}
	if err := i.Switch(7); err != NotInstalled {
		t.Errorf("an order taken back: %v", err)
	}
	passes(t, i, a, "on 9")
	for _, number := range []uint16{7, 8, 10} {
		if err := i.Switch(number); err != NotInstalled {
			t.Errorf("switch from 9 to %d: %v", number, err)
		}
	}
	for _, number := range []uint16{9, 8, 7, 6, 0, 65535, 9 + 32768, 9 + 40000} {
		if err := i.Install(number, prfOf(number)); err != NotLater {
			t.Errorf("install %d after 9: %v", number, err)
		}
	}
	// The old keys are gone: what they sealed is refused.
	j, b := pair(t, Policy{}, Policy{})
	old := *j.sealer.channel
	install(t, 8, j, b)
	must(t, j.Switch(8))
	passes(t, j, b, "on 8")
	frame := make([]byte, old.size(4))
	(&old).seal(frame, []byte("late"), typeData)
	refuses(t, b, frame, WrongGeneration)
}

func TestGenerationsCountRound(t *testing.T) {
	keys := func(_ string, g uint16) (Key, Policy, bool) { return Key{g, prfOf(g)}, Policy{}, true }
	start := func(g uint16) (i, a *Session) {
		hi, err := NewInitiator(testLink, g, keys)
		must(t, err)
		ha := NewAcceptor(keys)
		errI, errA := shake(hi, ha, straight)
		must(t, errI)
		must(t, errA)
		return hi.Session(), ha.Session()
	}
	i, a := start(65534)
	for _, number := range []uint16{65535, 0, 1} {
		install(t, number, i, a)
		must(t, i.Switch(number))
		passes(t, i, a, "round")
	}
	if err := i.Install(65535, prfOf(65535)); err != NotLater {
		t.Errorf("65535 after 1: %v", err)
	}
	// A number never comes twice on a connection, however long it lives.
	i, a = start(100)
	for _, number := range []uint16{100 + 32767, 65500, 99} {
		install(t, number, i, a)
		must(t, i.Switch(number))
		must(t, a.Switch(number))
		passes(t, i, a, "far")
		passes(t, a, i, "far")
	}
	for _, number := range []uint16{100, 101, 5000} {
		if err := i.Install(number, prfOf(number)); err != NotLater {
			t.Errorf("%d a second time round: %v", number, err)
		}
	}
}

func TestTooManyGenerations(t *testing.T) {
	i, a := pair(t, Policy{}, Policy{})
	for g := uint16(8); g < 8+mostPending; g++ {
		install(t, g, i, a)
	}
	if err := i.Install(99, prfOf(99)); err != TooManyKeys {
		t.Fatalf("one more: %v", err)
	}
	// None was replaced: each still serves.
	for g := uint16(8); g < 8+mostPending; g++ {
		for _, s := range []*Session{i, a} {
			must(t, s.Switch(g))
		}
		passes(t, i, a, "in order")
		passes(t, a, i, "in order")
	}
	install(t, 99, i, a)
}

// What a direction has passed is erased, and not only forgotten.
func TestPassedSecretsAreErased(t *testing.T) {
	i, a := pair(t, Policy{}, Policy{})
	for g := uint16(8); g <= 11; g++ {
		install(t, g, i, a)
	}
	must(t, i.Switch(10))
	before, opened := i.sealer.channel, a.opener.channel
	passes(t, i, a, "on 10")
	for _, p := range []*pending{&i.sealer.pending, &a.opener.pending} {
		if len(p.list) != 1 || p.list[0].number != 11 {
			t.Fatalf("%d generations wait", len(p.list))
		}
		for n, g := range p.list[1:4] {
			if g != (generation{}) {
				t.Errorf("secret %d is left", n)
			}
		}
	}
	for _, c := range []*channel{before, opened} {
		if c.secret != (secret{}) || c.iv != [12]byte{} || c.aead != nil {
			t.Error("keys of the generation before are left")
		}
	}
}

func TestInstallFails(t *testing.T) {
	i, a := pair(t, Policy{}, Policy{})
	err := i.Install(8, brokenPRF{})
	if !errors.Is(err, KeyFailed) || !errors.Is(err, errHSM) {
		t.Errorf("%v", err)
	}
	if err := i.Install(8, idlePRF{}); !errors.Is(err, KeyFailed) {
		t.Errorf("a module that gives zeros: %v", err)
	}
	passes(t, i, a, "goes on")
	install(t, 8, i, a)
	must(t, i.Switch(8))
	passes(t, i, a, "with the key after all")
}

func TestAGenerationTheReceiverHasNot(t *testing.T) {
	i, a := pair(t, Policy{}, Policy{})
	install(t, 8, i)
	must(t, i.Switch(8))
	refuses(t, a, seal(t, i, "too early"), WrongGeneration)

	// Another key under the number.
	i, a = pair(t, Policy{}, Policy{})
	install(t, 8, i)
	must(t, a.Install(8, prfOf(9)))
	must(t, i.Switch(8))
	refuses(t, a, seal(t, i, "wrong key"), WrongTag)

	// Not its first frame, or not its first epoch.
	i, a = pair(t, Policy{}, Policy{})
	install(t, 8, i, a)
	must(t, i.Switch(8))
	seal(t, i, "lost")
	refuses(t, a, seal(t, i, "second"), WrongSequence)
	i, a = pair(t, Policy{}, Policy{})
	install(t, 8, i, a)
	must(t, i.Switch(8))
	seal(t, i, "lost")
	i.Ratchet()
	refuses(t, a, seal(t, i, "of epoch 1"), WrongEpoch)
}

func TestRatchetByCountAndByOrder(t *testing.T) {
	for _, p := range []Policy{{EpochFrames: 3}, {EpochFrames: 3, Suites: []Suite{TDES}}} {
		i, a := pair(t, p, Policy{Suites: p.Suites})
		for range 10 {
			passes(t, i, a, "counted")
			passes(t, a, i, "not counted there")
		}
		// 11 frames with the finished: 3, 3, 3, 2.
		if at(i) != "{7 3} {7 0}" || at(a) != "{7 0} {7 3}" {
			t.Errorf("stand at %v and %v", at(i), at(a))
		}
		a.Ratchet()
		a.Ratchet()
		passes(t, a, i, "by order")
		if at(a) != "{7 1} {7 3}" {
			t.Errorf("stands at %v", at(a))
		}
		// A new generation begins at epoch 0.
		install(t, 8, i, a)
		must(t, i.Switch(8))
		i.Ratchet()
		passes(t, i, a, "new")
		if at(i) != "{8 0} {7 1}" {
			t.Errorf("stands at %v", at(i))
		}
	}
}

func TestEveryFrameAnEpoch(t *testing.T) {
	p := Policy{EpochFrames: 1}
	i, a := pair(t, p, p)
	for range 5 {
		passes(t, i, a, "m")
		passes(t, a, i, "w")
	}
	if at(i) != "{7 5} {7 5}" {
		t.Errorf("stands at %v", at(i))
	}
}

func TestOldEpochIsRefused(t *testing.T) {
	i, a := pair(t, Policy{}, Policy{})
	old := *i.sealer.channel
	i.Ratchet()
	passes(t, i, a, "epoch 1")
	frame := make([]byte, old.size(4))
	(&old).seal(frame, []byte("late"), typeData)
	refuses(t, a, frame, WrongEpoch)
}

// lead sets both ends of a direction to a place far on.
func lead(from, to *Session, epoch uint16, sequence uint64) {
	for _, c := range []*channel{from.sealer.channel, to.opener.channel} {
		c.header.epoch, c.header.sequence = epoch, sequence
		c.load()
	}
}

func TestTheLastEpoch(t *testing.T) {
	p := Policy{EpochFrames: 2}
	i, a := pair(t, p, p)
	lead(i, a, math.MaxUint16, 1)
	passes(t, i, a, "the last of this generation")
	for range 2 {
		if _, err := i.Sealer().Seal(nil, []byte("one more")); err != Exhausted {
			t.Fatalf("beyond the last epoch: %v", err)
		}
	}
	install(t, 8, i, a)
	must(t, i.Switch(8))
	passes(t, i, a, "a new generation")

	// By order: the same.
	i, a = pair(t, Policy{}, Policy{})
	lead(i, a, math.MaxUint16, 1)
	i.Ratchet()
	for range 2 {
		if _, err := i.Sealer().Seal(nil, []byte("one more")); err != Exhausted {
			t.Fatalf("beyond the last epoch: %v", err)
		}
	}
	install(t, 8, i, a)
	must(t, i.Switch(8))
	passes(t, i, a, "a new generation")

	// A sender that counts round is refused.
	i, a = pair(t, Policy{}, Policy{})
	lead(i, a, math.MaxUint16, 1)
	c := *i.sealer.channel
	c.secret.next()
	c.header.epoch, c.header.sequence = 0, 0
	c.load()
	frame := make([]byte, c.size(1))
	(&c).seal(frame, []byte("x"), typeData)
	refuses(t, a, frame, WrongEpoch)
}

func TestTheHardStop(t *testing.T) {
	p := Policy{EpochFrames: hardStop}
	i, a := pair(t, p, p)
	lead(i, a, 0, hardStop-1)
	passes(t, i, a, "the last of this key")
	passes(t, i, a, "the first of the next")
	if at(i) != "{7 1} {7 0}" {
		t.Errorf("stands at %v", at(i))
	}
	// A sender that doesn't stop is refused.
	i, a = pair(t, p, p)
	lead(i, a, 0, hardStop)
	c := i.sealer.channel
	frame := make([]byte, c.size(1))
	c.seal(frame, []byte("x"), typeData)
	refuses(t, a, frame, KeyLimit)
}

// A key of the legacy suite encrypts 2^20 blocks, and no more, on either side.
func TestTheLimitOfTDES(t *testing.T) {
	p := Policy{Suites: []Suite{TDES}}
	i, a := pair(t, p, p)
	message := string(make([]byte, 512))
	passes(t, i, a, message)
	// The finished took 5 blocks, each message takes 65.
	const most = (1<<20 - 5) / 65
	for _, c := range []*channel{i.sealer.channel, a.opener.channel} {
		if c.blocks != 5+65 || most < 16000 {
			t.Fatalf("%d blocks are counted", c.blocks)
		}
		c.blocks = 5 + 65*(most-1)
	}
	passes(t, i, a, message)
	if at(i) != "{7 0} {7 0}" {
		t.Errorf("stands at %v before the limit", at(i))
	}
	passes(t, i, a, message)
	if at(i) != "{7 1} {7 0}" || at(a) != "{7 0} {7 1}" || a.opener.channel.blocks != 65 {
		t.Errorf("stand at %v and %v: no step", at(i), at(a))
	}

	// No epoch left.
	lead(i, a, math.MaxUint16, 5)
	i.sealer.channel.blocks = 1<<20 - 64
	if _, err := i.Sealer().Seal(nil, []byte(message)); err != Exhausted {
		t.Errorf("beyond the limit: %v", err)
	}

	// A sender that doesn't count.
	i, a = pair(t, p, p)
	a.opener.channel.blocks = 1<<20 - 64
	refuses(t, a, seal(t, i, message), KeyLimit)
}

// Forty thousand messages each way, a goroutine for each half, and generations that come and are
// gone to from another goroutine meanwhile: none lost, none changed.
func TestRekeyUnderLoad(t *testing.T) {
	const messages, changes = 40000, 19
	for name, p := range map[string]Policy{
		"":           {},
		"with share": {Share: ShareOffered, EpochFrames: 1000, Padding: true},
	} {
		t.Run(name, func(t *testing.T) {
			i, a := pair(t, p, p)
			var progress [2]chan int
			var work sync.WaitGroup
			for n, ends := range [][2]*Session{{i, a}, {a, i}} {
				progress[n] = make(chan int)
				frames := make(chan []byte, 64)
				work.Go(func() { send(t, ends[0], frames, messages, progress[n]) })
				work.Go(func() { receive(t, ends[1], frames, messages) })
			}
			work.Go(func() { rekey(t, i, a, progress, messages/changes*9/10, changes) })
			work.Wait()
			sent, got := i.Positions()
			back, came := a.Positions()
			if sent != came || back != got || sent.Generation != 7+changes ||
				back.Generation != 7+changes || mostWaiting(i, a) != 0 {
				t.Errorf("end at %v and %v with %d waiting", at(i), at(a), mostWaiting(i, a))
			}
		})
	}
}

func send(t *testing.T, s *Session, frames chan<- []byte, messages int, progress chan<- int) {
	defer close(frames)
	defer close(progress)
	for n := range messages {
		message := make([]byte, 8+n%100)
		binary.BigEndian.PutUint64(message, uint64(n))
		frame, err := s.Sealer().Seal(nil, message)
		if err != nil {
			t.Errorf("message %d: %v", n, err)
			return
		}
		frames <- frame
		progress <- n
	}
}

func receive(t *testing.T, s *Session, frames <-chan []byte, messages int) {
	n := 0
	for frame := range frames {
		message, err := s.Opener().Open(frame)
		if err != nil || len(message) != 8+n%100 ||
			binary.BigEndian.Uint64(message) != uint64(n) {
			t.Errorf("message %d: %d bytes, %v", n, len(message), err)
			return
		}
		n++
	}
	if n != messages {
		t.Errorf("%d messages of %d", n, messages)
	}
}

// rekey installs a generation on both ends every so many messages, and lets one end switch at once
// and the other late, or leave one out.
func rekey(t *testing.T, i, a *Session, progress [2]chan int, every, changes int) {
	for change := range changes {
		for range every {
			<-progress[0]
			<-progress[1]
		}
		g := uint16(8 + change)
		first, second := i, a
		if change%2 == 1 {
			first, second = a, i
		}
		for _, s := range []*Session{first, second} {
			if err := s.Install(g, prfOf(g)); err != nil {
				t.Errorf("install %d: %v", g, err)
			}
		}
		if err := first.Switch(g); err != nil {
			t.Errorf("switch to %d: %v", g, err)
		}
		if change%3 == 2 || change == changes-1 {
			if err := second.Switch(g); err != nil {
				t.Errorf("switch to %d: %v", g, err)
			}
		}
	}
	go func() {
		for range progress[0] {
		}
	}()
	for range progress[1] {
	}
}
