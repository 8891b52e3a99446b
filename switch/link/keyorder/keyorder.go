// Package keyorder is what the switch that has merchants' keys and the nodes' doors say of them.
//
// The keys themselves don't pass: each node has them in its replica of the journal. The switch says
// how far a door must have read that, and which keys are on their way to their centers; the door
// says when all its connections, and the other shards on its node, know of it, where connections
// stand, and what became of keys there. Each message is a line of JSON.
package keyorder

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"time"
)

// Order is the switch's.
type Order struct {
	Round   uint64 `json:"round"`   // counts the orders of one switch
	Version uint64 `json:"version"` // of the key store: this one or a newer
	// Coming are keys that centers may use already, though they aren't active yet, by slot, as
	// "zek:center/link" or "zak:center:in".
	Coming map[string][]uint16 `json:"coming,omitempty"`
}

// Report is a door's.
type Report struct {
	Round    uint64     `json:"round"` // of the newest order that all connections follow; 0: none
	Standing []Standing `json:"standing,omitempty"`
	// Begun are connections that have agreed on a key since the last report, each of which has used
	// it once.
	Begun []Standing `json:"begun,omitempty"`
	// Used are uses of other keys than those of links by the shards of the door's node.
	Used []Use `json:"used,omitempty"`
	// Wanted are keys that such a shard and a center don't agree on.
	Wanted []Want `json:"wanted,omitempty"`
}

// Use is how often a key was used since the last report, as "zak:center:in@2".
type Use struct {
	Key   string `json:"key"`
	Times uint64 `json:"times"`
}

// Want is a key that is out of step, by its slot, and the reason's number.
type Want struct {
	Slot string `json:"slot"`
	Why  uint16 `json:"why"`
}

// Standing are connections of a link that send and receive under the same generations.
type Standing struct {
	Link        string `json:"link"` // "center/link"
	Sending     uint16 `json:"sending"`
	Receiving   uint16 `json:"receiving"`
	Connections int    `json:"connections"`
}

// Compare orders by link and generations.
func (s Standing) Compare(to Standing) int {
	return cmp.Or(strings.Compare(s.Link, to.Link), cmp.Compare(s.Sending, to.Sending),
		cmp.Compare(s.Receiving, to.Receiving))
}

// Count adds connections to a list in order.
func Count(list []Standing, more Standing) []Standing {
	at, known := slices.BinarySearchFunc(list, more, Standing.Compare)
	if !known {
		return slices.Insert(list, at, more)
	}
	list[at].Connections += more.Connections
	return list
}

const (
	// mostMessage bounds one in bytes: some ten thousand links.
	mostMessage = 1 << 20
	writeTime   = 2 * time.Second
)

// Conn is one end.
type Conn struct {
	net  net.Conn
	in   *bufio.Scanner
	send sync.Mutex
}

// New talks over a connection, which is its own from then on.
func New(conn net.Conn) *Conn {
	c := &Conn{net: conn, in: bufio.NewScanner(conn)}
	c.in.Buffer(make([]byte, 0, 4<<10), mostMessage)
	return c
}

// Send says an Order or a Report. Any goroutine may.
func (c *Conn) Send(message any) error {
	line, err := json.Marshal(message)
	switch {
	case err != nil:
		return err
	case len(line) >= mostMessage:
		return fmt.Errorf("a message of %d bytes about link keys is too long", len(line))
	}
	c.send.Lock()
	defer c.send.Unlock()
	_ = c.net.SetWriteDeadline(time.Now().Add(writeTime))
	_, err = c.net.Write(append(line, '\n'))
	return err
}

// Receive waits for the other end's next. One goroutine may, with one kind of message.
func (c *Conn) Receive(into any) error {
	switch {
	case c.in.Scan():
	case errors.Is(c.in.Err(), bufio.ErrTooLong):
		return c.in.Err()
	default:
		return errors.Join(c.in.Err(), net.ErrClosed)
	}
	if err := json.Unmarshal(c.in.Bytes(), into); err != nil {
		return fmt.Errorf("not a message about link keys: %w", err)
	}
	return nil
}

// Close ends it.
func (c *Conn) Close() error { return c.net.Close() }
