package world

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

const (
	maxShops = 3
	maxBanks = 2
	maxLines = 2 // connections of a shop, links of a bank
	maxNodes = 3 // that a cluster begins with

	maxPlaces = maxNodes + 2 // a far one, and one that joins
)

// Options are what a world is like, all drawn from its seed. Each run has a part of the faults only
// (swarm testing: what hides behind one fault is found in a run without it).
type Options struct {
	Seed  uint64
	Shops int
	Lines int // connections that each shop has
	Banks int
	Cards int
	Sales int           // of all shops together
	Span  time.Duration // in which they begin

	// What merchants do.
	Cancels  bool // sales are taken back after their approval
	Hasty    bool // sales are taken back before their answer has come
	Offline  bool // sales decided in the shop, told afterwards
	Returns  bool // money goes back to the cardholder
	Holds    bool // authorizations
	Shortens bool // a part of a sale is taken back, and sometimes the rest
	Finishes bool // authorizations are completed
	Linked   bool // returns name their sale
	Patience time.Duration
	Repeats  int  // before a shop gives up on a request
	Impatent bool // repeats long before anybody could have answered
	Cross    bool // repeats and reversals over whichever connection
	Tolerant bool // the switch accepts reversals of what it doesn't know
	Flood    bool // sales come in crowds, more than a window holds
	Differs  bool // the trace number of one sale on another

	// What issuers do.
	Declines bool
	Silence  bool // no answer, whether posted or not
	Late     bool // an answer after its time
	Doubles  bool // the same answer twice
	Astray   bool // answers over another link
	Invalid  bool // answers about another card
	SignOffs bool
	Outages  bool // an issuer is gone for a while
	NotYet   bool // advices are put off
	Refuses  bool // advices are refused, until an operator sends them again
	Partial  bool // a part of the amount is approved

	// What networks do.
	Latency time.Duration
	Cuts    bool // in the middle of a message
	Stalls  bool // nothing arrives for a while
	Mute    bool // half open: one side's bytes reach nobody any more
	Deaf    bool // a party reads nothing for a while, and there is little room on the way

	// What disks and machines do.
	SlowDisk bool
	FullDisk bool
	FailDisk bool
	Crashes  bool // the power is cut at any instant
	AtSync   bool // or just as the journal is synced
	Steps    bool // the machine's clock has been set when it comes back
	Forgets  bool // the switch has room for few questions in memory
	Audits   bool // the disk is read as if the power had been cut now

	// What operators do.
	Reloads bool
	Changes bool // of what else than before
	Stops   bool // and starts, in order

	Lists bool // issuers keep negative lists

	Days     bool // there are business days, whose totals are compared
	Cutovers bool // one ends in the middle of trade
	Slices   bool // and slices of one, each of which is compared
	Asked    bool // it is the issuer who compares
	Openly   bool // the switch asks for the issuer's totals, and tells none of its own

	StandIn  bool // the switch decides for an issuer that is away
	Unsaid   bool // and on what an issuer leaves unanswered
	Declared bool // and tells of what it declined

	Sealed  bool // links have envelopes
	Rekeys  bool // whose keys change
	BadKeys bool // which goes wrong

	// What several nodes have in addition.
	Nodes     int
	Witness   bool // the last one is a witness
	Between   time.Duration
	ShortLog  bool // a node that was away gets the whole journal
	Splits    bool
	Twice     bool // whoever takes over is hurt as well
	Dark      bool // the power of all is cut at once
	Hangs     bool // disks do
	Lossy     bool
	Transfers bool
	Drifts    bool // clocks are set
	Insists   bool // merchants ask what was answered again and again, and little else
	Blinks    bool // a node restarts at once, while two others don't hear each other
	Pauses    bool // a node takes no step for a while
	Windows   bool // and was about to write what it had asked the fence about
	Joins     bool // a node does
	Leaves    bool // a node is taken out
	Far       bool // there is one at another site
	Distance  time.Duration
	Lost      bool // and it is promoted, as all others are lost
	Warm      bool // nodes that follow keep connections with banks ready; no seed draws it
}

// several tells whether the switch is a cluster.
func (o Options) several() bool { return o.Nodes > 1 }

func (o Options) classes() int64 {
	if o.several() {
		return manyClasses
	}
	return classes
}

