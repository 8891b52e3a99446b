package cardswitch

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"cardswitch/hsm/envelope"
	"cardswitch/routing"
	"cardswitch/spec"
	"cardswitch/spec/dialect"
	"cardswitch/spec/rule"
	"cardswitch/store/registry"
	"cardswitch/switch/link"
	"cardswitch/switch/saf"
	"cardswitch/switch/settle"
	"cardswitch/switch/txn"
)

// tables is what the configuration says, ready for use: immutable, swapped whole by a reload.
type tables struct {
	config       Config
	seats        map[uint16]seat
	issuers      []*center
	destinations []*center          // in the order that routes counts them
	negatives    []*negativeProfile // of the destinations
	routes       *routing.Table
	meters       []*lineMeter // by the registry's number of the link
}

// seat is a center with its present profile.
type seat struct {
	center  *center
	profile *profile
}

// build makes tables of a configuration without touching what is in use.
func (s *Switch) build(config Config) (*tables, []link.CenterConfig, error) {
	routes, err := config.Routes()
	if err != nil {
		return nil, nil, err
	}
	extra, err := loadDialects(config)
	if err != nil {
		return nil, nil, err
	}
	t := &tables{config: config, seats: make(map[uint16]seat), routes: routes}
	if before := s.tables.Load(); before != nil {
		t.meters = slices.Clone(before.meters) // of links taken out too: what they did stays true
	}
	var links []link.CenterConfig
	merchants := 0
	for i := range config.Centers {
		p, err := s.profileOf(config.Centers[i], extra, config.Production)
		if err == nil {
			p.standin, err = s.standInOf(&config, &p.config)
		}
		if err != nil {
			return nil, nil, fmt.Errorf("center %s: %w", config.Centers[i].Name, err)
		}
		c := s.centers[p.id]
		if c == nil {
			c = &center{name: p.config.Name, id: p.id, profile: p,
				rows: txn.NewTable(s.store.LastSeq()), owed: saf.New(), taken: make(map[uint64]bool),
				compare: make(map[settle.Day]int64), metrics: s.metrics.center(p.config.Name)}
			if err := s.loadStandIn(p, &c.stand); err != nil {
				return nil, nil, fmt.Errorf("center %s: %w", p.config.Name, err)
			}
		}
		if err := c.stays(p); err != nil {
			return nil, nil, fmt.Errorf("center %s: %w", p.config.Name, err)
		}
		t.seats[p.id] = seat{c, p}
		if p.config.Role == RoleIssuer {
			t.issuers = append(t.issuers, c)
			t.destinations = append(t.destinations, c)
			t.negatives = append(t.negatives, p.negative)
		} else {
			p.place = uint16(merchants)
			merchants++
		}
		l, err := s.linkConfig(&config, p)
		if err != nil {
			return nil, nil, fmt.Errorf("center %s: %w", p.config.Name, err)
		}
		for i := range l.Links {
			t.giveMeter(l.Links[i].ID, s.metrics, p.config.Name, l.Links[i].Name)
		}
		links = append(links, l)
	}
	own, err := s.buildChecks(&config, t, extra)
	if err != nil {
		return nil, nil, fmt.Errorf("center %s: %w", checksName, err)
	}
	return t, append(links, own), nil
}

// buildChecks makes the center that asks validity checks. It has no links.
func (s *Switch) buildChecks(config *Config, t *tables, extra map[string]*spec.Dialect) (
	link.CenterConfig, error) {
	p, err := s.profileOf(config.checksCenter(), extra, config.Production)
	if err != nil {
		return link.CenterConfig{}, err
	}
	c := s.checks
	if c == nil {
		c = &center{name: checksName, id: p.id, profile: p, rows: txn.NewTable(0),
			owed: saf.New(), taken: make(map[uint64]bool), metrics: s.metrics.center(checksName)}
		s.checks = c
	}
	t.seats[p.id] = seat{c, p}
	p.place = nobody
	return s.linkConfig(config, p)
}

// install puts tables to use.
func (s *Switch) install(t *tables) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, seat := range t.seats {
		seat.center.profile = seat.profile
		seat.center.keepWays()
		seat.center.shield.Store(seat.profile.security)
		seat.center.link = s.network.Center(seat.center.name)
		if seat.center.stand.metrics != nil {
			seat.center.stand.metrics.mode(seat.center.stoodFor())
		}
		s.centers[id] = seat.center
	}
	for id, c := range s.centers {
		if _, stays := t.seats[id]; stays {
			continue
		}
		// Who is taken out keeps its seat: answers still count while its links are drained, and
		// what it must still get is still shown.
		t.seats[id] = seat{c, c.profile}
		if c.config.Role == RoleIssuer {
			t.issuers = append(t.issuers, c)
		}
	}
	s.issuers = t.issuers
	s.tables.Store(t)
}

// Reload takes a new configuration while the switch runs: centers, links, rules and routes. If
// anything in it is wrong, nothing changes. The data folder, the admin doors and the node's own
// name take effect at the next start.
func (s *Switch) Reload(config Config) error {
	s.reloading.Lock()
	defer s.reloading.Unlock()
	t, links, err := s.build(config)
	if err != nil {
		return err
	}
	if err := s.network.Reconfigure(links); err != nil {
		return err
	}
	s.install(t)
	if err := s.openBooks(); err != nil {
		return err
	}
	s.noteTables("configuration reloaded")
	s.metrics.reloaded(time.Now())
	return nil
}

