//go:build pkcs11 && cgo

package pkcs11

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	cryptoki "github.com/miekg/pkcs11"

	"cardswitch/hsm"
)

// link is sessions with the token, from a login until the token goes away. Objects of a session are
// seen by all sessions, and vanish with their own.
type link struct {
	lib      *cryptoki.Ctx
	sessions chan cryptoki.SessionHandle
	masters  masters
	gone     chan struct{} // closed when it is retired

	mu      sync.Mutex
	retired bool
}

// dial opens the sessions, logs in, and finds the keys that stay.
func dial(m *Module) (*link, error) {
	l := &link{lib: m.lib, sessions: make(chan cryptoki.SessionHandle, m.config.Sessions),
		gone: make(chan struct{})}
	for i := range m.config.Sessions {
		s, err := m.lib.OpenSession(m.slot, cryptoki.CKF_SERIAL_SESSION)
		if err != nil {
			l.retire()
			return nil, fmt.Errorf("%w: open session %d: %w", hsm.ErrUnavailable, i+1, err)
		}
		l.sessions <- s
	}
	s := <-l.sessions
	l.sessions <- s
	err := login(m.lib, s, m.config)
	if err == nil {
		l.masters, err = findMasters(call{l, m.lib, s}, m.config.Label)
	}
	if err != nil {
		l.retire()
		return nil, err
	}
	return l, nil
}

var errPINRefused = errors.New("the token refused the PIN, and too many tries lock it")

// login is for all sessions of this process with the token.
func login(lib *cryptoki.Ctx, s cryptoki.SessionHandle, config Config) error {
	pin, err := config.pin()
	if err != nil {
		return err
	}
	defer clear(pin)
	err = lib.Login(s, cryptoki.CKU_USER, string(pin))
	switch {
	case err == nil || code(err) == cryptoki.CKR_USER_ALREADY_LOGGED_IN:
		return nil
	case code(err) == cryptoki.CKR_PIN_INCORRECT || code(err) == cryptoki.CKR_PIN_LOCKED ||
		code(err) == cryptoki.CKR_PIN_EXPIRED || code(err) == cryptoki.CKR_PIN_LEN_RANGE:
		return fmt.Errorf("%w: %w (hint: put the right one into its place, then start again)", err,
			errPINRefused)
	}
	return fmt.Errorf("%w: log in: %w", hsm.ErrUnavailable, err)
}

// give puts a session back, or closes it if the link is no more.
func (l *link) give(s cryptoki.SessionHandle) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.retired {
		_ = l.lib.CloseSession(s) // it may be gone already, which is as good
		return
	}
	l.sessions <- s // never waits: there is room for all
}

// retire closes the sessions. Those in use are closed when they are given back.
func (l *link) retire() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.retired {
		return
	}
	l.retired = true
	close(l.gone)
	for len(l.sessions) > 0 {
		_ = l.lib.CloseSession(<-l.sessions)
	}
}

// call is a session that is used for one operation.
type call struct {
	link    *link
	lib     *cryptoki.Ctx
	session cryptoki.SessionHandle
}

// do has f done with a session. If the token was away it does so again with a new one, so f must
// come to the same when it is done twice. Whatever f uses is f's own until then, also when the
// context has ended: then the answer is ErrUnavailable, and f ends by itself. At the end clean is
// called.
func do[T any](ctx context.Context, m *Module, f func(c call) (T, error), clean ...func()) (
	T, error) {
	attempt := func() (T, error) {
		defer func() {
			for _, c := range clean {
				c()
			}
		}()
		return twice(ctx, m, f)
	}
	if ctx.Done() == nil {
		return attempt()
	}
	type answer struct {
		value T
		err   error
	}
	answers := make(chan answer, 1)
	go func() {
		value, err := attempt()
		answers <- answer{value, err}
	}()
	select {
	case a := <-answers:
		return a.value, a.err
	case <-ctx.Done():
		var none T
		return none, hsm.Ended(ctx)
	}
}

