package payshield

import (
	"errors"
	"fmt"
	"sync"
)

// group is what the units have in common.
type group struct {
	mu       sync.Mutex
	lmkCheck string // of all; "" until the first says it

	once  sync.Once
	ready chan struct{} // closed when a unit has been up
}

// errLMK is a unit with another LMK. Its keys aren't ours.
var errLMK = errors.New("the unit has another LMK")

// recognize takes the first check value for the right one, if none was configured.
func (g *group) recognize(check string) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.lmkCheck == "" {
		g.lmkCheck = check
	}
	if check != g.lmkCheck {
		return fmt.Errorf("%w: check value %s, not %s (hint: load the same LMK into both units, or "+
			"mend the configured value)", errLMK, check, g.lmkCheck)
	}
	return nil
}

// first is for the first connection that stands.
func (g *group) first() { g.once.Do(func() { close(g.ready) }) }
