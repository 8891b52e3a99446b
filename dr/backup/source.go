package backup

import (
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
	"syscall"

	"cardswitch/store"
)

// Source is the node that is copied.
type Source struct {
	Journal Journal
	// Scratch is where the checkpoint lies meanwhile: a folder of its own on the journal's disk.
	Scratch   string
	Parts     []Part
	Elsewhere []Elsewhere
	Program   string
	Cluster   string
	Node      string
}

// Journal is what is copied of a store.
type Journal interface {
	Checkpoint(dir string) (store.Mark, error)
}

// Part is a file beside the journal, or a folder of them. It may be absent.
type Part struct {
	Name string                 // where it goes under the restored folder, with slashes
	Path string                 // where the node has it
	Only func(name string) bool // which files of the folder; nil: all
}

// journalPart is where the checkpoint goes under the restored folder.
const journalPart = "journal"

// errMoved is that of a file that was replaced while it was copied.
var errMoved = errors.New("files were replaced while they were copied")

// found is a file that is to be copied.
type found struct {
	File
	path string
}

// files lists the files of a part, in the order of their names.
func (p *Part) files() (list []found, err error) {
	root, err := filepath.EvalSymlinks(p.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	err = filepath.WalkDir(root, func(file string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		rel, err := filepath.Rel(root, file)
		if err != nil || p.Only != nil && rel != "." && !p.Only(filepath.ToSlash(rel)) {
			return err
		}
		info, err := e.Info()
		if err == nil && info.Mode()&fs.ModeSymlink != 0 {
			info, err = os.Stat(file)
		}
		if err != nil || !info.Mode().IsRegular() {
			return err
		}
		f := found{path: file}
		f.Name, f.Size, f.Modified = path.Join(p.Name, filepath.ToSlash(rel)), info.Size(),
			info.ModTime().UnixNano()
		f.Inode = inodeOf(info)
		list = append(list, f)
		return nil
	})
	if errors.Is(err, fs.ErrNotExist) {
		err = errMoved
	}
	return list, err
}

func inodeOf(info fs.FileInfo) uint64 {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return s.Ino
	}
	return 0
}

// each calls fn with the blocks of a file as it was found. One that only grew since is cut there;
// one that was replaced is errMoved, for a file may be wiped where it lay when it is.
func (f *found) each(ctx context.Context, fn func(n int, block []byte) error) error {
	file, err := os.Open(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return errMoved
	}
	if err != nil {
		return err
	}
	defer file.Close()
	rest := f.Size
	for n := 0; rest > 0; n++ {
		block := make([]byte, min(rest, BlockSize))
		if _, err := io.ReadFull(file, block); err != nil {
			return fmt.Errorf("read %s: %w", f.path, err)
		}
		rest -= int64(len(block))
		if rest == 0 {
			if err := f.unmoved(); err != nil {
				return err
			}
		}
		if err := errors.Join(ctx.Err(), fn(n, block)); err != nil {
			return err
		}
	}
	return nil
}

func (f *found) unmoved() error {
	info, err := os.Stat(f.path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && inodeOf(info) != f.Inode {
		return errMoved
	}
	return err
}

// list finds all files, sorted by where they go.
func (s *Source) list() ([]found, error) {
	return listParts(append([]Part{{Name: journalPart, Path: s.Scratch}}, s.Parts...))
}

// beside finds the files beside the journal.
func (s *Source) beside() ([]found, error) { return listParts(s.Parts) }

// listParts sorts files by where they go. No two go to one place.
func listParts(parts []Part) ([]found, error) {
	var all []found
	for _, p := range parts {
		list, err := p.files()
		if err != nil {
			return nil, err
		}
		all = append(all, list...)
	}
	slices.SortFunc(all, func(a, b found) int { return strings.Compare(a.Name, b.Name) })
	for i := range all {
		if i > 0 && all[i-1].Name == all[i].Name {
			return nil, fmt.Errorf("%s and %s would be one file", all[i-1].path, all[i].path)
		}
	}
	return all, nil
}
