package lab

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"cardswitch/dr/drill"
)

// practise orders the drills that operators order, each at a node that stays. The books at the end
// tell whether they did harm.
func (r *run) practise(ctx context.Context) error {
	orders := []drill.Order{
		{Kind: drill.Node},
		{Kind: drill.Site, Bounds: drill.Bounds{Lag: farLag}},
		{Kind: drill.Link, Center: issuerName(0), Link: "l0", Lasts: 2 * time.Second},
		{Kind: drill.Network, Lasts: 2 * time.Second},
		{Kind: drill.Disk, Lasts: 1500 * time.Millisecond},
		{Kind: drill.Node, Hard: true, Unsupervised: true},
	}
	for _, o := range orders {
		if o.Kind == drill.Site && !r.rehearses() {
			continue
		}
		serves, err := r.whole(ctx)
		if err != nil {
			return err
		}
		if err := r.town.flows(ctx, startTime); err != nil {
			return err
		}
		o.Before, o.After, o.Why = time.Second, 3*time.Second, "drill lab"
		report, err := r.order(ctx, r.stays(serves), serves, &o)
		if err != nil {
			return fmt.Errorf("lab: drill %s: %w", o.Kind, err)
		}
		r.report.Drills = append(r.report.Drills, report)
		fmt.Fprintf(r.Progress, "drill %s: %s %s, back after %s\n", o.Kind, report.Outcome,
			report.Because, report.Summary().Gap.Round(time.Millisecond))
		for i := range report.Rehearsed {
			x := &report.Rehearsed[i]
			fmt.Fprintf(r.Progress, "  node %d lacked %d records (%s), %d in doubt %v, %d owed; %d records "+
				"checked, it followed %d meanwhile; %v\n", x.Node, x.Lacks, x.Behind, x.InDoubt, x.Doubts,
				x.Owed, x.Records, x.Meanwhile, x.Steps)
		}
		for _, c := range report.Checks {
			if !c.OK {
				fmt.Fprintf(r.Progress, "  %s: %s\n", c.What, c.Found)
			}
		}
	}
	return nil
}

// farLag is how far the other site may lag here, where all share a machine.
const farLag = 10 * time.Second

// stays is a node that isn't hurt.
func (r *run) stays(serves *node) *node {
	for _, n := range r.nodes {
		if n != serves {
			return n
		}
	}
	return serves
}

// order orders a drill at a node, and starts the one that is hurt again if it ends.
func (r *run) order(ctx context.Context, at, hurt *node, o *drill.Order) (report *drill.Report,
	err error) {
	lives := ctx
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	text, err := json.Marshal(o)
	if err != nil {
		return nil, err
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", at.stage.Socket())
		}}}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost,
		"http://node/v1/drills/"+string(o.Kind), bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	if o.Hard {
		again := make(chan error, 1)
		ended := hurt.child.Ended()
		go func() {
			<-ended
			again <- hurt.start(lives)
		}()
		defer func() { err = errors.Join(err, <-again) }()
	}
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	lines := json.NewDecoder(response.Body)
	for {
		var line struct {
			Event  *drill.Event
			Report *drill.Report
			Error  string
		}
		switch err := lines.Decode(&line); {
		case err != nil:
			return nil, err
		case line.Error != "":
			return nil, errors.New(line.Error)
		case line.Report != nil:
			return line.Report, nil
		}
	}
}
