// Package wire carries messages between the nodes of a cluster.
//
// Each node dials each other one and sends to it over that connection; what comes back on it are
// answers to pings only. All is under TLS 1.3 with certificates on both sides, of the cluster's own
// authority, which name the node. A connection begins with a hello that says which cluster,
// generation, node and version is at each end; whoever doesn't fit is told why and refused.
//
// A message may be lost: queues are bounded, and what doesn't fit is dropped, for raft repeats it.
// It is never changed, doubled or taken from somebody else.
//
// A stream is a connection of its own for one thing that is large, as a file: who dials says what
// it asks for, and the other end writes it.
//
// Goroutines: an acceptor, one for each connection that came; for each peer a dialer, which is also
// its writer, and a reader of pongs. All end with Close.
package wire
