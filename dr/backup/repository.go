package backup

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"cardswitch/store"
)

// Repository is a target with the key of what lies there.
type Repository struct {
	target Target
	key    *Key
}

// about is what a target says of itself in clear, so that the wrong key is told from damage.
type about struct {
	Format int    `json:"format"`
	Key    string `json:"key"` // ID of the backup key
}

const (
	aboutName   = "cardswitch-backup"
	aboutFormat = 1
)

// Open opens the repository at a target. With begin an empty target becomes one.
func Open(ctx context.Context, t Target, k *Key, begin bool) (*Repository, error) {
	op := "open the backups at " + t.String()
	r := &Repository{target: t, key: k}
	text, err := t.Get(ctx, aboutName)
	if errors.Is(err, fs.ErrNotExist) && begin {
		return r, r.begin(ctx)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &store.Error{Op: op, Err: errors.New("there are none"),
			Hint: "check the target's name and that its disk is mounted"}
	}
	if err != nil {
		return nil, &store.Error{Op: op, Err: err, Hint: "check that the target can be reached and read"}
	}
	var is about
	if err := json.Unmarshal(text, &is); err != nil {
		return nil, &store.Error{Op: op, Err: fmt.Errorf("%s: %w", aboutName, ErrDamaged),
			Hint: "write it again as another copy of the target has it"}
	}
	if is.Format != aboutFormat {
		return nil, &store.Error{Op: op, Err: fmt.Errorf("they are of format %d, this program knows %d",
			is.Format, aboutFormat), Hint: "use the cardswitch that wrote them, or a newer one"}
	}
	if is.Key != k.ID() {
		return nil, &store.Error{Op: op, Err: fmt.Errorf("they are under backup key %s, this one is %s",
			is.Key, k.ID()), Hint: "bring the key file that belongs to this target"}
	}
	return r, nil
}

// begin makes an empty target a repository. One that holds something else is left alone.
func (r *Repository) begin(ctx context.Context) error {
	op := "begin backups at " + r.target.String()
	full := errors.New("full")
	err := r.target.List(ctx, "", func(Listed) error { return full })
	if errors.Is(err, full) {
		return &store.Error{Op: op, Err: errors.New("it isn't empty, and holds no backups"),
			Hint: "name an empty folder, or a prefix of its own"}
	}
	if err != nil {
		return &store.Error{Op: op, Err: err, Hint: "check that the target can be reached and read"}
	}
	text, err := json.Marshal(about{Format: aboutFormat, Key: r.key.ID()})
	if err == nil {
		err = r.target.Put(ctx, aboutName, text)
	}
	if err != nil {
		return &store.Error{Op: op, Err: err, Hint: "check that the target can be written"}
	}
	return nil
}

// String says where it is.
func (r *Repository) String() string { return r.target.String() }

func randomHex(n int) string {
	b := make([]byte, n)
	rand.Read(b) // never fails
	return hex.EncodeToString(b)
}

// read fetches and opens an object.
func (r *Repository) read(ctx context.Context, name string) ([]byte, error) {
	object, err := r.target.Get(ctx, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: %w: it is missing", name, ErrDamaged)
	}
	if err != nil {
		return nil, err
	}
	return r.key.Open(name, object)
}

// write seals an object and puts it to the target.
func (r *Repository) write(ctx context.Context, name string, content []byte) (int64, error) {
	object, err := r.key.Seal(name, content)
	if err != nil {
		return 0, err
	}
	return int64(len(object)), r.target.Put(ctx, name, object)
}

// IDs are the backups that are whole, oldest first.
func (r *Repository) IDs(ctx context.Context) (ids []string, err error) {
	err = r.target.List(ctx, manifestFolder, func(l Listed) error {
		ids = append(ids, strings.TrimPrefix(l.Name, manifestFolder))
		return nil
	})
	return ids, err
}

// Manifest reads that of a backup.
func (r *Repository) Manifest(ctx context.Context, id string) (Manifest, error) {
	text, err := r.read(ctx, manifestFolder+id)
	if err != nil {
		return Manifest{}, err
	}
	return parseManifest(id, text)
}

// Newest is when the newest backup began; false if there is none.
func (r *Repository) Newest(ctx context.Context) (time.Time, bool, error) {
	ids, err := r.IDs(ctx)
	if err != nil || len(ids) == 0 {
		return time.Time{}, false, err
	}
	at, err := timeOf(ids[len(ids)-1])
	return at, err == nil, err
}

// Find returns the manifest of a backup, of the newest if the ID is empty.
func (r *Repository) Find(ctx context.Context, id string) (Manifest, error) {
	ids, err := r.IDs(ctx)
	if err != nil {
		return Manifest{}, err
	}
	if len(ids) == 0 {
		return Manifest{}, &store.Error{Op: "find a backup", Err: errors.New("there is none at " +
			r.target.String()), Hint: "make one with `cardswitch backup create`"}
	}
	if id == "" {
		id = ids[len(ids)-1]
	}
	for _, is := range ids {
		if is == id {
			return r.Manifest(ctx, id)
		}
	}
	return Manifest{}, &store.Error{Op: "find a backup", Err: fmt.Errorf("there is no %s at %s", id,
		r.target), Hint: "`cardswitch backup list` shows them all"}
}
