package scenario

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Session is the time in which the issuers of a target are played.
type Session struct {
	target   Target
	stations map[string]*station
	numbers  *numbers
	zone     *time.Location
}

// Open takes up the issuers' places: it listens, or dials, and answers network management.
func Open(ctx context.Context, target Target) (*Session, error) {
	if err := target.complete(); err != nil {
		return nil, err
	}
	now := uint64(time.Now().UnixNano())
	prefix := strings.ToUpper(strconv.FormatUint(36*36*36+now/1e6%(35*36*36*36), 36))
	s := &Session{
		target:   target,
		stations: make(map[string]*station),
		numbers:  &numbers{stan: now / 1e3 % 1000000, prefix: prefix},
		zone:     time.FixedZone("JST", 9*3600),
	}
	for name, door := range target.Issuers {
		st, err := s.target.station(ctx, door)
		if err != nil {
			s.Close()
			return nil, fmt.Errorf("issuer %s: %w", name, err)
		}
		s.stations[name] = st
	}
	return s, nil
}

// Address is where the host under test finds an issuer that listens.
func (s *Session) Address(issuer string) string {
	if st := s.stations[issuer]; st != nil && st.listener != nil {
		return st.listener.Addr().String()
	}
	return ""
}

// Close leaves the issuers' places.
func (s *Session) Close() {
	for _, st := range s.stations {
		st.close()
	}
}

// Run plays scenarios one after the other.
func (s *Session) Run(ctx context.Context, scenarios []*Scenario) *Report {
	r := &Report{Target: s.target.Name}
	for _, sc := range scenarios {
		if ctx.Err() != nil {
			break
		}
		r.Results = append(r.Results, s.play(ctx, sc))
	}
	return r
}

// Run opens a session, plays the scenarios and closes it.
func Run(ctx context.Context, target Target, scenarios []*Scenario) (*Report, error) {
	s, err := Open(ctx, target)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	return s.Run(ctx, scenarios), nil
}
