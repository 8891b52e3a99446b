package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// What is done to a disk is done to a small one of the node's own: a file with a file system in it,
// mounted on the node's folder.

const (
	// diskSize is enough for a run, and soon full.
	diskSize = 3 << 29
	ballast  = "ballast"
)

// wantsDisks tells whether the plan hurts disks.
func (r *run) wantsDisks() bool {
	hurts := func(t Trial) bool { return t.Kind == Full || t.Kind == Stalled }
	return slices.ContainsFunc(r.Plan, hurts)
}

// mountDisk gives a node's folder a disk of its own, or says in noDisks why it can't have one.
func (r *run) mountDisk(dir string) {
	if !r.wantsDisks() || r.noDisks != nil {
		return
	}
	image := dir + ".disk"
	file, err := os.Create(image)
	if err == nil {
		err = errors.Join(file.Truncate(diskSize), file.Close())
	}
	for _, words := range []string{"mkfs.ext4 -q " + image, "mount -o loop " + image + " " + dir} {
		if err == nil {
			err = system(words)
		}
	}
	if r.noDisks = err; err == nil {
		r.disks = append(r.disks, dir)
	}
}

// thaw is before nodes are killed: one that waits for a frozen disk can't end.
func (r *run) thaw() {
	for _, dir := range r.disks {
		_ = system("fsfreeze -u " + dir) // it may not be frozen
	}
}

// unmountDisks is after all nodes have ended.
func (r *run) unmountDisks() {
	for _, dir := range r.disks {
		_ = system("umount -l " + dir)
	}
}

func system(words string) error {
	fields := strings.Fields(words)
	out, err := exec.Command(fields[0], fields[1:]...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w: %s", words, err, strings.TrimSpace(string(out)))
	}
	return nil
}

// stall lets no write to the node's disk end.
func (r *run) stall(to *node) (heal func() error, err error) {
	if r.noDisks != nil {
		return nil, r.noDisks
	}
	dir := r.diskOf(to)
	return func() error { return system("fsfreeze -u " + dir) }, system("fsfreeze -f " + dir)
}

// fill leaves no free space on the node's disk. A node that ends of it is started again.
func (r *run) fill(ctx context.Context, to *node) (heal func() error, err error) {
	if r.noDisks != nil {
		return nil, r.noDisks
	}
	name := filepath.Join(r.diskOf(to), ballast)
	file, err := os.Create(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var disk unix.Statfs_t
	if err := unix.Fstatfs(int(file.Fd()), &disk); err != nil {
		return nil, err
	}
	free := int64(disk.Bfree) * disk.Bsize
	for piece := int64(64 << 20); piece >= 4096; { // as much as there is, down to the last block
		if err := unix.Fallocate(int(file.Fd()), 0, diskSize-free, piece); err != nil {
			piece /= 2
			continue
		}
		free -= piece
	}
	return func() error {
		if err := os.Remove(name); err != nil {
			return err
		}
		// A write that has failed ends it, but only when the next one does, and it may wait for that.
		for end := time.Now().Add(watched); time.Now().Before(end); {
			if _, ended := to.died(); ended {
				return to.start(ctx)
			}
			if !pause(ctx, 50*time.Millisecond) {
				return ctx.Err()
			}
		}
		return nil
	}, nil
}

func (r *run) diskOf(n *node) string {
	return filepath.Join(r.dir, fmt.Sprintf("node-%d", n.number))
}
