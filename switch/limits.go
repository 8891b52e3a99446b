package cardswitch

import "time"

// Every bound of the switch's core, with its reason. What an operator may set is in Config.
const (
	// pendingBytes is how much may wait for one durable write before the doors close for a
	// moment: enough to keep the disk busy, little enough to bound memory and the wait.
	pendingBytes = 8 << 20

	// questionsKept is how many questions are remembered in memory to answer repeats without a
	// look into the index: 10 s at 100,000 TPS, a quarter of an hour at 1,000 TPS.
	questionsKept = 1 << 20

	// tick is how late a deadline may fall due.
	tick = 20 * time.Millisecond
	// wheelBuckets times tick is the longest deadline that needs no second turn: 41 s.
	wheelBuckets = 2048
	// drainTick is how often is looked whether something owed is due; it bounds how long an advice
	// waits on a quiet switch.
	drainTick = 10 * time.Millisecond
	// dutyTicks is how many ticks lie between two looks at the network management that is owed.
	dutyTicks = 10
	// dueAtOnce bounds how many deadlines one turn handles, so that the doors stay open.
	dueAtOnce = 4096

	// heldMost and heldPerCard bound the requests that wait behind what is owed for their card, for
	// one issuer and for one card: their messages are in memory, and nobody pays so often at once.
	heldMost    = 4096
	heldPerCard = 16

	// lateKept is how long the mark of a closed request stays, so that a late answer is known
	// for what it is; longer than any issuer's delay.
	lateKept = 2 * time.Minute

	// referencesSeen is how many transactions with one retrieval reference number (DE 37) are looked
	// at for the original that a message means.
	referencesSeen = 8
	// expireTick is how late an authorization may expire, expireAtOnce how many are looked at then.
	expireTick   = 10 * time.Second
	expireAtOnce = 1000
	// recallsWaiting bounds the questions that wait for a look into the index.
	recallsWaiting = 4096

	// lanesWorkers is how many messages may ask a security module that is a machine of its own at
	// once: with 10 ms an operation 6,000 a second. Lanes are in lanesWaiting places at most, a
	// second of them; what finds none is refused.
	lanesWorkers = 64
	lanesWaiting = 8192
	// moduleWait is how long a message waits for a security module, in its lane and at the module.
	moduleWait = 2 * time.Second
	// terminalsKept is how many terminals' replay windows are in memory: some 20 MB. Of more, those
	// that were silent longest are read again from the disk when they come back.
	terminalsKept = 100_000
	// outOfStepEvery is how long lies at least between two requests for a key of one center.
	outOfStepEvery = 10 * time.Second

	// standInCards is how many cards of an issuer stand-in counts at once, some 400 MB; it approves
	// nothing for one beyond.
	standInCards = 4 << 20
	// sweptAtOnce is how many emergency entries of a list are looked at a time, five times a second,
	// for those that are past: a million in half an hour.
	sweptAtOnce = 128
	// forgottenAtOnce is how much of what was counted is forgotten at a time, so that the doors stay
	// open.
	forgottenAtOnce = 1024

	// unaskedKept is how many answers to nothing are journaled a second and center; the rest is
	// counted only, so that a lying peer can't fill the disk.
	unaskedKept = 20

	// drainWait is how long a stop waits for what is in flight.
	drainWait = 30 * time.Second

	// openAfter is how long merchants wait at most for the issuers' links, once these are dialled.
	openAfter = 2 * time.Second

	// passedTimeout is how long a merchant may be silent towards one shard: the nodes' doors watch
	// the connection itself.
	passedTimeout = 24 * time.Hour
	// mostNodes is from how many nodes' doors a shard takes as many connections as from a merchant.
	mostNodes = 16
	// doorWindow is no bound: each shard has the merchant's window.
	doorWindow = 1 << 30

	// failureWait is how long a switch whose disk has failed tries to end in order.
	failureWait = 3 * time.Second
)
