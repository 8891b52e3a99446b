package saf

import (
	"math/rand/v2"
	"time"
)

// Backoff is how long to wait before the next try after so many tries: doubling from first up to
// limit, each within a quarter around its value, drawn from random, so that many queues don't come
// back at once.
func Backoff(first, limit time.Duration, attempts int, random *rand.Rand) time.Duration {
	wait := first
	for range min(attempts, 30) {
		if wait >= limit/2 {
			wait = limit
			break
		}
		wait *= 2
	}
	wait = min(wait, limit)
	quarter := int64(wait) / 4
	if quarter == 0 {
		return wait
	}
	return wait - time.Duration(quarter) + time.Duration(random.Int64N(2*quarter))
}
