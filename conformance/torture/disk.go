package torture

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// disk is where the switch's data are, and what can be done to it without being root.
type disk struct {
	dir    string
	margin uint64 // what is filled up, and room for what others on the machine write meanwhile
}

// lowMargin is how much above the switch's limit the free space is when nothing is wrong.
const lowMargin = 2 << 30

func free(dir string) (uint64, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return 0, fmt.Errorf("torture: free space of %s: %w", dir, err)
	}
	return s.Bavail * uint64(s.Bsize), nil
}

// limit is data.min_free_mb with which a filler file makes the disk low: the switch takes no new
// requests below twice that.
func (d *disk) limit() (mb int, err error) {
	space, err := free(d.dir)
	if err != nil {
		return 0, err
	}
	d.margin = min(lowMargin, space/8)
	return int((space - d.margin) / 2 >> 20), nil
}

// fill makes the disk low until the function it returns is called.
func (d *disk) fill() (empty func(), err error) {
	name := filepath.Join(d.dir, "filler")
	file, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	empty = func() { file.Close(); os.Remove(name) }
	// Allocated, not written: it costs no time and nothing of the disk's life.
	if err := unix.Fallocate(int(file.Fd()), 0, 0, int64(2*d.margin)); err != nil {
		empty()
		return nil, fmt.Errorf("torture: this file system allocates no space ahead: %w", err)
	}
	return empty, nil
}

// hog writes and syncs on the same disk for a while, so that syncs of others take their time.
func (d *disk) hog(span time.Duration) error {
	name := filepath.Join(d.dir, "hog")
	file, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer os.Remove(name)
	defer file.Close()
	block := make([]byte, 4<<20)
	for end := time.Now().Add(span); time.Now().Before(end); {
		for at := range 4 {
			if _, err := file.WriteAt(block, int64(at*len(block))); err != nil {
				return err
			}
		}
		if err := file.Sync(); err != nil {
			return err
		}
	}
	return nil
}

// tear lets no file of a process grow beyond a little more than the greatest it has now: its next
// long write ends in the middle. The process doesn't survive that.
func (d *disk) tear(pid int, data string) error {
	var greatest int64
	err := filepath.WalkDir(data, func(_ string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return nil // files come and go
		}
		if info, err := e.Info(); err == nil && filepath.Ext(e.Name()) == ".log" {
			greatest = max(greatest, info.Size())
		}
		return nil
	})
	if err != nil {
		return err
	}
	limit := unix.Rlimit{Cur: uint64(greatest) + 4<<10 + 137, Max: unix.RLIM_INFINITY}
	if err := unix.Prlimit(pid, unix.RLIMIT_FSIZE, &limit, nil); err != nil {
		return errors.Join(errors.New("torture: no limit can be set on the switch's files"), err)
	}
	return nil
}
