package issuer

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"time"
)

// Delay is a distribution of times: always the same, even between two, or exponential.
type Delay struct {
	low, high time.Duration
	mean      time.Duration
}

// ParseDelay reads "20ms", "5ms..30ms" or "exp 12ms" (exponential, that mean, cut at ten times).
func ParseDelay(text string) (Delay, error) {
	var d Delay
	var err error
	if mean, ok := strings.CutPrefix(text, "exp "); ok {
		d.mean, err = time.ParseDuration(mean)
	} else if low, high, ok := strings.Cut(text, ".."); ok {
		if d.low, err = time.ParseDuration(low); err == nil {
			d.high, err = time.ParseDuration(high)
		}
	} else {
		d.low, err = time.ParseDuration(text)
		d.high = d.low
	}
	if err != nil || d.low < 0 || d.high < d.low || d.mean < 0 {
		return Delay{}, fmt.Errorf(`%q is no delay; write "20ms", "5ms..30ms" or "exp 12ms"`, text)
	}
	return d, nil
}

// UnmarshalText lets a delay stand in a file.
func (d *Delay) UnmarshalText(text []byte) (err error) {
	*d, err = ParseDelay(string(text))
	return err
}

// IsZero reports whether there is no delay at all.
func (d Delay) IsZero() bool { return d == Delay{} }

func (d Delay) draw(r *rand.Rand) time.Duration {
	if d.mean > 0 {
		t := -math.Log(1-r.Float64()) * float64(d.mean)
		return time.Duration(min(t, 10*float64(d.mean)))
	}
	if d.high == d.low {
		return d.low
	}
	return d.low + time.Duration(r.Int64N(int64(d.high-d.low)+1))
}
