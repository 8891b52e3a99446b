// Package wholefile keeps a small file that is replaced as a whole and wiped when it is.
//
// It is for keys that must be gone once they are replaced. After a crash at any moment the file is
// either the old one or the new one. The old one is overwritten where it lay, once the new one is
// durable: on a disk that writes in place nothing is left of it. A flash disk, a file system that
// copies on write, or a snapshot may keep what it held; where that matters, the folder belongs on a
// medium that doesn't.
package wholefile

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	iofs "io/fs"
	"syscall"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// Most is the size that a file may have.
const Most = 1 << 20

// ErrDamaged is that of a file which doesn't hold what Replace wrote.
var ErrDamaged = errors.New("the file is damaged")

const (
	mark    = "sha256 "
	trailer = len(mark) + 2*sha256.Size + 1
	tries   = 5
)

// Replace makes data the content of a file, durably, readable by its owner alone.
func Replace(fs vfs.FS, name string, data []byte) error {
	if len(data)+trailer > Most {
		return fmt.Errorf("%d bytes are too many for %s", len(data), fs.PathBase(name))
	}
	next := name + ".next"
	if err := Wipe(fs, next); err != nil { // of a crash
		return err
	}
	if err := create(fs, next, data); err != nil {
		return err
	}
	old, err := openExisting(fs, name)
	if err != nil {
		return err
	}
	if old != nil {
		defer old.Close()
	}
	if err := fs.Rename(next, name); err != nil {
		return err
	}
	if err := SyncDir(fs, fs.PathDir(name)); err != nil || old == nil {
		return err
	}
	return overwrite(old)
}

// create writes a file with its check sum.
func create(fs vfs.FS, name string, data []byte) error {
	f, err := fs.Create(name, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(data)
	content := append(bytes.Clone(data), mark+hex.EncodeToString(sum[:])+"\n"...)
	defer clear(content)
	err = Private(f)
	if err == nil {
		_, err = f.Write(content)
	}
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// Read returns what Replace wrote. It may be called while Replace runs: a file that was wiped under
// its eyes is read again.
func Read(fs vfs.FS, name string) ([]byte, error) {
	for range tries {
		data, err := readOnce(fs, name)
		if !errors.Is(err, ErrDamaged) {
			return data, err
		}
	}
	return nil, fmt.Errorf("%s: %w", fs.PathBase(name), ErrDamaged)
}

func readOnce(fs vfs.FS, name string) ([]byte, error) {
	f, err := fs.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, Most+1))
	if err != nil {
		return nil, err
	}
	if len(content) > Most || len(content) < trailer {
		return nil, ErrDamaged
	}
	data, check := content[:len(content)-trailer], content[len(content)-trailer:]
	sum := sha256.Sum256(data)
	if string(check) != mark+hex.EncodeToString(sum[:])+"\n" {
		return nil, ErrDamaged
	}
	return data, nil
}

// Wipe overwrites a file and removes it. It is no error if there is none.
func Wipe(fs vfs.FS, name string) error {
	f, err := openExisting(fs, name)
	if f == nil || err != nil {
		return err
	}
	if err := errors.Join(overwrite(f), f.Close()); err != nil {
		return err
	}
	if err := fs.Remove(name); err != nil {
		return err
	}
	return SyncDir(fs, fs.PathDir(name))
}

// openExisting opens a file for overwriting, nil if there is none.
func openExisting(fs vfs.FS, name string) (vfs.File, error) {
	if _, err := fs.Stat(name); errors.Is(err, iofs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	return fs.OpenReadWrite(name, vfs.WriteCategoryUnspecified)
}

// overwrite puts zeros over all that a file holds.
func overwrite(f vfs.File) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if _, err := f.WriteAt(make([]byte, min(info.Size(), Most)), 0); err != nil {
		return err
	}
	return f.Sync()
}

// SyncDir makes the names in a folder durable.
func SyncDir(fs vfs.FS, dir string) error {
	d, err := fs.OpenDir(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Private lets only the owner of a file on the machine's disk read it.
func Private(f vfs.File) error {
	if fd := f.Fd(); fd != vfs.InvalidFd {
		return syscall.Fchmod(int(fd), 0o600)
	}
	return nil
}
