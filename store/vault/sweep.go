package vault

import (
	"encoding/binary"
	"errors"
	"time"
)

const (
	sweepEvery = time.Minute
	stepSize   = 64 // tokens changed by the vault's own work in one batch
)

// sweeper makes the books know the key file, and deletes single-use tokens that have ended. They
// are worth nothing from that moment on, deleted or not.
func (v *Vault) sweeper() {
	defer v.finished.Done()
	ticker := time.NewTicker(sweepEvery)
	defer ticker.Stop()
	for {
		err := v.knowKeys()
		if err == nil {
			err = v.sweep(time.Now())
		}
		if err != nil && !v.closing() {
			v.o.Logger.Error("expired tokens couldn't be deleted", "error", err)
		}
		select {
		case <-ticker.C:
		case <-v.stop:
			return
		}
	}
}

// knowKeys makes up for what a crash may have prevented in replaceKeys, or what Open didn't do.
func (v *Vault) knowKeys() error {
	v.file.Lock()
	defer v.file.Unlock()
	mark, err := v.mark()
	serial := v.keys.Load().file.Serial
	if err != nil || mark >= serial {
		return err
	}
	return v.o.Books.Change(func(b Batch) { setMark(b, serial) })
}

// sweep deletes what has ended by now, step by step.
func (v *Vault) sweep(now time.Time) error {
	from, to := expiredBy(now.Unix())
	for !v.closing() {
		var ended [][]byte
		err := v.o.Books.Scan(from, to, func(key, _ []byte) bool {
			ended = append(ended, append([]byte(nil), key...))
			return len(ended) < stepSize
		})
		if err != nil || len(ended) == 0 {
			return err
		}
		if err := v.deleteEnded(ended); err != nil {
			return err
		}
		from = append(ended[len(ended)-1], 0)
	}
	return nil
}

func (v *Vault) deleteEnded(keys [][]byte) error {
	var uses []Use
	var stray [][]byte
	for _, key := range keys {
		u := Use{v: v, token: Token(key[1+8:])}
		at := int64(binary.BigEndian.Uint64(key[1:]))
		err := u.open()
		switch {
		case err == nil && u.entry.once && u.entry.expires == at:
			uses = append(uses, u)
		case err == nil || errors.Is(err, ErrNoToken):
			stray = append(stray, key)
		case errors.Is(err, ErrDamaged) || errors.Is(err, errUnknownKey):
			v.o.Logger.Error("a damaged token was deleted when it ended", "token", u.token)
			stray = append(stray, key, tokenKey(u.token))
		default:
			return err
		}
	}
	if len(stray) > 0 {
		err := v.o.Books.Change(func(b Batch) {
			for _, key := range stray {
				b.Delete(key)
			}
		})
		if err != nil {
			return err
		}
	}
	if len(uses) == 0 {
		return nil
	}
	return v.delete(uses)
}
