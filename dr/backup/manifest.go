package backup

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"cardswitch/store"
)

// Manifest says what a backup holds. It lies sealed at the target, under its own ID, so that one
// can't be put in the place of another.
type Manifest struct {
	Version int       `json:"version"`
	ID      string    `json:"id"`
	Begun   time.Time `json:"begun"`
	Ended   time.Time `json:"ended"`
	Program string    `json:"program"` // version of the cardswitch that made it
	Cluster string    `json:"cluster,omitempty"`
	Node    string    `json:"node"`

	Journal   store.Mark  `json:"journal"`
	Elsewhere []Elsewhere `json:"elsewhere"`

	Files  int   `json:"files"`
	Bytes  int64 `json:"bytes"`  // of its files
	Copied int64 `json:"copied"` // of these, what wasn't there before
	Stored int64 `json:"stored"` // bytes that were written to the target for it

	// Listing names the blocks of the list of files, which is a line of JSON for each.
	Listing []string `json:"listing"`
}

// Elsewhere is something that a restored node needs and no backup holds.
type Elsewhere struct {
	What string `json:"what"`
	ID   string `json:"id,omitempty"`   // names it without telling anything about it
	Path string `json:"path,omitempty"` // where the node had it
}

// File is a file of a backup.
type File struct {
	Name   string   `json:"name"` // where it goes under the restored folder, with slashes
	Size   int64    `json:"size"`
	Blocks []string `json:"blocks"`
	// Of the file that was copied: one that still has both hasn't changed since.
	Modified int64  `json:"modified"` // unix nanoseconds
	Inode    uint64 `json:"inode"`
}

const manifestVersion = 1

const (
	manifestFolder = "backups/"
	objectFolder   = "objects/"
)

// newID names a backup by the time at which it began. Names sort by time.
func newID(at time.Time, random string) string { return at.UTC().Format(idTime) + "-" + random }

const idTime = "20060102T150405.000Z"

func objectName(block string) string { return objectFolder + block[:2] + "/" + block }

// isBlock tells whether a text can be the name of a block.
func isBlock(name string) bool {
	return len(name) == 64 && strings.Trim(name, "0123456789abcdef") == ""
}

// parseManifest takes what was sealed under an ID.
func parseManifest(id string, text []byte) (Manifest, error) {
	var about struct{ Version int }
	if err := json.Unmarshal(text, &about); err != nil {
		return Manifest{}, fmt.Errorf("backup %s: %w: it can't be read", id, ErrDamaged)
	}
	if about.Version != manifestVersion {
		return Manifest{}, fmt.Errorf("backup %s is of version %d, this program knows %d: "+
			"use the cardswitch that made it, or a newer one", id, about.Version, manifestVersion)
	}
	var m Manifest
	if err := json.Unmarshal(text, &m); err != nil {
		return Manifest{}, fmt.Errorf("backup %s: %w: it can't be read", id, ErrDamaged)
	}
	if m.ID != id || slices.ContainsFunc(m.Listing, func(n string) bool { return !isBlock(n) }) {
		return Manifest{}, fmt.Errorf("backup %s: %w: it says something else", id, ErrDamaged)
	}
	return m, nil
}

// parseListing takes the list of files.
func parseListing(text []byte) ([]File, error) {
	var files []File
	d := json.NewDecoder(bytes.NewReader(text))
	for {
		var f File
		err := d.Decode(&f)
		if errors.Is(err, io.EOF) {
			return files, nil
		}
		if err != nil {
			return nil, fmt.Errorf("a list of files: %w: it can't be read", ErrDamaged)
		}
		if err := f.check(); err != nil {
			return nil, err
		}
		if n := len(files); n > 0 && files[n-1].Name >= f.Name {
			return nil, fmt.Errorf("a list of files: %w: it isn't sorted", ErrDamaged)
		}
		files = append(files, f)
	}
}

// check holds a file to names that stay inside the restored folder, and to as many blocks as its
// size takes.
func (f *File) check() error {
	clean := filepath.IsLocal(filepath.FromSlash(f.Name)) && !strings.Contains(f.Name, "\\") &&
		filepath.ToSlash(filepath.Clean(f.Name)) == f.Name && f.Name != "."
	if !clean || f.Size < 0 || int64(len(f.Blocks)) != (f.Size+BlockSize-1)/BlockSize ||
		slices.ContainsFunc(f.Blocks, func(n string) bool { return !isBlock(n) }) {
		return fmt.Errorf("a list of files: %w: %q", ErrDamaged, f.Name)
	}
	return nil
}

// files reads the list of files of a backup.
func (r *Repository) files(ctx context.Context, m *Manifest) ([]File, error) {
	return r.listed(ctx, m.Listing, m.Files)
}

// listed reads a list of so many files.
func (r *Repository) listed(ctx context.Context, blocks []string, of int) ([]File, error) {
	var text []byte
	for _, block := range blocks {
		part, err := r.read(ctx, objectName(block))
		if err != nil {
			return nil, err
		}
		text = append(text, part...)
	}
	files, err := parseListing(text)
	if err == nil && len(files) != of {
		err = fmt.Errorf("a list of files: %w: it has %d, not %d", ErrDamaged, len(files), of)
	}
	return files, err
}
