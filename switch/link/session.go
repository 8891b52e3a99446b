package link

import (
	"context"
	"sync"
	"time"
)

// signOnRetry is how long we wait after the center refused our sign-on or signed off.
const signOnRetry = 30 * time.Second

// Duty is network management that is owed on a link.
type Duty uint8

// The duties.
const (
	Nothing     Duty = iota
	SendSignOn       // 1804/801
	SendEcho         // 1804/831
	SendSignOff      // 1804/802
)

// String is the duty in words.
func (d Duty) String() string {
	switch d {
	case SendSignOn:
		return "sign-on"
	case SendEcho:
		return "echo"
	case SendSignOff:
		return "sign-off"
	}
	return "nothing"
}

// session is what network management a link waits for. Times are since the network's epoch.
type session struct {
	mu       sync.Mutex
	waiting  Duty // sent, not answered
	sentAt   time.Duration
	reply    chan<- Reply // who waits for the answer to it; nil: nobody
	asked    Duty         // by an operator
	asker    chan<- Reply
	signOnAt time.Duration
}

// Reply is how a center took network management that an operator asked for. The zero value is that
// it didn't answer.
type Reply struct {
	Answered, Accepted bool
	Took               time.Duration
}

// Asked is an operator's wish on one connection.
type Asked struct {
	Link  *Link
	reply <-chan Reply
}

// Wait returns the center's reply. It waits for as long as the connection and ctx last.
func (a *Asked) Wait(ctx context.Context) Reply {
	select {
	case r := <-a.reply:
		return r
	case <-a.Link.written:
	case <-ctx.Done():
	}
	return Reply{}
}

// ended tells who waits for the answer to the duty that there is one, or none.
func (s *session) ended(r Reply) {
	s.waiting = Nothing
	if s.reply != nil {
		s.reply <- r
		s.reply = nil
	}
}

// cameSignedOn tells of a connection that was passed on that its center has signed on already, or
// of one that was kept ready that this node has.
func (l *Link) cameSignedOn() bool {
	if l.words != nil {
		return true
	}
	passed, ok := l.socket.Conn.(interface{ SignedOn() bool })
	return ok && passed.SignedOn()
}

// SetSignedOn is told by the switch when sign-on or sign-off was agreed.
func (l *Link) SetSignedOn(on bool) {
	if l.signedOn.Swap(on) == on {
		return
	}
	if !on {
		l.later(l.line.center.network.now())
	}
	l.line.center.rank()
}

// Due says what the switch must send on this link now; the answer (or none) is waited for from then
// on. It also ends the link if too many echoes stayed without answer, or if its drain is complete.
// Call it for every link some times a second.
func (l *Link) Due(now time.Time) Duty {
	if l.closing.Load() || l.dead.Load() {
		return Nothing
	}
	if l.sealed != nil {
		l.sealed.refresh(now, l.line.sealed.EpochTime)
	}
	at := now.Sub(l.line.center.network.epoch)
	l.session.mu.Lock()
	given := l.expire(at)
	heard := l.received.Load() > int64(l.session.sentAt)
	duty, drained := l.owed(at, given)
	if duty != Nothing {
		l.session.waiting, l.session.sentAt = duty, at
	}
	l.session.mu.Unlock()
	switch {
	case given == SendSignOff:
		l.SetSignedOn(false)
	case heard:
		l.hear()
	case given != Nothing && l.miss():
		return Nothing
	}
	if drained {
		l.Close(Drained)
	}
	return duty
}

// expire gives up waiting for the answer to a duty, and says which.
func (l *Link) expire(at time.Duration) Duty {
	s := &l.session
	if s.waiting == Nothing || at < s.sentAt+l.line.center.config.Load().Echo.Wait {
		return Nothing
	}
	given := s.waiting
	s.ended(Reply{})
	return given
}

// miss counts an echo without answer, and whether that was one too many.
func (l *Link) miss() bool {
	if int(l.misses.Add(1)) >= l.line.center.config.Load().Echo.Misses {
		l.fail(EchoMissed)
		return true
	}
	l.line.center.rank()
	return false
}

// hear forgets the misses: the center speaks.
func (l *Link) hear() {
	if l.misses.Swap(0) != 0 {
		l.line.center.rank()
	}
}

func (l *Link) owed(at time.Duration, given Duty) (duty Duty, drained bool) {
	s, config := &l.session, l.line.center.config.Load()
	if s.waiting != Nothing {
		return Nothing, false
	}
	if s.asked != Nothing {
		duty, s.asked = s.asked, Nothing
		s.reply, s.asker = s.asker, nil
		return duty, false
	}
	signed := l.signedOn.Load() && config.SignOn != SignOnNone && given != SendSignOff
	switch {
	case l.draining.Load() && l.inFlight.Load() == 0 && signed:
		return SendSignOff, false
	case l.draining.Load() && l.inFlight.Load() == 0:
		return Nothing, true
	case config.SignOn == SignOnUs && !signed && at >= s.signOnAt && !l.draining.Load() &&
		!l.line.signedOff.Load():
		return SendSignOn, false
	}
	silent := at - time.Duration(l.received.Load())
	if config.Echo.After > 0 && silent >= config.Echo.After {
		return SendEcho, false
	}
	return Nothing, false
}

// NetworkAnswered says that the answer to a Duty came. Accepted sign-ons and sign-offs change the
// state; a refused sign-on is tried again later.
func (l *Link) NetworkAnswered(duty Duty, accepted bool) {
	now := l.line.center.network.now()
	l.received.Store(int64(now))
	if duty == SendSignOn && !accepted {
		l.later(now)
		l.SetSignedOn(false) // it may have been, by an earlier one
	}
	l.hear()
	switch {
	case duty == SendSignOn && accepted:
		l.SetSignedOn(true)
	case duty == SendSignOff:
		l.SetSignedOn(false)
	}
	// Last: whoever asks what is due before must not send the same again.
	l.session.mu.Lock()
	defer l.session.mu.Unlock()
	if l.session.waiting == duty {
		l.session.ended(Reply{true, accepted, now - l.session.sentAt})
	}
}

// later puts off our next sign-on.
func (l *Link) later(now time.Duration) {
	l.session.mu.Lock()
	defer l.session.mu.Unlock()
	l.session.signOnAt = now + signOnRetry
}

// ask makes Due return duty next, in place of what was asked before and is not sent yet.
func (l *Link) ask(duty Duty) Asked {
	s := &l.session
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.asker != nil {
		s.asker <- Reply{}
	}
	reply := make(chan Reply, 1) // so that nobody waits for who waits no more
	s.asked, s.asker = duty, reply
	if duty == SendSignOn {
		s.signOnAt = 0
	}
	return Asked{l, reply}
}
