package admin

import (
	"bufio"
	"encoding/json"
	"errors"
	"net/http"
	"sync"
	"time"

	"cardswitch/store"
	"cardswitch/store/journal"
)

const (
	// defaultLast is how many records are shown when nobody says from where.
	defaultLast = 20
	// flushEvery keeps a follower's lines fresh without a system call for each.
	flushEvery = 100 * time.Millisecond
	// stuckAfter is how long a reader may take none of our bytes.
	stuckAfter = 10 * time.Second
)

// journal writes records as JSON lines: those from a number on, and with follow=1 those to come.
func (s *Server) journal(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	f, err := parseFilter(query)
	if err != nil {
		refuse(w, err)
		return
	}
	from, err := s.start(r)
	if err != nil {
		refuse(w, err)
		return
	}
	out := newLines(w)
	defer out.close()
	render := s.newRenderer()
	each := func(rec *journal.Record) error {
		line := render.line(rec)
		if !f.takes(&line) {
			return nil
		}
		return out.write(&line)
	}
	if query.Get("follow") == "1" {
		err = s.Journal.Follow(r.Context(), from, each)
	} else {
		err = s.Journal.Replay(from, each)
	}
	var slow *store.SlowReaderError
	switch {
	case r.Context().Err() != nil || err == nil || errors.Is(err, store.ErrClosed):
	case errors.As(err, &slow):
		_ = out.write(Cut{Error: "you read too slowly; nothing was skipped", Resume: slow.Resume})
	default:
		_ = out.write(Cut{Error: err.Error()})
	}
}

// start is the first record that a reader wants: from=, or the last=N of those there are.
func (s *Server) start(r *http.Request) (uint64, error) {
	from, err := number(r.URL.Query(), "from")
	if err != nil || from > 0 {
		return from, err
	}
	last, err := number(r.URL.Query(), "last")
	if err != nil {
		return 0, err
	}
	if r.URL.Query().Get("last") == "" {
		last = defaultLast
	}
	end := s.Journal.LastSeq() + 1
	return max(s.Journal.FirstSeq(), 1, end-min(last, end)), nil
}

// lines writes JSON values, one a line, and flushes them soon.
type lines struct {
	control *http.ResponseController
	ended   chan struct{}

	mu      sync.Mutex
	out     *bufio.Writer
	encoder *json.Encoder
}

func newLines(w http.ResponseWriter) *lines {
	w.Header().Set("Content-Type", "application/jsonl")
	l := &lines{
		control: http.NewResponseController(w),
		ended:   make(chan struct{}),
		out:     bufio.NewWriterSize(w, 32<<10),
	}
	l.encoder = json.NewEncoder(l.out)
	l.encoder.SetEscapeHTML(false)
	l.flush() // the reader sees that it is connected
	go l.flushes()
	return l
}

func (l *lines) write(value any) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	_ = l.control.SetWriteDeadline(time.Now().Add(stuckAfter))
	return l.encoder.Encode(value)
}

func (l *lines) flush() {
	l.mu.Lock()
	defer l.mu.Unlock()
	_ = l.control.SetWriteDeadline(time.Now().Add(stuckAfter))
	_ = l.out.Flush()
	_ = l.control.Flush()
}

func (l *lines) flushes() {
	ticker := time.NewTicker(flushEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			l.flush()
		case <-l.ended:
			return
		}
	}
}

func (l *lines) close() {
	close(l.ended)
	l.flush()
}
