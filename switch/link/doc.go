// Package link keeps the persistent TCP connections with centers.
//
// It listens and dials, cuts frames and writes them in batches, and knows which connection of a
// center is the best to use.
//
// It is transport only. It indexes each message, since one pass over the bytes is the cheapest
// check there is, but what a message means is the business of the switch behind the Handler.
//
// A Center has Lines (what the configuration calls a link: an address to listen on or to dial),
// and a Line has Links: live connections. A dialed line has one at a time, a listening line many.
// A Link is never used again after its end, so whoever still holds one can only find it down.
//
// Goroutines: one reader and one writer a Link, one dialer a dialed Line, one acceptor a listening
// address. Each ends with the context of Network.Start and is joined by Network.Wait. A panic in
// one of them ends its own connection only.
package link
