// Package envelope encrypts whole ISO 8583 messages between two centers that share a link key.
package envelope
