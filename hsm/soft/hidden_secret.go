//go:build goexperiment.runtimesecret

package soft

import "runtime/secret"

// hidden runs f, which handles clear keys: afterwards its stack and registers are cleared, and what
// it left on the heap is when that is collected.
func hidden(f func()) { secret.Do(f) }
