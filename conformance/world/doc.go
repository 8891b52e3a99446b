// Package world plays the whole center in one process: merchants, switch, issuers, network, disk.
//
// The switch is one node, or a cluster: three data nodes, or two and a witness, each with a disk, a
// clock and a power of its own, joined by a network of their own (between.go). A node of a cluster
// runs the program's own parts: the journal that is agreed on (dr/replica), the loop that has it
// lead and follow (dr/role), and a switch while it leads. Merchants know all addresses; issuers
// take whoever dials. Then one node may be active at a time, as the centers see it (fencing.go),
// also while one is paused and goes on (pause.go), joins or leaves (joins.go), or is promoted at a
// far site as all others are lost, and they come back (site.go); whoever takes over has all that
// ever left (cluster.go), and in the end all journals are the same.
//
// Each world is drawn from a seed: who there is, what they do, which faults there are and when. It
// runs the switch's real code in a bubble of testing/synctest, in two phases. First there are
// faults, and what may never happen is watched for: see witness.go for the promises. Then the
// faults stop, and everything must drain and balance: merchants' receipts, the journal and the
// issuers' books agree to the yen.
//
// A seed that fails prints its options and its last lines, and runs again exactly:
//
//	go test ./conformance/world -run TestSeed -seed N [-several] -v
//
// What makes it repeatable: everything that happens in a world has its own nanosecond (clock.go),
// each party and each wire draws from a stream of its own, so that draws don't depend on who runs
// first, and no order of a map reaches anything. The switch does its part: the jitter of repeats
// and dialers is drawn from the seed, and recovery goes by record number.
package world
