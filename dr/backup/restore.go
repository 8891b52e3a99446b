package backup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"cardswitch/store"
)

// Restore brings the files of a backup into a folder that isn't there yet. The folder appears when
// all of it is on the disk and check, which gets the folder under another name, has found it good.
func (r *Repository) Restore(ctx context.Context, m *Manifest, into string,
	check func(string) error, progress func(Progress)) error {
	op := "restore backup " + m.ID
	if _, err := os.Lstat(into); err == nil {
		return &store.Error{Op: op, Err: fmt.Errorf("%s: %w", into, fs.ErrExist),
			Hint: "nothing is ever restored over something: name a folder that isn't there"}
	}
	files, err := r.files(ctx, m)
	if err != nil {
		return &store.Error{Op: op, Err: err, Hint: damagedHint}
	}
	part, err := os.MkdirTemp(filepath.Dir(into), filepath.Base(into)+".restoring-")
	if err != nil {
		return &store.Error{Op: op, Err: err, Hint: "check the folder in which it is to be"}
	}
	b := bringing{r: r, into: part, progress: progress}
	if err = b.all(ctx, files); err == nil && check != nil {
		err = check(part)
	}
	if err == nil {
		err = os.Rename(part, into)
	}
	if err == nil {
		err = syncFolder(filepath.Dir(into))
	}
	if err != nil {
		err = errors.Join(err, os.RemoveAll(part))
		var told *store.Error
		if errors.As(err, &told) {
			return err
		}
		hint := "check the disk, and that the target can be read"
		if errors.Is(err, ErrDamaged) {
			hint = damagedHint
		}
		return &store.Error{Op: op, Err: err, Hint: hint}
	}
	return nil
}

const damagedHint = "restore an older backup, or from another copy of the target; on a node that " +
	"still runs, `cardswitch backup create --whole` writes everything anew"

// bringing is a restore on its way.
type bringing struct {
	r        *Repository
	into     string
	progress func(Progress)
	of       int64
	done     atomic.Int64
	teller   teller
}

func (b *bringing) all(ctx context.Context, files []File) error {
	for i := range files {
		b.of += files[i].Size
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	for i := range files {
		group.Go(func() error { return b.file(ctx, &files[i]) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return filepath.WalkDir(b.into, func(name string, e fs.DirEntry, err error) error {
		if err != nil || !e.IsDir() {
			return err
		}
		return syncFolder(name)
	})
}

func (b *bringing) file(ctx context.Context, f *File) error {
	name := filepath.Join(b.into, filepath.FromSlash(f.Name))
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return err
	}
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if err = b.blocks(ctx, f, file); err == nil {
		err = file.Sync()
	}
	return errors.Join(err, file.Close())
}

func (b *bringing) blocks(ctx context.Context, f *File, file *os.File) error {
	rest := f.Size
	for _, name := range f.Blocks {
		block, err := b.r.read(ctx, objectName(name))
		if err != nil {
			return fmt.Errorf("%s: %w", f.Name, err)
		}
		if int64(len(block)) != min(rest, BlockSize) {
			return fmt.Errorf("%s: %s: %w: its length is wrong", f.Name, objectName(name), ErrDamaged)
		}
		if _, err := file.Write(block); err != nil {
			return err
		}
		rest -= int64(len(block))
		done := b.done.Add(int64(len(block)))
		b.teller.tell(b.progress, Progress{Done: done, Of: b.of, Moved: done})
	}
	return nil
}
