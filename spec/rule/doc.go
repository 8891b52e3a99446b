// Package rule checks that a message carries what its kind of message must carry.
//
// The matrix is a text, matrix.txt. It isn't the standard's own but a practical one, put together
// from what networks publish, so each center may require more or relax some of it.
package rule
