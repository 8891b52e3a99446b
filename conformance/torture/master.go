package torture

import (
	"context"
	"fmt"
	"sync"
	"syscall"
	"time"

	"cardswitch/conformance/load/process"
	"cardswitch/conformance/load/stage"
)

// master keeps the switch's process: it kills and stops it as the plan says, and starts it again
// when it ended, as a supervisor would.
type master struct {
	stage  *stage.Stage
	report *Report

	mu      sync.Mutex
	child   *process.Child
	excused time.Time // until then it may end by itself: its disk was taken away
	err     error     // it couldn't be started
}

// excuse is how long after a fault of its disk the switch may end: it waits 5 s for a sync.
const excuse = 8 * time.Second

func (m *master) start(ctx context.Context) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.launch(ctx)
}

// launch starts the process and watches over it. Called with mu held.
func (m *master) launch(ctx context.Context) error {
	child, err := m.stage.Start(ctx)
	if err != nil {
		m.err = err
		return err
	}
	m.child = child
	m.report.Starts++
	go func() {
		<-child.Ended()
		m.mu.Lock()
		defer m.mu.Unlock()
		if m.child != child || ctx.Err() != nil {
			return // it was ended by us
		}
		if time.Now().Before(m.excused) {
			m.report.Excused++
		} else {
			m.report.Died = append(m.report.Died, child.Words())
		}
		m.launch(ctx)
	}()
	return nil
}

// take makes the process ours: what it does from now on is our doing.
func (m *master) take() *process.Child {
	child := m.child
	m.child = nil
	return child
}

// end ends the process in a way, and starts it again after a while.
func (m *master) end(ctx context.Context, d time.Duration, way func(*process.Child)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.child == nil {
		return // it couldn't be started; the run ends with that
	}
	way(m.take())
	if pause(ctx, d) {
		m.launch(ctx)
	}
}

// twice kills it, and again in the middle of its recovery.
func (m *master) twice(ctx context.Context, d time.Duration) {
	m.end(ctx, 0, (*process.Child).Kill)
	if pause(ctx, d) {
		m.end(ctx, 0, (*process.Child).Kill)
	}
}

// stop lets the process stand still for a while. If that is longer than it waits for its disk, it
// may find that its disk didn't answer, and end.
func (m *master) stop(ctx context.Context, d time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.child == nil {
		return
	}
	m.child.Signal(syscall.SIGSTOP)
	pause(ctx, d)
	m.excused = time.Now().Add(excuse)
	m.child.Signal(syscall.SIGCONT)
}

// reload has the switch read its configuration again, if it is there: a supervisor asks only one
// that has said that it is ready, as before its first instruction SIGHUP ends any program.
func (m *master) reload() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, err := m.stage.Metrics(); err == nil && m.child != nil {
		m.child.Signal(syscall.SIGHUP)
	}
}

// troubled excuses an end by itself for some time.
func (m *master) troubled(d time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if until := time.Now().Add(d + excuse); until.After(m.excused) {
		m.excused = until
	}
}

// serving waits until the switch answers.
func (m *master) serving(ctx context.Context) error {
	for end := time.Now().Add(startTime); time.Now().Before(end); {
		if _, err := m.stage.Metrics(); err == nil {
			return nil
		}
		if !pause(ctx, 50*time.Millisecond) {
			return ctx.Err()
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return fmt.Errorf("torture: the switch doesn't serve within %s: %s", startTime,
		m.child.Words())
}

func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}
