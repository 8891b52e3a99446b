package backup

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"cardswitch/store"
)

// Options say how a backup is made.
type Options struct {
	// Whole reads and writes everything anew, and so mends what was damaged at the target.
	Whole bool
	// Rate is how many bytes a second are read at most; 0: as many as there are.
	Rate int64
	// Progress is told once a second; it may be nil.
	Progress func(Progress)
}

// Progress is how far something is.
type Progress struct {
	Done  int64 `json:"done"` // bytes
	Of    int64 `json:"of"`
	Moved int64 `json:"moved"` // bytes written to the target, or read from it
}

const (
	atOnce = 4 // transfers
	tries  = 3 // of a copy under which files are replaced
)

// Create makes a backup. An error leaves the target as it was, but for blocks that the next one
// uses.
func (r *Repository) Create(ctx context.Context, s *Source, o Options) (Manifest, error) {
	h, err := r.claim(ctx, sharing)
	if err != nil {
		return Manifest{}, err
	}
	defer h.release()
	known := map[string]File{}
	if !o.Whole {
		if known, err = r.known(ctx); err != nil {
			return Manifest{}, err
		}
	}
	for range tries {
		var m Manifest
		if m, err = r.create(ctx, h, s, &o, known); !errors.Is(err, errMoved) {
			return m, err
		}
	}
	return Manifest{}, &store.Error{Op: "make a backup", Err: err, Hint: "try again"}
}

// known are the files of the newest backup. If that can't be read the new one is made without it.
func (r *Repository) known(ctx context.Context) (map[string]File, error) {
	known := map[string]File{}
	ids, err := r.IDs(ctx)
	if err != nil || len(ids) == 0 {
		return known, err
	}
	m, err := r.Manifest(ctx, ids[len(ids)-1])
	if err != nil {
		return known, ctx.Err()
	}
	files, err := r.files(ctx, &m)
	if err != nil {
		return known, ctx.Err()
	}
	for _, f := range files {
		known[f.Name] = f
	}
	return known, nil
}

func (r *Repository) create(ctx context.Context, h *held, s *Source, o *Options,
	known map[string]File) (m Manifest, err error) {
	begun := time.Now()
	if err := os.RemoveAll(s.Scratch); err != nil { // of a run that was killed
		return m, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(s.Scratch)) }()
	m = Manifest{Version: manifestVersion, ID: newID(begun, randomHex(4)), Begun: begun.UTC(),
		Program: s.Program, Cluster: s.Cluster, Node: s.Node, Elsewhere: s.Elsewhere}
	if m.Journal, err = s.Journal.Checkpoint(s.Scratch); err != nil {
		return m, err
	}
	files, err := s.list()
	if err != nil {
		return m, err
	}
	c := copying{r: r, o: o, known: known, begun: begun}
	if err := c.all(ctx, files); err != nil {
		return m, err
	}
	m.Files, m.Bytes = len(files), c.of
	if m.Listing, err = c.listing(ctx, files); err != nil {
		return m, err
	}
	m.Copied, m.Stored, m.Ended = c.copied.Load(), c.stored.Load(), time.Now().UTC()
	text, err := json.Marshal(&m)
	if err = errors.Join(err, h.lasts()); err != nil {
		return m, err
	}
	_, err = r.write(ctx, manifestFolder+m.ID, text)
	return m, err
}

// copying is one backup on its way.
type copying struct {
	r      *Repository
	o      *Options
	known  map[string]File
	begun  time.Time
	of     int64 // bytes
	done   atomic.Int64
	copied atomic.Int64
	stored atomic.Int64
	teller teller
}

// all copies the blocks of all files, and puts their names into the files.
func (c *copying) all(ctx context.Context, files []found) error {
	for i := range files {
		c.of += files[i].Size
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	read := int64(0)
	for i := range files {
		f := &files[i]
		if k, ok := c.known[f.Name]; ok && k.Size == f.Size && k.Modified == f.Modified &&
			k.Inode == f.Inode {
			f.Blocks = k.Blocks
			c.done.Add(f.Size)
			c.tell()
			continue
		}
		f.Blocks = make([]string, (f.Size+BlockSize-1)/BlockSize)
		err := f.each(ctx, func(n int, block []byte) error {
			read += int64(len(block))
			group.Go(func() (err error) {
				f.Blocks[n], err = c.block(ctx, block)
				c.done.Add(int64(len(block)))
				c.tell()
				return err
			})
			return pause(ctx, c.begun, read, c.o.Rate)
		})
		if err != nil {
			return errors.Join(err, group.Wait())
		}
	}
	return group.Wait()
}

// pause waits until so many bytes may have been read.
func pause(ctx context.Context, begun time.Time, read, rate int64) error {
	if rate <= 0 {
		return nil
	}
	due := begun.Add(time.Duration(float64(read) / float64(rate) * float64(time.Second)))
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(time.Until(due)):
		return nil
	}
}

func (c *copying) tell() {
	c.teller.tell(c.o.Progress, Progress{Done: c.done.Load(), Of: c.of, Moved: c.stored.Load()})
}

// teller tells progress once a second, of several goroutines.
type teller struct {
	mu   sync.Mutex
	told time.Time
}

func (t *teller) tell(fn func(Progress), p Progress) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if fn != nil && time.Since(t.told) >= time.Second {
		t.told = time.Now()
		fn(p)
	}
}

// block makes sure that a block is at the target, and returns its name. One that is there with
// another size was cut by a disk that lied, and is written again.
func (c *copying) block(ctx context.Context, block []byte) (string, error) {
	name := c.r.key.nameOf(block)
	object, small := objectName(name), compress(block)
	size, err := c.r.target.Size(ctx, object)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	if err == nil && size == small.size() && !c.o.Whole {
		return name, nil
	}
	text, err := c.r.key.sealBody(object, small)
	if err != nil {
		return "", err
	}
	if err := c.r.target.Put(ctx, object, text); err != nil {
		return "", fmt.Errorf("write to %s: %w", c.r.target, err)
	}
	c.copied.Add(int64(len(block)))
	c.stored.Add(int64(len(text)))
	return name, nil
}

// listing writes the list of files.
func (c *copying) listing(ctx context.Context, files []found) (names []string, err error) {
	var text []byte
	for i := range files {
		line, err := json.Marshal(&files[i].File)
		if err != nil {
			return nil, err
		}
		text = append(append(text, line...), '\n')
	}
	for len(text) > 0 {
		n := min(len(text), BlockSize)
		name, err := c.block(ctx, text[:n])
		if err != nil {
			return nil, err
		}
		names, text = append(names, name), text[n:]
	}
	return names, nil
}
