package backup

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"cardswitch/store"
)

// Tail is a piece of the log that a cluster agrees by: all that changed in the journal and in the
// tables beside it since the backup or the tail before it. Backups and the tails behind them bring
// back any moment between.
type Tail struct {
	Version int       `json:"version"`
	Log     string    `json:"log"`   // names the log, see store.LogName
	First   uint64    `json:"first"` // entries
	Last    uint64    `json:"last"`
	At      time.Time `json:"at"` // when it was written
	Node    string    `json:"node"`
	Bytes   int64     `json:"bytes"`  // of the entries, with their lengths
	Blocks  []string  `json:"blocks"` // with these
	// Files beside the journal as they were after its last entry.
	Files   int      `json:"files"`
	Listing []string `json:"listing"`
}

const (
	tailFolder = "tails/"
	// mostTail is where one tail ends and the next begins.
	mostTail = 64 << 20
)

// Log is what the entries are read from: a store.
type Log interface {
	LogName() string
	Applied() uint64
	Entries(after uint64, fn func(index uint64, data []byte) error) error
	Hold(after uint64)
}

// Archiver writes tails of one node's log. It is safe for concurrent use.
type Archiver struct {
	r   *Repository
	log Log

	mu    sync.Mutex
	name  string // of the log that after is an entry of
	after uint64 // the last entry that is at the target
	known map[string]File
}

// NewArchiver makes one. It looks at the target when it is first used.
func NewArchiver(r *Repository, log Log) *Archiver { return &Archiver{r: r, log: log} }

// ErrNoBase is that of tails that no backup is the beginning of.
var ErrNoBase = errors.New("there is no backup that its entries follow on")

// Archive writes what the log has got since, in one or several tails; none if it has got nothing.
// ErrNoBase and store.ErrGone say that a backup must be made first. The source gives the files
// beside the journal.
func (a *Archiver) Archive(ctx context.Context, s *Source) (written []Tail, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.name != "" && a.name == a.log.LogName() && a.log.Applied() <= a.after {
		return nil, nil
	}
	h, err := a.r.claim(ctx, sharing)
	if err != nil {
		return nil, err
	}
	defer h.release()
	if err := a.find(ctx); err != nil {
		return nil, err
	}
	for a.log.Applied() > a.after {
		t, err := a.piece(ctx, h, s)
		if err != nil {
			return written, err
		}
		a.after = t.Last
		a.log.Hold(a.after)
		written = append(written, t)
	}
	return written, nil
}

// After is the last entry that is at the target, as far as is known; 0: nothing is.
func (a *Archiver) After() uint64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.after
}

// Release ends the work: the log needn't keep for it what isn't copied yet.
func (a *Archiver) Release() { a.log.Hold(math.MaxUint64) }

// find looks where the target ends.
func (a *Archiver) find(ctx context.Context) error {
	name := a.log.LogName()
	if name == "" {
		return &store.Error{Op: "copy the log", Err: errors.New("the node belongs to no cluster"),
			Hint: "it is in one, of itself alone, once it was started"}
	}
	if a.name == name {
		return nil
	}
	after := uint64(0)
	tails, err := a.r.tails(ctx, name)
	if err != nil {
		return err
	}
	if n := len(tails); n > 0 {
		after = tails[n-1].last
	}
	ids, err := a.r.IDs(ctx)
	if err != nil {
		return err
	}
	for _, id := range slices.Backward(ids) {
		m, err := a.r.Manifest(ctx, id)
		if err != nil {
			return err
		}
		if m.Journal.Log == name {
			after = max(after, m.Journal.Index)
			break
		}
	}
	if after == 0 {
		return ErrNoBase
	}
	a.name, a.after = name, after
	a.log.Hold(after)
	return nil
}

// Based says that a backup was made: where it is ahead of the tails, they go on behind it.
func (a *Archiver) Based(m *Manifest) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if m.Journal.Log == a.log.LogName() && (a.name != m.Journal.Log || a.behind()) {
		a.name, a.after = m.Journal.Log, m.Journal.Index
		a.log.Hold(a.after)
	}
}

// behind tells whether the log doesn't have what comes next any more.
func (a *Archiver) behind() bool {
	enough := errors.New("enough")
	err := a.log.Entries(a.after, func(uint64, []byte) error { return enough })
	return errors.Is(err, store.ErrGone)
}

