package backup

import (
	"context"
	"time"
)

// Target is where backups lie: objects under names with slashes. An object is there whole or not at
// all. All methods are safe for concurrent use.
type Target interface {
	// Put writes an object durably, in the place of one of that name.
	Put(ctx context.Context, name string, object []byte) error
	// Get returns an object of at most MaxObject bytes. One that isn't there is fs.ErrNotExist.
	Get(ctx context.Context, name string) ([]byte, error)
	// Size is that of an object; fs.ErrNotExist if there is none.
	Size(ctx context.Context, name string) (int64, error)
	// List calls fn with every object whose name begins so, in the order of their names.
	List(ctx context.Context, prefix string, fn func(Listed) error) error
	// Remove removes an object. It is no error if there is none.
	Remove(ctx context.Context, name string) error
	// String says where it is, without secrets.
	String() string
}

// Listed is an object of a target.
type Listed struct {
	Name     string
	Size     int64
	Modified time.Time
}