func loadDialects(config Config) (map[string]*spec.Dialect, error) {
	extra := make(map[string]*spec.Dialect)
	for _, name := range config.Dialects {
		text, err := os.ReadFile(config.Path(name))
		if err != nil {
			return nil, fmt.Errorf("dialects: %w", err)
		}
		base := filepath.Base(name)
		d, err := dialect.Parse(base[:len(base)-len(filepath.Ext(base))], text)
		if err != nil {
			return nil, fmt.Errorf("dialects: %s: %w", name, err)
		}
		extra[d.Name()] = d
	}
	return extra, nil
}

func (s *Switch) profileOf(c CenterConfig, extra map[string]*spec.Dialect, production bool) (
	*profile, error) {
	p := &profile{config: c, acquirers: make(map[uint64]bool), messages: make(map[spec.MTI]bool),
		retry: make(map[int]bool), institution: []byte(c.Institution)}
	var err error
	if p.dialect = extra[c.Dialect]; p.dialect == nil {
		if p.dialect, err = s.deps.Dialect(c.Dialect); err != nil {
			return nil, err
		}
		extra[c.Dialect] = p.dialect // made once: that takes a while
	}
	if p.rules, err = rule.Standard().With(c.Rules.Require, c.Rules.Relax); err != nil {
		return nil, err
	}
	if p.zone, err = time.LoadLocation(c.Timezone); err != nil {
		return nil, err
	}
	reg := s.store.Registry()
	if p.id, err = reg.ID(registry.Center, c.Name, nil); err != nil {
		return nil, err
	}
	p.dialectID, err = reg.ID(registry.Dialect, p.dialect.Name(), p.dialect.Source())
	if err != nil {
		return nil, err
	}
	s.archive.know(p.dialectID, p.dialect)
	if p.security, err = s.securityOf(&p.config, p.dialect, production); err != nil {
		return nil, fmt.Errorf("security: %w", err)
	}
	if p.negative, err = s.negativeOf(p); err != nil {
		return nil, err
	}
	if p.tokens, err = c.Tokens.profile(p.dialect.Known().Has); err != nil {
		return nil, err
	}
	if p.settling, err = c.Reconciliation.profile(p.dialect, p.zone); err != nil {
		return nil, err
	}
	if p.tokens != nil && s.vault == nil && s.tables.Load() != nil {
		return nil, errors.New("tokens: the vault is opened at a start; start the switch again")
	}
	if c.Institution == "" && len(c.Acquirers) > 0 {
		p.institution = []byte(c.Acquirers[0])
	}
	for _, a := range c.Acquirers {
		n, err := strconv.ParseUint(a, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("acquirers: %w", err)
		}
		p.acquirers[n] = true
	}
	for _, m := range c.Messages {
		mti, err := spec.ParseMTI(m)
		if err != nil {
			return nil, fmt.Errorf("messages: %w", err)
		}
		p.messages[mti] = true
	}
	if c.Adjustments != nil {
		p.adjustments = c.Adjustments.rules()
	}
	if c.SAF != nil {
		for _, action := range c.SAF.Retry {
			p.retry[action] = true
		}
	}
	return p, nil
}

// linkConfig says the same to the links.
func (s *Switch) linkConfig(config *Config, p *profile) (link.CenterConfig, error) {
	c := &p.config
	out := c.linkCenter()
	out.ID, out.Dialect = p.id, p.dialect
	if c.Role == RoleIssuer {
		out.Role = link.Issuer
		out.Failover = link.Failover{Errors: c.Failover.Errors, Within: c.Failover.Within,
			Slow: c.Failover.Slow, Hold: c.Failover.Hold}
	}
	for i := range c.Links {
		l, err := s.lineConfig(config, c.Name, &c.Links[i])
		if err == nil {
			l.Greeting, err = c.Links[i].greeting(c, config.Institution, p.dialect, nil)
		}
		if err != nil {
			return out, fmt.Errorf("link %s: %w", c.Links[i].Name, err)
		}
		out.Links = append(out.Links, l)
	}
	return out, nil
}

func (s *Switch) lineConfig(config *Config, center string, l *LinkConfig) (link.LinkConfig, error) {
	id, err := s.store.Registry().ID(registry.Link, center+"/"+l.Name, nil)
	if err != nil {
		return link.LinkConfig{}, err
	}
	var keys link.LinkKeys
	if s.deps.Keys != nil {
		keys = s.linkKeys()
	}
	out, err := l.line(config)
	out.ID, out.Envelope = id, l.Envelope.line(keys)
	return out, err
}

// line says the same to the links; nil of none.
func (e *EnvelopeConfig) line(keys link.LinkKeys) *link.Envelope {
	if e == nil {
		return nil
	}
	return &link.Envelope{ID: e.ID, Keys: keys, Policy: e.policy(), EpochTime: e.Epoch}
}

// policy says the same to package envelope.
func (e *EnvelopeConfig) policy() envelope.Policy {
	p := envelope.Policy{Padding: e.Padding}
	switch e.Share {
	case ShareOffered:
		p.Share = envelope.ShareOffered
	case ShareRequired:
		p.Share = envelope.ShareRequired
	}
	if e.Legacy {
		p.Suites = []envelope.Suite{envelope.GCM, envelope.TDES}
	}
	return p
}
