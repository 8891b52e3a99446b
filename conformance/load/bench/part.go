package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"runtime/debug"
	"time"

	"cardswitch/conformance/load"
	"cardswitch/conformance/load/baseline"
	"cardswitch/conformance/load/issuer"
	"cardswitch/conformance/load/process"
	"cardswitch/conformance/load/sealed"
)

// Names of the parts, for Part.
const (
	PartLoad   = "load"
	PartIssuer = "issuer"
	PartMoov   = "moov"
)

// loadOrder is what the load part is told; the parts talk JSON, so that they have no flags to keep.
type loadOrder struct {
	Address     string        `json:"address"`
	Connections int           `json:"connections"`
	Outstanding int           `json:"outstanding"`
	Rate        int           `json:"rate"`
	WarmUp      time.Duration `json:"warm_up"`
	Duration    time.Duration `json:"duration"`
	Drain       time.Duration `json:"drain"`
	Destination string        `json:"destination"`
	Link        string        `json:"link,omitempty"`
	Secret      sealed.Secret `json:"secret,omitempty"`
}

type issuerOrder struct {
	Centers int           `json:"centers"`
	Secret  sealed.Secret `json:"secret,omitempty"`
}

type moovOrder struct {
	Issuers     []string `json:"issuers"`
	Connections int      `json:"connections"`
	GOGC        int      `json:"gogc"` // 0: the default
}

// hello is the first line of a part that listens.
type hello struct {
	Addresses []string `json:"addresses"`
}

// event is a line of the load part: the window opens, it closes, the report.
type event struct {
	Event  string       `json:"event"`
	Report *load.Report `json:"report,omitempty"`
}

const (
	eventMeasuring = "measuring"
	eventMeasured  = "measured"
	eventReport    = "report"
)

// Part is one process of a benchmark: it does what the order says until in ends.
func Part(ctx context.Context, name, order string, in io.Reader, out io.Writer) error {
	var (
		toLoad   loadOrder
		toIssuer issuerOrder
		toMoov   moovOrder
	)
	parts := map[string]struct {
		order any
		run   func() error
	}{
		PartLoad:   {&toLoad, func() error { return runLoad(ctx, toLoad, in, out) }},
		PartIssuer: {&toIssuer, func() error { return runIssuer(ctx, toIssuer, in, out) }},
		PartMoov:   {&toMoov, func() error { return runMoov(toMoov, in, out) }},
	}
	part, ok := parts[name]
	if !ok {
		return fmt.Errorf("bench: no part %q", name)
	}
	if err := json.Unmarshal([]byte(order), part.order); err != nil {
		return fmt.Errorf("bench: order for %s: %w", name, err)
	}
	return part.run()
}

func runLoad(ctx context.Context, o loadOrder, in io.Reader, out io.Writer) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() { // ends with whoever started it
		io.Copy(io.Discard, in)
		cancel()
	}()
	report, err := load.Run(ctx, load.Config{
		Address: o.Address, Connections: o.Connections, Outstanding: o.Outstanding, Rate: o.Rate,
		WarmUp: o.WarmUp, Duration: o.Duration, Drain: o.Drain, Destination: o.Destination,
		Link: o.Link, Secret: o.Secret,
		Measuring: func() { tell(out, event{Event: eventMeasuring}) },
		Measured:  func() { tell(out, event{Event: eventMeasured}) },
	})
	if err != nil {
		return err
	}
	return tell(out, event{Event: eventReport, Report: &report})
}

func tell(out io.Writer, e event) error { return json.NewEncoder(out).Encode(e) }

func runIssuer(ctx context.Context, o issuerOrder, in io.Reader, out io.Writer) error {
	addresses := make([]string, o.Centers)
	for i := range addresses {
		addresses[i] = "127.0.0.1:0"
	}
	issuers, err := issuer.Listen(addresses, o.Secret)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	served := make(chan error, 1)
	go func() { served <- issuers.Serve(ctx) }()
	err = process.Reply(in, out, hello{issuers.Addresses()}, func() any { return issuers.Report() })
	cancel()
	if err != nil {
		return err
	}
	return <-served
}

func runMoov(o moovOrder, in io.Reader, out io.Writer) error {
	if o.GOGC > 0 {
		debug.SetGCPercent(o.GOGC)
	}
	s, err := baseline.Start(baseline.Config{
		Listen: "127.0.0.1:0", Issuers: o.Issuers, Connections: o.Connections,
	})
	if err != nil {
		return err
	}
	defer s.Close()
	return process.Reply(in, out, hello{[]string{s.Address()}}, func() any { return s.Failed() })
}