func twice[T any](ctx context.Context, m *Module, f func(c call) (T, error)) (T, error) {
	var none T
	for again := false; ; again = true {
		l := m.link.Load()
		if l == nil {
			return none, errClosed
		}
		value, err := once(ctx, l, f)
		if err == nil {
			return value, nil
		}
		if again || !lost(err) {
			return none, said(err)
		}
		if err := m.renew(l); err != nil {
			return none, err
		}
	}
}

func once[T any](ctx context.Context, l *link, f func(c call) (T, error)) (T, error) {
	select {
	case s := <-l.sessions:
		defer l.give(s)
		return f(call{l, l.lib, s})
	case <-l.gone:
		var none T
		return none, errGone
	case <-ctx.Done():
		var none T
		return none, hsm.Ended(ctx)
	}
}

var (
	errClosed = fmt.Errorf("%w: it is closed", hsm.ErrUnavailable)
	errGone   = fmt.Errorf("%w: the token was away", hsm.ErrUnavailable)
)

// pause is how long a token that can't be reached is left alone: meanwhile calls fail at once.
const pause = time.Second

// renew opens sessions anew, if nobody has. After a PIN was refused it isn't tried again.
func (m *Module) renew(old *link) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch now := m.link.Load(); {
	case now == nil:
		return errClosed
	case now != old:
		return nil
	case m.refused != nil:
		return m.refused
	case time.Since(m.failed) < pause:
		return errGone
	}
	old.retire()
	l, err := dial(m)
	if errors.Is(err, errPINRefused) {
		m.refused = fmt.Errorf("%w: %w", hsm.ErrUnavailable, err)
		return m.refused
	}
	if err != nil {
		m.failed = time.Now()
		return fmt.Errorf("%w: %w", hsm.ErrUnavailable, err)
	}
	m.link.Store(l)
	return nil
}

// code is what the token returned, 0 if the error isn't the token's.
func code(err error) cryptoki.Error {
	var e cryptoki.Error
	if errors.As(err, &e) {
		return e
	}
	return 0
}

// lost tells that the session or what was in it is no more.
func lost(err error) bool {
	switch code(err) {
	case cryptoki.CKR_SESSION_HANDLE_INVALID, cryptoki.CKR_SESSION_CLOSED,
		cryptoki.CKR_USER_NOT_LOGGED_IN, cryptoki.CKR_OPERATION_ACTIVE,
		cryptoki.CKR_OBJECT_HANDLE_INVALID, cryptoki.CKR_KEY_HANDLE_INVALID,
		cryptoki.CKR_WRAPPING_KEY_HANDLE_INVALID, cryptoki.CKR_UNWRAPPING_KEY_HANDLE_INVALID,
		cryptoki.CKR_DEVICE_ERROR, cryptoki.CKR_DEVICE_REMOVED, cryptoki.CKR_TOKEN_NOT_PRESENT,
		cryptoki.CKR_TOKEN_NOT_RECOGNIZED:
		return true
	}
	return errors.Is(err, errGone)
}

// said is an error of the token as one of hsm's.
func said(err error) error {
	switch code(err) {
	case 0:
		return err
	case cryptoki.CKR_MECHANISM_INVALID, cryptoki.CKR_MECHANISM_PARAM_INVALID,
		cryptoki.CKR_FUNCTION_NOT_SUPPORTED:
		return fmt.Errorf("%w: %w", hsm.ErrAbsent, err)
	case cryptoki.CKR_KEY_FUNCTION_NOT_PERMITTED, cryptoki.CKR_KEY_TYPE_INCONSISTENT,
		cryptoki.CKR_KEY_UNEXTRACTABLE, cryptoki.CKR_ATTRIBUTE_SENSITIVE:
		return fmt.Errorf("%w: %w", hsm.ErrKey, err)
	}
	return fmt.Errorf("%w: %w", hsm.ErrUnavailable, err)
}
