package fence

import "github.com/cockroachdb/pebble/v2/vfs"

// fenced is a file on the disk; once the fence is shut, what is written to it is dropped.
type fenced struct {
	vfs.File
	fs  *FS
	log bool
}

func (f *fenced) Write(p []byte) (n int, err error) {
	done, err := f.fs.try(func() (err error) {
		n, err = f.File.Write(p)
		return err
	})
	if !done {
		return len(p), nil
	}
	if f.log {
		f.fs.bytes.Add(uint64(n))
	}
	return n, err
}

func (f *fenced) WriteAt(p []byte, at int64) (n int, err error) {
	done, err := f.fs.try(func() (err error) {
		n, err = f.File.WriteAt(p, at)
		return err
	})
	if !done {
		return len(p), nil
	}
	return n, err
}

func (f *fenced) Sync() error {
	f.countSync()
	f.fs.wait()
	_, err := f.fs.try(f.File.Sync)
	return err
}

func (f *fenced) SyncData() error {
	f.countSync()
	f.fs.wait()
	_, err := f.fs.try(f.File.SyncData)
	return err
}

func (f *fenced) countSync() {
	if f.log {
		f.fs.syncs.Add(1)
	}
}

func (f *fenced) SyncTo(length int64) (full bool, err error) {
	f.fs.wait()
	done, err := f.fs.try(func() (err error) {
		full, err = f.File.SyncTo(length)
		return err
	})
	if !done {
		return false, nil
	}
	return full, err
}

// Preallocate is a wish. If the disk can't grant it, the write that follows will say why.
func (f *fenced) Preallocate(offset, length int64) error {
	if !f.fs.closed.Load() {
		_ = f.File.Preallocate(offset, length)
	}
	return nil
}

// Close closes the file on the disk in any case; an error then means that something wasn't written.
func (f *fenced) Close() error {
	if f.fs.closed.Load() {
		_ = f.File.Close()
		return nil
	}
	_, err := f.fs.try(f.File.Close)
	return err
}