// DrawSeveral gives the options of a seed whose switch is a cluster.
func DrawSeveral(seed uint64) Options {
	o := Draw(seed)
	r := rand.New(rand.NewPCG(seed, 0x5e7e7a1))
	some := func(chance int) bool { return r.IntN(100) < chance }
	o.Nodes, o.Witness = maxNodes, some(60)
	o.Between = time.Duration(50+r.IntN(1500)) * time.Microsecond
	o.ShortLog, o.Splits, o.Twice, o.Dark = some(30), some(60), some(30), some(15)
	o.Hangs, o.Lossy, o.Transfers, o.Drifts = some(30), some(30), some(30), some(25)
	o.Insists, o.Blinks = some(30), some(30)
	if o.Insists { // what must be agreed on first holds up all that is to leave after it
		o.Sales = min(o.Sales, 12)
	}
	o.Pauses = some(35)
	o.Windows = o.Pauses && some(70)
	o.Sealed = o.Sealed || o.Windows // without envelopes nobody can tell old from new
	r = rand.New(rand.NewPCG(seed, 0x10125))
	o.Joins, o.Leaves, o.Far = some(20), some(15), some(25)
	o.Lost = o.Far && some(70)
	o.Sealed = o.Sealed || o.Lost && some(60)
	if o.Far {
		o.Distance = time.Duration(2+r.IntN(40)) * time.Millisecond
	}
	// While nodes agree more waits for one write than is remembered.
	o.Forgets = false
	return o
}

// Draw gives the options of a seed.
func Draw(seed uint64) Options {
	r := rand.New(rand.NewPCG(seed, 0x0971045))
	some := func(chance int) bool { return r.IntN(100) < chance }
	o := Options{
		Seed: seed, Shops: 1 + r.IntN(maxShops), Lines: 1 + r.IntN(maxLines),
		Banks: 1 + r.IntN(maxBanks), Cards: 1 + r.IntN(12), Sales: 10 + r.IntN(70),
		Span: time.Duration(1000+r.IntN(7000)) * time.Millisecond,

		Cancels: some(50), Hasty: some(30), Offline: some(40), Returns: some(30), Holds: some(30),
		Patience: time.Duration(1500+r.IntN(3000)) * time.Millisecond, Repeats: r.IntN(4),
		Impatent: some(25), Cross: some(40), Tolerant: some(50), Flood: some(15),

		Declines: some(60), Silence: some(40), Late: some(30), Doubles: some(25), Astray: some(20),
		Invalid: some(15), SignOffs: some(15), Outages: some(30), NotYet: some(20),

		Latency: time.Duration(50+r.IntN(2000)) * time.Microsecond,
		Cuts:    some(40), Stalls: some(25), Mute: some(20),

		SlowDisk: some(40), FullDisk: some(10), FailDisk: some(10), Crashes: some(40),
		AtSync: some(30), Steps: some(15), Forgets: some(30), Audits: some(40),

		Reloads: some(15), Stops: some(15), Nodes: 1,
	}
	if some(20) {
		o.Latency *= 20
	}
	o.Sealed = some(20)
	o.Rekeys, o.BadKeys = o.Sealed && some(60), o.Sealed && some(30)
	o.Refuses, o.Partial, o.Deaf, o.Differs = some(20), some(20), some(20), some(20)
	o.Changes = o.Reloads && some(60)
	o.Days = some(40)
	o.Cutovers = o.Days && some(70)
	o.StandIn = some(40)
	o.Unsaid, o.Declared = o.StandIn && some(50), o.StandIn && some(50)
	// What is forgotten the index must know, so no more may wait for one write than is remembered.
	// A slow disk makes many wait, and so does a network that stood and delivers all at once.
	o.Forgets = o.Forgets && !o.SlowDisk && !o.Stalls
	// The envelopes of the parties take a new key and write under one mutex, which a bubble can't wait
	// for while a write has no room.
	o.Deaf = o.Deaf && !o.Rekeys
	o.Shortens, o.Finishes, o.Linked = some(30), some(30), some(30)
	o.Lists = some(25)
	o.Slices, o.Asked, o.Openly = o.Days && some(40), o.Days && some(30), o.Days && some(30)
	o.Refuses = o.Refuses && !o.Days // what is on a work list keeps no day open
	o.Partial = o.Partial && !o.Days // of a part whose answer is lost, the two sides know two amounts
	return o
}

// room is how many bytes are on their way over a connection at most.
func (o Options) room() int {
	if o.Deaf {
		return 1 << 10
	}
	return 64 << 10
}

// String lists the options, and those that are on by name.
func (o Options) String() string {
	type plain Options // which doesn't print itself
	var said []string
	for _, field := range strings.Fields(strings.Trim(fmt.Sprintf("%+v", plain(o)), "{}")) {
		name, value, _ := strings.Cut(strings.ToLower(field), ":")
		switch value {
		case "false", "0s":
		case "true":
			said = append(said, name)
		default:
			said = append(said, name+" "+value)
		}
	}
	return strings.Join(said, ", ")
}
