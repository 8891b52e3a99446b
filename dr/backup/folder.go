package backup

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Folder is a target on a mounted disk. Files are synced before they get their name, and the name
// before Put returns.
type Folder string

// unnamed begins the names of files that aren't whole yet.
const unnamed = ".new-"

// String is its path.
func (d Folder) String() string { return string(d) }

func (d Folder) path(name string) string {
	return filepath.Join(string(d), filepath.FromSlash(name))
}

// Put writes an object.
func (d Folder) Put(ctx context.Context, name string, object []byte) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	folder := filepath.Dir(d.path(name))
	if err := d.makeFolder(path.Dir(name)); err != nil {
		return err
	}
	f, err := os.CreateTemp(folder, unnamed)
	if err != nil {
		return err
	}
	_, err = f.Write(object)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), d.path(name))
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return syncFolder(folder)
}

// makeFolder makes a folder of the target with those above it, and makes sure that they stay.
func (d Folder) makeFolder(name string) error {
	if _, err := os.Stat(d.path(name)); err == nil {
		return nil
	}
	if name == "." {
		return os.MkdirAll(string(d), 0o700)
	}
	if err := d.makeFolder(path.Dir(name)); err != nil {
		return err
	}
	if err := os.Mkdir(d.path(name), 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncFolder(filepath.Dir(d.path(name)))
}

func syncFolder(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// Get reads an object.
func (d Folder) Get(ctx context.Context, name string) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	f, err := os.Open(d.path(name))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	object, err := io.ReadAll(io.LimitReader(f, MaxObject+1))
	if err == nil && int64(len(object)) > MaxObject {
		return nil, fmt.Errorf("%s: %w: it is too large", name, ErrDamaged)
	}
	return object, err
}

// Size is that of an object.
func (d Folder) Size(ctx context.Context, name string) (int64, error) {
	info, err := os.Stat(d.path(name))
	if err != nil {
		return 0, err
	}
	return info.Size(), ctx.Err()
}

// List walks over the objects of a folder of the target, or of those of its files that begin so.
func (d Folder) List(ctx context.Context, prefix string, fn func(Listed) error) error {
	var found []Listed
	under := d.path(path.Dir(prefix))
	err := filepath.WalkDir(under, func(file string, e fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist): // removed meanwhile, or there is none yet
			return nil
		case err != nil:
			return err
		case e.IsDir() || strings.HasPrefix(e.Name(), unnamed):
			return ctx.Err()
		}
		name, err := filepath.Rel(string(d), file)
		if err != nil || !strings.HasPrefix(filepath.ToSlash(name), prefix) {
			return err
		}
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil {
			found = append(found, Listed{filepath.ToSlash(name), info.Size(), info.ModTime()})
		}
		return err
	})
	if err != nil {
		return err
	}
	slices.SortFunc(found, func(a, b Listed) int { return cmp.Compare(a.Name, b.Name) })
	for _, l := range found {
		if err := fn(l); err != nil {
			return err
		}
	}
	return nil
}

// sweep removes files that never got their name and are older.
func (d Folder) sweep(before time.Time) error {
	return filepath.WalkDir(string(d), func(file string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || !strings.HasPrefix(e.Name(), unnamed) {
			return err
		}
		info, err := e.Info()
		if err != nil || !info.ModTime().Before(before) {
			return nil
		}
		return os.Remove(file)
	})
}

// Remove removes an object.
func (d Folder) Remove(ctx context.Context, name string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := os.Remove(d.path(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
