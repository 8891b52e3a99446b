// Package backup copies a node's books to a target elsewhere, encrypted, and brings them back.
//
// A backup is of one moment: a checkpoint of the journal, then the files beside it, so that
// whatever the journal knows of them is there. Files are cut into blocks; a block is one object of
// the target, named by a keyed hash of what it holds, so that what is there already isn't copied
// again: Pebble's tables never change, and its log only grows. Objects come first, the manifest
// that names them last, so an interrupted backup is none, and the next one goes on where it was.
//
// All that lies at the target is sealed under the backup key (AES-256-GCM, a key of its own for
// each object, its name bound to it). Names are hashes, numbers and times. Whoever has the target
// and the backup key has the journal as it lies on the node's disk: card numbers in it are sealed
// under the data key, which is never in a backup, nor is a master key. A manifest names them, so
// that a restore tells which ones it needs.
//
// The package starts no goroutine that outlives a call.
package backup
