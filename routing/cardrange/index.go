package cardrange

import (
	"cmp"
	"errors"
	"slices"
)

// MaxDepth is how many ranges may hold one card number. Real tables nest a handful of levels; the
// bound keeps the size of an index near the number of its ranges.
const MaxDepth = 1024

// maxSteps bounds the memory of an index (8 bytes a step) over tables made to overlap everywhere.
const maxSteps = 1 << 24

// ErrDepth says that too many ranges hold one card number.
var ErrDepth = errors.New("more than 1024 ranges hold the same card number")

// ErrSize says that the ranges overlap in too many different ways.
var ErrSize = errors.New("the ranges overlap in too many different ways")

// Step is a place in the chain of ranges that hold a card number. The zero Step ends a chain.
type Step uint32

// Index finds the ranges of a card number. It cuts the numbers into segments at the ends of every
// range; within a segment the same ranges hold every number. The chain of a segment goes from the
// narrowest range to the widest, and segments share the tails of their chains: ranges that nest,
// as nearly all do, cost one step each.
type Index struct {
	segments []segment // ascending
	steps    []step    // steps[0] ends every chain

	// The leading digits of a number pick the few segments to search: first holds, for each of
	// them, the last segment that begins at or before it.
	first []uint32
	unit  uint64 // what leading digits count
}

type segment struct {
	from  uint64
	chain Step
}

type step struct {
	place int32 // which range, by its place in the list that Build got
	wider Step
}

// Build makes the index of ranges. Ranges of equal width are tried in the order they are given.
func Build(ranges []Range) (*Index, error) {
	b := builder{ranges: ranges, shared: map[step]Step{}, index: &Index{steps: make([]step, 1)}}
	if err := b.sweep(); err != nil {
		return nil, err
	}
	b.index.pickFirst()
	return b.index, nil
}

// pickFirst takes as many leading digits as make the parts to search short: at least three, and at
// most six, which is four megabytes.
func (x *Index) pickFirst() {
	leading := 3
	for leading < 6 && powers[leading] < uint64(len(x.segments)) {
		leading++
	}
	x.unit = powers[Digits-leading]
	x.first = make([]uint32, powers[leading]+1)
	next := 0
	for head := range x.first {
		for next < len(x.segments) && x.segments[next].from <= uint64(head)*x.unit {
			next++
		}
		x.first[head] = uint32(max(next-1, 0))
	}
}

// Narrowest begins the chain of ranges that hold an aligned card number.
func (x *Index) Narrowest(pan uint64) Step {
	head := pan / x.unit
	if head+1 >= uint64(len(x.first)) || len(x.segments) == 0 || pan < x.segments[0].from {
		return 0
	}
	at := x.first[head]
	rest := x.segments[at : x.first[head+1]+1]
	for len(rest) > 1 { // the last segment that begins at or before pan
		half := len(rest) / 2
		if rest[half].from <= pan {
			at += uint32(half)
			rest = rest[half:]
		} else {
			rest = rest[:half]
		}
	}
	return x.segments[at].chain
}

// Wider goes on to the next range of a chain.
func (x *Index) Wider(at Step) Step { return x.steps[at].wider }

// Place says which range stands at a step, by its place in the list that Build got.
func (x *Index) Place(at Step) int { return int(x.steps[at].place) }

type builder struct {
	ranges []Range
	order  []int32 // places of ranges, narrowest first
	active []int32 // ranks of the ranges over the segment at hand, ascending
	shared map[step]Step
	index  *Index
}

type edge struct {
	at     uint64
	rank   int32
	begins bool
}

func (b *builder) sweep() error {
	for at, edges := 0, b.edges(); at < len(edges); {
		here := edges[at].at
		for ; at < len(edges) && edges[at].at == here; at++ {
			place, _ := slices.BinarySearch(b.active, edges[at].rank)
			if edges[at].begins {
				b.active = slices.Insert(b.active, place, edges[at].rank)
			} else {
				b.active = slices.Delete(b.active, place, place+1)
			}
		}
		if len(b.active) > MaxDepth {
			return ErrDepth
		}
		if len(b.index.steps) > maxSteps {
			return ErrSize
		}
		b.index.segments = append(b.index.segments, segment{from: here, chain: b.chain()})
	}
	return nil
}

// edges gives both ends of every range in the order of the card numbers.
func (b *builder) edges() []edge {
	b.order = make([]int32, len(b.ranges))
	for place := range b.ranges {
		b.order[place] = int32(place)
	}
	slices.SortStableFunc(b.order, func(x, y int32) int {
		return cmp.Compare(b.ranges[x].Width(), b.ranges[y].Width())
	})
	edges := make([]edge, 0, 2*len(b.ranges))
	for rank, place := range b.order {
		r := b.ranges[place]
		edges = append(edges,
			edge{at: r.From, rank: int32(rank), begins: true},
			edge{at: r.To + 1, rank: int32(rank)})
	}
	slices.SortFunc(edges, func(x, y edge) int { return cmp.Compare(x.at, y.at) })
	return edges
}

// chain gives the chain of the active ranges, from the widest to the narrowest so that each step
// can point to an existing one.
func (b *builder) chain() Step {
	var head Step
	for _, rank := range slices.Backward(b.active) {
		s := step{place: b.order[rank], wider: head}
		known, ok := b.shared[s]
		if !ok {
			known = Step(len(b.index.steps))
			b.index.steps = append(b.index.steps, s)
			b.shared[s] = known
		}
		head = known
	}
	return head
}
