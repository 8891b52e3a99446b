package torture

import (
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"time"

	"cardswitch/conformance/issuer"
)

// Kind is a way to hurt the center.
type Kind string

// The kinds. Those of the switch never overlap each other; those of partners and links do as they
// fall.
const (
	Kill    Kind = "kill"    // kill -9 of the switch, and a start
	Twice   Kind = "twice"   // kill -9, and again before it has recovered
	Restart Kind = "restart" // the switch is asked to end, and started again
	Stop    Kind = "stop"    // the switch stands still, SIGSTOP, and goes on
	Torn    Kind = "torn"    // no file grows any more: it ends in the middle of a write
	Full    Kind = "full"    // the disk is nearly full
	Slow    Kind = "slow"    // another writes and syncs on the same disk

	Reload  Kind = "reload"  // the switch reads its configuration again
	Cutover Kind = "cutover" // a business day of an issuer ends
	Rekey   Kind = "rekey"   // the key of an issuer's link is changed
	Away    Kind = "away"    // an issuer signs off, drops its links, or reads nothing
	Freeze  Kind = "freeze"  // an issuer or a merchant stands still, SIGSTOP
	Cut     Kind = "cut"     // a link is reset
	Refuse  Kind = "refuse"  // it is reset, and nobody gets through for a while
	Hold    Kind = "hold"    // the proxy reads nothing for a while, then all goes on
	Swallow Kind = "swallow" // half open: what is sent is gone, then the link is reset
	Trickle Kind = "trickle" // a few bytes at a time
)

// Kinds are all there are.
func Kinds() []Kind {
	return []Kind{Kill, Twice, Restart, Stop, Torn, Full, Slow, Reload, Cutover, Rekey, Away,
		Freeze, Cut, Refuse, Hold, Swallow, Trickle}
}

// ofSwitch tells the kinds that are done to the switch's process or its disk.
func (k Kind) ofSwitch() bool {
	return slices.Contains([]Kind{Kill, Twice, Restart, Stop, Torn, Full, Reload}, k)
}

// Fault is one of them at its time.
type Fault struct {
	At     time.Duration `json:"at"` // since the beginning
	Kind   Kind          `json:"kind"`
	Target string        `json:"target,omitempty"` // a partner or a link; "" for the switch
	For    time.Duration `json:"for,omitempty"`    // how long it lasts, or until the next start
	How    string        `json:"how,omitempty"`    // of an absence
}

func (f Fault) String() string {
	at := f.At.Round(time.Millisecond)
	if f.Target == "" {
		return fmt.Sprintf("%9s  %-8s %s", at, f.Kind, f.For)
	}
	return fmt.Sprintf("%9s  %-8s %s %s %s", at, f.Kind, f.Target, f.For, f.How)
}

// Scene is what can be hurt.
type Scene struct {
	Kinds    []Kind
	Partners []string
	Issuers  []string // some of the partners
	Links    []string
}

// Times of a plan.
const (
	calm     = 1500 * time.Millisecond // before the first fault, so that there is trade to hurt
	starting = 1200 * time.Millisecond // after a death, before the switch is hurt again
)

// Plan draws the faults of so long a run. It depends on nothing but what it is given: the same seed
// hurts the same things at the same times. A round of every kind comes first, then each by a weight
// of this seed.
func Plan(seed uint64, d time.Duration, scene Scene) []Fault {
	random := rand.New(rand.NewPCG(seed, 3))
	weights := make([]int, len(scene.Kinds))
	total := 0
	for i := range weights {
		weights[i] = 1 << random.IntN(4)
		total += weights[i]
	}
	round := random.Perm(len(scene.Kinds))
	// In a short run the round must fit in.
	gap := min(1200*time.Millisecond, d/time.Duration(2*len(scene.Kinds)+2))
	var plan []Fault
	var free time.Duration // the switch is left alone until then
	for at := calm; at < d; at += gap/4 + rand64(random, 3*gap/2) {
		kind := scene.Kinds[drawn(random, weights, total)]
		if len(round) > 0 {
			kind, round = scene.Kinds[round[0]], round[1:]
		}
		f := Fault{At: at, Kind: kind, For: lasting(random, kind)}
		switch {
		case kind.ofSwitch():
			f.At = max(at, free)
			free = f.At + f.For + starting
		case kind == Away:
			f.Target = scene.Issuers[random.IntN(len(scene.Issuers))]
			f.How = []string{issuer.SignedOff, issuer.Dropped, issuer.Silenced}[random.IntN(3)]
		case kind == Cutover:
			f.Target = scene.Issuers[random.IntN(len(scene.Issuers))]
		case kind == Rekey:
			f.Target = fmt.Sprintf("%s/l%d", scene.Issuers[random.IntN(len(scene.Issuers))],
				random.IntN(2))
		case kind == Freeze:
			f.Target = scene.Partners[random.IntN(len(scene.Partners))]
		case kind != Slow:
			f.Target = scene.Links[random.IntN(len(scene.Links))]
		}
		if f.At < d {
			plan = append(plan, f)
		}
	}
	slices.SortStableFunc(plan, func(a, b Fault) int { return int(a.At - b.At) })
	return plan
}

func drawn(random *rand.Rand, weights []int, total int) int {
	n := random.IntN(total)
	for i, w := range weights {
		if n -= w; n < 0 {
			return i
		}
	}
	return 0
}

func rand64(random *rand.Rand, below time.Duration) time.Duration {
	return time.Duration(random.Int64N(int64(below)))
}

// lasting is how long a fault of a kind lasts. One stop in eight is longer than the switch waits
// for its disk.
func lasting(random *rand.Rand, k Kind) time.Duration {
	between := func(from, to int) time.Duration {
		return time.Duration(from+random.IntN(to-from)) * time.Millisecond
	}
	switch k {
	case Kill, Twice, Restart, Torn:
		return between(0, 600) // until the next start
	case Stop:
		if random.IntN(8) == 0 {
			return between(5200, 7000)
		}
		return between(50, 3500)
	case Cut, Reload, Cutover, Rekey:
		return 0
	case Away:
		return between(500, 5000)
	case Full, Slow:
		return between(500, 3000)
	case Trickle:
		return between(300, 1500)
	}
	return between(100, 3000)
}

// Write prints a plan for people.
func Write(w io.Writer, plan []Fault) error {
	for _, f := range plan {
		if _, err := fmt.Fprintln(w, f); err != nil {
			return err
		}
	}
	return nil
}
