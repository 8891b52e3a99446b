// Package spec reads and writes ISO 8583:1993 messages without changing a byte that nobody asked it to change.
package spec