// piece writes one tail.
func (a *Archiver) piece(ctx context.Context, h *held, s *Source) (Tail, error) {
	t := Tail{Version: manifestVersion, Log: a.name, First: a.after + 1, Node: s.Node}
	c := copying{r: a.r, o: &Options{}, known: a.known, begun: time.Now()}
	full := errors.New("full")
	var text []byte
	flush := func(least int) error {
		for len(text) >= least && len(text) > 0 {
			n := min(len(text), BlockSize)
			name, err := c.block(ctx, text[:n])
			if err != nil {
				return err
			}
			t.Blocks, text = append(t.Blocks, name), text[n:]
		}
		return nil
	}
	err := a.log.Entries(a.after, func(index uint64, data []byte) error {
		if t.Bytes >= mostTail {
			return full
		}
		before := len(text)
		text = append(binary.AppendUvarint(text, uint64(len(data))), data...)
		t.Bytes += int64(len(text) - before)
		t.Last = index
		return flush(BlockSize)
	})
	if err == nil || errors.Is(err, full) {
		err = flush(1)
	}
	if err != nil {
		return t, err
	}
	// The files after the entries: no entry knows of a newer one.
	files, err := s.beside()
	if err != nil {
		return t, err
	}
	if err := c.all(ctx, files); err != nil {
		return t, err
	}
	t.Files = len(files)
	if t.Listing, err = c.listing(ctx, files); err != nil {
		return t, err
	}
	t.At = time.Now().UTC()
	text, err = json.Marshal(&t)
	if err = errors.Join(err, h.lasts()); err != nil {
		return t, err
	}
	if _, err := a.r.write(ctx, tailName(t.Log, t.First, t.Last), text); err != nil {
		return t, err
	}
	a.known = make(map[string]File, len(files))
	for i := range files {
		a.known[files[i].Name] = files[i].File
	}
	return t, nil
}

// span is a tail by its name.
type span struct{ first, last uint64 }

func tailName(log string, first, last uint64) string {
	return fmt.Sprintf("%s%s/%020d-%020d", tailFolder, log, first, last)
}

// tails lists the tails of a log, in order.
func (r *Repository) tails(ctx context.Context, log string) (list []span, err error) {
	err = r.target.List(ctx, tailFolder+log+"/", func(l Listed) error {
		_, s, err := parseTailName(l.Name)
		list = append(list, s)
		return err
	})
	return list, err
}

func parseTailName(name string) (log string, s span, err error) {
	log, numbers, _ := strings.Cut(strings.TrimPrefix(name, tailFolder), "/")
	_, err = fmt.Sscanf(numbers, "%d-%d", &s.first, &s.last)
	if err != nil || tailName(log, s.first, s.last) != name || s.last < s.first {
		err = fmt.Errorf("%s is no tail: %w", name, ErrDamaged)
	}
	return log, s, err
}

// tail reads what a tail says of itself.
func (r *Repository) tail(ctx context.Context, log string, s span) (t Tail, err error) {
	name := tailName(log, s.first, s.last)
	text, err := r.read(ctx, name)
	if err != nil {
		return t, err
	}
	isNoBlock := func(n string) bool { return !isBlock(n) }
	err = json.Unmarshal(text, &t)
	if err != nil || t.Log != log || t.First != s.first || t.Last != s.last ||
		slices.ContainsFunc(t.Blocks, isNoBlock) || slices.ContainsFunc(t.Listing, isNoBlock) {
		return t, fmt.Errorf("%s: %w: it can't be read", name, ErrDamaged)
	}
	if t.Version != manifestVersion {
		return t, fmt.Errorf("%s is of version %d, this program knows %d", name, t.Version,
			manifestVersion)
	}
	return t, nil
}

// entries reads the entries of a tail, one after the other.
type entries struct {
	ctx    context.Context
	r      *Repository
	blocks []string
	text   []byte
}

// next returns io.EOF at the end.
func (e *entries) next() ([]byte, error) {
	for {
		size, n := binary.Uvarint(e.text)
		if n > 0 && size <= uint64(len(e.text)-n) {
			data := e.text[n : n+int(size)]
			e.text = e.text[n+int(size):]
			return data, nil
		}
		if len(e.blocks) == 0 {
			if len(e.text) > 0 || n < 0 {
				return nil, fmt.Errorf("a tail: %w: it is cut", ErrDamaged)
			}
			return nil, io.EOF
		}
		block, err := e.r.read(e.ctx, objectName(e.blocks[0]))
		if err != nil {
			return nil, err
		}
		e.blocks, e.text = e.blocks[1:], append(slices.Clip(e.text), block...)
	}
}
