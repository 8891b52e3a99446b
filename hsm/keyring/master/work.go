package master

import (
	"context"
	"errors"
	"fmt"

	"cardswitch/hsm/keyblock"
)

// Work makes the master key in a ceremony (package ceremony).
type Work struct {
	options Options
	opened  func(keyblock.Key) error
	key     keyblock.Key
}

// NewWork is a master key to be made. When the ceremony activates it, it is written; opened is
// given a key that it may keep, and wipes.
func NewWork(o Options, opened func(keyblock.Key) error) *Work {
	return &Work{options: o, opened: opened}
}

// Form combines the components.
func (w *Work) Form(_ context.Context, components [][]byte) (keyblock.CheckValue, error) {
	keys := make([]keyblock.Key, 0, len(components))
	defer func() {
		for _, k := range keys {
			k.Wipe()
		}
	}()
	for _, c := range components {
		k, err := newKey(c)
		if err != nil {
			return keyblock.CheckValue{}, err
		}
		keys = append(keys, k)
	}
	var err error
	if w.key, err = keyblock.Combine(false, keys...); err != nil {
		return keyblock.CheckValue{}, err
	}
	return w.key.CheckValue(keyblock.CMAC, 5)
}

// Activate writes the key and hands it over.
func (w *Work) Activate(context.Context, string, string, string) (string, error) {
	if w.key.IsZero() {
		return "", errors.New("there is no master key to activate (hint: start the ceremony again)")
	}
	if err := write(w.options, w.key, ceremony); err != nil {
		return "", err
	}
	key := w.key
	w.key = keyblock.Key{}
	if err := w.opened(key); err != nil {
		return "", fmt.Errorf("use the new master key: %w", err)
	}
	return "master", nil
}

// Drop forgets a key that wasn't activated.
func (w *Work) Drop() { w.key.Wipe() }
