package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"cardswitch/conformance/load"
	"cardswitch/conformance/load/process"
	"cardswitch/conformance/load/stage"
)

const metricActive = "cardswitch_cluster_active"

// startNodes starts several nodes of one cluster on this machine, each with a journal of its own on
// the same disk, and gives the active one as the subject.
func startNodes(ctx context.Context, o Options, s step, dir string, links [][]string) (
	sub *subject, err error,
) {
	members, err := stage.Ports(s.nodes)
	if err != nil {
		return nil, err
	}
	var stages []*stage.Stage
	for i := range s.nodes {
		own := filepath.Join(dir, fmt.Sprintf("node-%d", i+1))
		if err := os.Mkdir(own, 0o700); err != nil {
			return nil, err
		}
		st, err := stage.New(o.Program, own, links)
		if err != nil {
			return nil, err
		}
		st.Acquirers, st.Secret = load.Acquirers(s.load.Connections), o.secretOf(s)
		stages = append(stages, st)
	}
	if err := stage.Join("bench", stages, members); err != nil {
		return nil, err
	}
	var all []*process.Child
	defer func() {
		if err != nil {
			for _, c := range all {
				err = errors.Join(err, c.Stop(ending))
			}
		}
	}()
	for _, st := range stages {
		child, err := st.Start(ctx, "--debuggable")
		if err != nil {
			return nil, err
		}
		all = append(all, child)
	}
	at, err := active(stages, all)
	if err != nil {
		return nil, err
	}
	sub = &subject{child: all[at], address: stages[at].Merchants, http: stages[at].HTTP}
	for i, child := range all {
		if i != at {
			sub.standbys = append(sub.standbys, child)
		}
	}
	return sub, nil
}

// active waits for one of them to be it.
func active(stages []*stage.Stage, all []*process.Child) (int, error) {
	for deadline := time.Now().Add(settling); time.Now().Before(deadline); {
		for i, st := range stages {
			select {
			case <-all[i].Ended():
				return 0, fmt.Errorf("bench: node %d ended at once: %s", i+1, all[i].Words())
			default:
			}
			if m, err := scrape(st.HTTP); err == nil && m.sum(metricActive) == 1 {
				return i, nil
			}
		}
		time.Sleep(20 * time.Millisecond)
	}
	return 0, fmt.Errorf("bench: no node was active within %s", settling)
}

// stop ends the standbys first: no election is held for the end.
func (s *subject) stop() error {
	var failed error
	for _, c := range append(s.standbys, s.child) {
		failed = errors.Join(failed, c.Stop(ending))
	}
	return failed
}
