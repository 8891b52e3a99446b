package baseline_test

import (
	"context"
	"testing"
	"time"

	"cardswitch/conformance/load"
	"cardswitch/conformance/load/baseline"
	"cardswitch/conformance/load/issuer"
)

func TestPassesEveryRequestToItsIssuer(t *testing.T) {
	issuers, err := issuer.Listen([]string{"127.0.0.1:0", "127.0.0.1:0"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- issuers.Serve(ctx) }()
	s, err := baseline.Start(baseline.Config{
		Listen: "127.0.0.1:0", Issuers: issuers.Addresses(), Connections: 1,
	})
	if err != nil {
		t.Fatal(err)
	}
	report, err := load.Run(t.Context(), load.Config{
		Address: s.Address(), Connections: 2, Outstanding: 16, Destination: "1",
		Duration: 200 * time.Millisecond, Drain: time.Minute,
	})
	posted := issuers.Report()
	if err != nil || !report.Clean() || posted.Postings != report.Approved || s.Failed() != 0 {
		t.Errorf("%v: load %+v, issuers %+v, %d failed", err, report, posted, s.Failed())
	}
	s.Close()
	cancel()
	if err := <-served; err != nil {
		t.Error(err)
	}
}
