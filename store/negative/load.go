package negative

import (
	"encoding/binary"
	"encoding/json"
)

// Load is a regular file that comes by messages: each entry is durable before its message is
// answered, so that a load with recovery goes on after a restart where it was.
type Load struct {
	Serial  uint32 `json:"serial"` // rises by one with each load of the issuer
	Open    bool   `json:"open"`
	Closing bool   `json:"-"`       // its file is being built
	Name    string `json:"name"`    // DE 101
	Recover bool   `json:"recover"` // DE 25 8001
	Number  uint64 `json:"number"`  // DE 71 of the last entry that was taken
	Began   int64  `json:"began"`
	Ended   int64  `json:"ended,omitempty"`
}

// Load is the one under way, or the last. It is called under the lock of the changes.
func (l *List) Load() Load { return l.load }

// BeginLoad begins a load; what an unfinished one has brought doesn't count.
func (l *List) BeginLoad(b Batch, o Load) {
	o.Open, o.Serial = true, l.load.Serial+1
	l.setLoad(b, o)
}

// Stage takes an entry of the load under way.
func (l *List) Stage(b Batch, number uint64, e Entry) {
	b.Set(stagedKey(l.issuer, l.load.Serial, number), e.append(nil))
	l.load.Number = number
}

// CloseLoad says that its file is being built.
func (l *List) CloseLoad() { l.load.Closing = true }

// ReopenLoad says that this came to nothing.
func (l *List) ReopenLoad() { l.load.Closing = false }

// EndLoad ends it: its file has been entered.
func (l *List) EndLoad(b Batch, now int64) {
	o := l.load
	o.Open, o.Closing, o.Ended = false, false, now
	l.setLoad(b, o)
}

// Litter tells before which load entries aren't needed any more, and whether there may be some.
func (l *List) Litter() (before uint32, some bool) {
	if l.load.Open {
		return l.load.Serial, l.litter
	}
	return l.load.Serial + 1, l.litter
}

// Swept says that there are none before that load.
func (l *List) Swept(before uint32) {
	if now, _ := l.Litter(); now == before {
		l.litter = false
	}
}

func (l *List) setLoad(b Batch, o Load) {
	l.load, l.litter = o, true
	value, err := json.Marshal(o)
	if err != nil { // numbers and text can't fail
		panic(err)
	}
	b.Set(prefix(familyLoad, l.issuer), value)
}

// number reads the number of a staged entry's key.
func numberOf(key []byte) uint64 { return binary.BigEndian.Uint64(key[len(key)-8:]) }
