// Package spec reads and writes ISO 8583:1993 messages without changing a byte nobody asked it to.
//
// A Dialect is one center's wire format, compiled from a moov-io/iso8583 MessageSpec. Its Index
// walks a received message once and notes where each element begins; elements are then read as
// views, changed by an Edit and spliced by Append, and what was not touched leaves exactly as it
// came. No step on this way allocates.
//
// Card data is guarded here: a PAN prints masked through every door, and the images meant for the
// journal (AppendSafe, AppendDelta) hold neither card numbers nor what may never be kept.
package spec
