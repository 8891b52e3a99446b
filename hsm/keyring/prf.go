package keyring

import (
	"context"
	"time"

	"cardswitch/hsm"
)

// PRF asks a module for AES-CMAC under a link key, within a time. It is what package envelope
// derives a connection's secrets with.
type PRF struct {
	module hsm.Module
	key    hsm.Key
	within time.Duration
}

// PRF is the link key of a generation for package envelope. Ok is false if it may not be used now.
func (r *Ring) PRF(link string, generation uint16, within time.Duration) (prf PRF, ok bool) {
	key, ok := r.Key(link, generation)
	return PRF{r.options.Module, key, within}, ok
}

// PRF is AES-CMAC of a message. It is hsm.ErrUnavailable if the module needs too long.
func (p PRF) PRF(message []byte) ([16]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), p.within)
	defer cancel()
	return p.module.PRF(ctx, p.key, message)
}
