package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"cardswitch/conformance/load"
	"cardswitch/conformance/load/issuer"
	"cardswitch/conformance/load/process"
	"cardswitch/conformance/load/sealed"
	"cardswitch/conformance/load/stage"
)

const (
	centers  = 2                // issuers
	drain    = 10 * time.Second // for the last answers
	settling = 30 * time.Second // for a switch to start
	ending   = 20 * time.Second // for a part to end
)

// subject is the switch under test.
type subject struct {
	child    *process.Child
	standbys []*process.Child // of a cluster whose active node it is
	address  string           // of its listener for merchants
	http     string           // of its metrics; "" if it has none
}

// sample is a moment of the subject.
type sample struct {
	taken   bool
	usage   process.Usage
	others  []process.Usage // of the standbys
	metrics metrics
}

// measure runs one load on a fresh switch with a fresh journal.
func measure(ctx context.Context, o Options, s step, rate int) (m Measure, err error) {
	dir, err := os.MkdirTemp(o.Dir, s.of)
	if err != nil {
		return Measure{}, fmt.Errorf("bench: %w", err)
	}
	defer os.RemoveAll(dir)
	secret := o.secretOf(s)
	issuers, err := part(ctx, o, PartIssuer, issuerOrder{Centers: centers, Secret: secret})
	if err != nil {
		return Measure{}, err
	}
	defer issuers.Stop(ending)
	var opened hello
	if err := issuers.Read(&opened); err != nil {
		return Measure{}, err
	}
	sub, err := start(ctx, o, s, dir, opened.Addresses)
	if err != nil {
		return Measure{}, err
	}
	defer func() { err = errors.Join(err, sub.stop()) }()
	if sub.http != "" {
		if err := signedOn(issuers, sub.child); err != nil {
			return Measure{}, err
		}
	}
	from, to, report, err := drive(ctx, o, s, rate, sub)
	if err != nil {
		return Measure{}, err
	}
	var posted issuer.Report
	if err := issuers.Ask(&posted); err != nil {
		return Measure{}, err
	}
	last, err := sub.sample()
	if err != nil {
		return Measure{}, err
	}
	m = newMeasure(s, from, to, report)
	m.Rate = rate
	m.Money = count(report, posted, last.metrics)
	return m, nil
}

// secretOf is that of the envelopes at a switch; the moov-based one has none.
func (o Options) secretOf(s step) sealed.Secret {
	if s.of != switchOurs && s.nodes == 0 {
		return nil
	}
	return o.secret
}

// part starts one of this program's own parts.
func part(ctx context.Context, o Options, name string, order any) (*process.Child, error) {
	text, err := json.Marshal(order)
	if err != nil {
		return nil, err
	}
	return process.Start(ctx, name, o.Program, "bench", "part", name, string(text))
}

func start(ctx context.Context, o Options, s step, dir string, issuers []string) (*subject, error) {
	switch s.of {
	case switchMoov:
		return startMoov(ctx, o, moovOrder{Issuers: issuers, Connections: 1})
	case switchMoov8:
		return startMoov(ctx, o, moovOrder{Issuers: issuers, Connections: 1, GOGC: 800})
	}
	links := make([][]string, len(issuers))
	for i, address := range issuers {
		links[i] = []string{address}
	}
	if s.nodes > 0 {
		return startNodes(ctx, o, s, dir, links)
	}
	st, err := stage.New(o.Program, dir, links)
	if err != nil {
		return nil, err
	}
	st.Acquirers = load.Acquirers(s.load.Connections)
	st.Secret = o.secretOf(s)
	if err := st.Write(); err != nil {
		return nil, err
	}
	flags := []string{"--debuggable"} // who measures must see what it writes
	if profile := o.profile(s); profile != "" {
		flags = append(flags, "--cpuprofile", profile)
	}
	child, err := st.Start(ctx, flags...)
	if err != nil {
		return nil, err
	}
	return &subject{child: child, address: st.Merchants, http: st.HTTP}, nil
}

func startMoov(ctx context.Context, o Options, order moovOrder) (*subject, error) {
	child, err := part(ctx, o, PartMoov, order)
	if err != nil {
		return nil, err
	}
	var opened hello
	if err := child.Read(&opened); err != nil {
		return nil, err
	}
	return &subject{child: child, address: opened.Addresses[0]}, nil
}

// signedOn waits until the switch has signed on with every issuer.
func signedOn(issuers, sub *process.Child) error {
	for deadline := time.Now().Add(settling); time.Now().Before(deadline); {
		var seen issuer.Report
		if err := issuers.Ask(&seen); err != nil {
			return err
		}
		if seen.Network >= centers {
			return nil
		}
		select {
		case <-sub.Ended():
			return fmt.Errorf("bench: the switch ended at once: %s", sub.Words())
		case <-time.After(20 * time.Millisecond):
		}
	}
	return fmt.Errorf("bench: the switch didn't sign on within %s: %s", settling, sub.Words())
}

// drive runs the load and samples the subject where the measured window opens and closes.
func drive(ctx context.Context, o Options, s step, rate int, sub *subject) (
	from, to sample, report load.Report, err error,
) {
	order := loadOrder{
		Address: sub.address, Connections: s.load.Connections, Outstanding: s.load.Outstanding,
		WarmUp: o.WarmUp, Duration: o.Duration, Drain: drain, Destination: stage.Institution,
		Link: stage.Link, Secret: o.secretOf(s),
	}
	if s.load.Open {
		order.Rate = rate
	}
	child, err := part(ctx, o, PartLoad, order)
	if err != nil {
		return from, to, report, err
	}
	defer child.Stop(ending)
	for {
		var e event
		if err = child.Read(&e); err != nil {
			return from, to, report, err
		}
		switch e.Event {
		case eventMeasuring:
			from, err = sub.sample()
		case eventMeasured:
			to, err = sub.sample()
		case eventReport:
			if !from.taken || !to.taken {
				return from, to, report, errors.New("bench: the load didn't say when it measured")
			}
			return from, to, *e.Report, nil
		}
		if err != nil {
			return from, to, report, err
		}
	}
}

func (s *subject) sample() (sample, error) {
	usage, err := process.UsageOf(s.child.PID())
	if err != nil {
		return sample{}, err
	}
	at := sample{taken: true, usage: usage}
	for _, c := range s.standbys {
		if usage, err = process.UsageOf(c.PID()); err != nil {
			return sample{}, err
		}
		at.others = append(at.others, usage)
	}
	if s.http == "" {
		return at, nil
	}
	at.metrics, err = scrape(s.http)
	return at, err
}

func newMeasure(s step, from, to sample, report load.Report) Measure {
	m := Measure{
		Switch: s.of, Load: s.load.Name, TPS: report.TPS, P50: report.P50, P99: report.P99,
		P999: report.P999, RSS: float64(to.usage.RSS) / (1 << 20), Transactions: report.Measured,
	}
	if report.Measured > 0 {
		n := float64(report.Measured)
		m.CPU = float64((to.usage.CPU - from.usage.CPU).Nanoseconds()) / 1000 / n
		m.Written = float64(to.usage.Written-from.usage.Written) / n
		for i := range to.others {
			m.Standbys = append(m.Standbys,
				float64((to.others[i].CPU-from.others[i].CPU).Nanoseconds())/1000/n)
		}
		m.Synced = (to.metrics.sum(metricSynced) - from.metrics.sum(metricSynced)) / n
	}
	return m
}
