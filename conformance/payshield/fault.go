package payshield

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Do is what a fault does to an answer.
type Do string

// The faults.
const (
	Only         Do = ""              // wait, and answer
	Silent       Do = "silent"        // never answer
	Refuse       Do = "refuse"        // answer with an error code
	Cut          Do = "cut"           // send some bytes and close the connection
	Half         Do = "half"          // send some bytes, and nothing more over this connection
	Garbage      Do = "garbage"       // send a message of bytes that mean nothing
	WrongHeader  Do = "wrong-header"  // answer with a header that nobody sent
	WrongCommand Do = "wrong-command" // answer as if another command had been sent
	Twice        Do = "twice"         // answer two times
)

// dos lists them.
func dos() []Do {
	return []Do{Only, Silent, Refuse, Cut, Half, Garbage, WrongHeader, WrongCommand, Twice}
}

// Fault is one way to misbehave. Of several the first that applies is followed.
type Fault struct {
	Command string  // which; "" is any
	Chance  float64 // how often; 0 is always
	Times   int     // how many times altogether; 0 is without end
	Delay   Delay   // beside the latency
	Do      Do
	Code    string // of Refuse
	Bytes   int    // of Cut and Half: how many bytes of the answer still leave

	happened int
}

func (f *Fault) spent() bool { return f.Times > 0 && f.happened >= f.Times }

// ParseFault reads "do=silent command=CC chance=0.1 times=3 delay=5ms..20ms code=41 bytes=7", of
// which everything may be left out.
func ParseFault(text string) (f Fault, err error) {
	for _, field := range strings.Fields(text) {
		name, value, _ := strings.Cut(field, "=")
		switch name {
		case "do":
			f.Do = Do(value)
			if !slices.Contains(dos(), f.Do) {
				err = fmt.Errorf("there is no fault %q, only %v", value, dos()[1:])
			}
		case "command":
			f.Command = value
		case "chance":
			f.Chance, err = strconv.ParseFloat(value, 64)
		case "times":
			f.Times, err = strconv.Atoi(value)
		case "delay":
			f.Delay, err = ParseDelay(value)
		case "code":
			f.Code = value
		case "bytes":
			f.Bytes, err = strconv.Atoi(value)
		default:
			err = fmt.Errorf("a fault has no %q", name)
		}
		if err != nil {
			return Fault{}, err
		}
	}
	if f.Do == Refuse && len(f.Code) != 2 || f.Chance < 0 || f.Times < 0 || f.Bytes < 0 ||
		f.Command != "" && len(f.Command) != 2 {
		return Fault{}, fmt.Errorf("%q is no fault: codes and commands have two characters, numbers "+
			"aren't negative", text)
	}
	return f, nil
}

// Delay is a time, or one drawn between two.
type Delay struct{ Least, Most time.Duration }

// ParseDelay reads "20ms" or "5ms..30ms".
func ParseDelay(text string) (d Delay, err error) {
	least, most, span := strings.Cut(text, "..")
	if d.Least, err = time.ParseDuration(least); err == nil && span {
		d.Most, err = time.ParseDuration(most)
	} else if err == nil {
		d.Most = d.Least
	}
	if err != nil || d.Least < 0 || d.Most < d.Least {
		return Delay{}, fmt.Errorf(`%q is no delay (hint: "20ms" or "5ms..30ms")`, text)
	}
	return d, nil
}

func (d Delay) draw(r *rand.Rand) time.Duration {
	if d.Most <= d.Least {
		return d.Least
	}
	return d.Least + time.Duration(r.Int64N(int64(d.Most-d.Least)+1))
}
