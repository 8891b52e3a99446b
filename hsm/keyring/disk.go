package keyring

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// folder is what a disk does for a key store, in steps between which the machine may die.
type folder interface {
	read(name string) ([]byte, error)
	write(name string, text []byte) error // the contents are on the disk, the name perhaps not
	link(from, to string) error
	rename(from, to string) error
	remove(name string) error
	list() ([]string, error)
	sync() error // the names are on the disk
}

// disk is a file that is replaced as a whole. Its old versions stay beside it under name.VERSION.
type disk struct {
	folder folder
	name   string
}

func newRealDisk(path string) disk {
	return disk{realFolder(filepath.Dir(path)), filepath.Base(path)}
}

func (d disk) read() ([]byte, error) { return d.folder.read(d.name) }

// replace writes the text in place of the old version: at any moment the name has one of both
// whole. Old versions beyond those to keep are removed; it is no matter if one of them can't be.
func (d disk) replace(text []byte, old uint64, keep int) error {
	fresh := d.name + ".new"
	if err := d.folder.write(fresh, text); err != nil {
		return err
	}
	if old > 0 {
		kept := fmt.Sprintf("%s.%d", d.name, old)
		if err := d.folder.link(d.name, kept); err != nil && !errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("keep the old version: %w", err)
		}
	}
	if err := d.folder.rename(fresh, d.name); err != nil {
		return err
	}
	if err := d.folder.sync(); err != nil {
		return err
	}
	d.prune(keep)
	return nil
}

func (d disk) prune(keep int) {
	names, err := d.folder.list()
	if err != nil {
		return
	}
	var versions []uint64
	for _, name := range names {
		number, ours := strings.CutPrefix(name, d.name+".")
		if n, err := strconv.ParseUint(number, 10, 64); ours && err == nil {
			versions = append(versions, n)
		}
	}
	slices.Sort(versions)
	for _, n := range versions[:max(0, len(versions)-keep)] {
		_ = d.folder.remove(fmt.Sprintf("%s.%d", d.name, n))
	}
}

// realFolder is a folder of the machine, by its path.
type realFolder string

func (f realFolder) path(name string) string { return filepath.Join(string(f), name) }

func (f realFolder) read(name string) ([]byte, error) {
	file, err := os.Open(f.path(name))
	if err != nil {
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if mode := info.Mode(); !mode.IsRegular() || mode.Perm()&0o077 != 0 {
		return nil, fmt.Errorf("it is open to others (mode %04o)", mode.Perm())
	}
	text, err := io.ReadAll(io.LimitReader(file, mostStore+1))
	if err == nil && len(text) > mostStore {
		err = errors.New("it is too large")
	}
	return text, err
}

func (f realFolder) write(name string, text []byte) error {
	// What a crash left may be open to others: begin anew.
	if err := f.remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	file, err := os.OpenFile(f.path(name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(text)
	return errors.Join(err, file.Sync(), file.Close())
}

func (f realFolder) link(from, to string) error   { return os.Link(f.path(from), f.path(to)) }
func (f realFolder) rename(from, to string) error { return os.Rename(f.path(from), f.path(to)) }
func (f realFolder) remove(name string) error     { return os.Remove(f.path(name)) }

func (f realFolder) list() ([]string, error) {
	entries, err := os.ReadDir(string(f))
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names, err
}

func (f realFolder) sync() error {
	dir, err := os.Open(string(f))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
