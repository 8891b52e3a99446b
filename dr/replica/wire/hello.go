package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
)

// The versions of the protocol between nodes that this program speaks. Two nodes use the newest
// that both know; a rolling upgrade goes from one program to one that still knows the older's.
const (
	newestVersion = 1
	oldestVersion = 1
)

// Versions are those.
func Versions() (oldest, newest int) { return oldestVersion, newestVersion }

// purpose is what a connection is for.
type purpose uint8

const (
	forMessages purpose = iota + 1
	forStream
	forJoin // by who has no certificate yet, but a token
	forPass // a connection that a center made with who dials
)

// mostHello bounds hello and verdict.
const mostHello = 8 << 10

// hello is what who dials says first.
type hello struct {
	Oldest, Newest uint16
	For            purpose
	Generation     uint64 // 0: see Config.Generation
	From, To       uint64
	Cluster        string
	DataKey        [8]byte // names the key under which the journal is; zero: the node keeps none
	Address        string  // where who dials can be dialled
	// Request is of a stream what is asked for, of a connection for messages the Program that dials:
	// a node from before there was one says and hears nothing there.
	Request []byte
}

// Program is what runs a node.
type Program struct {
	Reads uint8  // the newest level of a journal that it can read, see store.Reads
	Name  string // version and commit, for people
}

// unnamed is a program from before nodes told of theirs.
var unnamed = Program{Reads: 1}

// mostName bounds the name of a program in bytes.
const mostName = 64

func (p *Program) append(b []byte) []byte {
	return append(append(b, p.Reads), p.Name[:min(len(p.Name), mostName)]...)
}

func parseProgram(b []byte) Program {
	if len(b) == 0 || len(b) > 1+mostName || b[0] == 0 {
		return unnamed
	}
	return Program{b[0], strings.ToValidUTF8(string(b[1:]), "?")}
}

const helloMagic = "cardswitch node\n"

var errHello = errors.New("not the hello of a node")

func (h *hello) append(b []byte) []byte {
	b = append(b, helloMagic...)
	b = binary.BigEndian.AppendUint16(b, h.Oldest)
	b = binary.BigEndian.AppendUint16(b, h.Newest)
	b = append(b, byte(h.For))
	b = binary.BigEndian.AppendUint64(b, h.Generation)
	b = binary.BigEndian.AppendUint64(b, h.From)
	b = binary.BigEndian.AppendUint64(b, h.To)
	b = append(b, h.DataKey[:]...)
	for _, text := range [...]string{h.Cluster, h.Address} {
		b = append(b, byte(len(text)))
		b = append(b, text...)
	}
	return append(b, h.Request...)
}

func parseHello(b []byte) (h hello, err error) {
	b, ok := bytes.CutPrefix(b, []byte(helloMagic))
	const fixed = 2 + 2 + 1 + 8 + 8 + 8 + 8
	if !ok || len(b) < fixed {
		return h, errHello
	}
	h.Oldest, h.Newest = binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])
	h.For = purpose(b[4])
	h.Generation = binary.BigEndian.Uint64(b[5:])
	h.From, h.To = binary.BigEndian.Uint64(b[13:]), binary.BigEndian.Uint64(b[21:])
	h.DataKey = [8]byte(b[29:])
	b = b[fixed:]
	for _, text := range [...]*string{&h.Cluster, &h.Address} {
		if len(b) == 0 || len(b) < 1+int(b[0]) {
			return h, errHello
		}
		*text, b = string(b[1:1+b[0]]), b[1+int(b[0]):]
	}
	h.Request = bytes.Clone(b)
	return h, nil
}

// refusal is why a connection isn't taken.
type refusal uint8

const (
	accepted refusal = iota
	tooOld           // the program of who dials
	tooNew           //
	otherCluster
	oldGeneration // who dials was left behind by a promotion
	newGeneration // who was dialled was
	otherNode     // not who its certificate says, or taken out
	otherKey      // its journal is under another data key
	notServed
	unconsented // one of the two has a journal that was brought back, and nobody has agreed to it
)

// verdict is the answer to a hello.
type verdict struct {
	Code       refusal
	Version    uint16 // that is spoken from here on
	Generation uint64 // of who answers
	Text       string // for the operator; if it is accepted, the Program of who answers
}

func (v *verdict) append(b []byte) []byte {
	b = append(b, byte(v.Code))
	b = binary.BigEndian.AppendUint16(b, v.Version)
	b = binary.BigEndian.AppendUint64(b, v.Generation)
	return append(b, v.Text...)
}

func parseVerdict(b []byte) (v verdict, err error) {
	if len(b) < 11 {
		return v, errHello
	}
	return verdict{refusal(b[0]), binary.BigEndian.Uint16(b[1:]), binary.BigEndian.Uint64(b[3:]),
		string(b[11:])}, nil
}

// RefusedError is that of a node that the other end doesn't take.
type RefusedError struct {
	Peer uint64
	Why  string
}

func (e *RefusedError) Error() string {
	return fmt.Sprintf("node %d refuses the connection: %s", e.Peer, e.Why)
}

// judge says whether a node takes who dials it. Proven is the node that the certificate names, 0 if
// there was none.
func (w *Wire) judge(h *hello, proven uint64) verdict {
	c := &w.config
	v := verdict{Version: min(h.Newest, newestVersion), Generation: c.Generation}
	refuse := func(code refusal, format string, args ...any) verdict {
		v.Code, v.Text = code, fmt.Sprintf(format, args...)
		return v
	}
	switch {
	case h.Newest < oldestVersion:
		return refuse(tooOld, "it speaks version %d between nodes, %d is the oldest known here; "+
			"upgrade it", h.Newest, oldestVersion)
	case h.Oldest > newestVersion:
		return refuse(tooNew, "it speaks no version before %d between nodes, %d is the newest known "+
			"here; upgrade this node", h.Oldest, newestVersion)
	case h.Cluster != c.Cluster:
		return refuse(otherCluster, "it belongs to cluster %q, this node to %q", h.Cluster, c.Cluster)
	case h.For == forJoin && proven == 0:
		return v
	case proven != h.From || h.To != c.Node:
		return refuse(otherNode, "it is node %d by its certificate and says that it is node %d, "+
			"dialling node %d; this is node %d; see cluster.members", proven, h.From, h.To, c.Node)
	case c.Generation == 0:
		return refuse(unconsented, "its own %s", broughtBack)
	case h.Generation == 0:
		return refuse(unconsented, "the dialling node's %s", broughtBack)
	case h.Generation < c.Generation:
		return refuse(oldGeneration, "it is of generation %d, the cluster of %d: another site was "+
			"promoted; it must join anew, with an empty data directory", h.Generation, c.Generation)
	case h.Generation > c.Generation:
		return refuse(newGeneration, "this node is of generation %d and was left behind by %d",
			c.Generation, h.Generation)
	case w.isOut(h.From):
		return refuse(otherNode, "node %d was taken out of the cluster; it must join anew, with a new "+
			"number and an empty data directory", h.From)
	case h.For == forMessages && parseProgram(h.Request).Reads < w.level():
		return refuse(tooOld, "%s", tooOldFor(parseProgram(h.Request).Reads, w.level()))
	case h.DataKey != c.DataKey && h.DataKey != [8]byte{} && c.DataKey != [8]byte{}:
		return refuse(otherKey, "its journal is under data key %x, this node's under %x; all nodes "+
			"need the same data.key_file", h.DataKey, c.DataKey)
	}
	v.Text = string(c.Program.append(nil))
	return v
}

const broughtBack = "journal was brought back from a backup; it takes no part until two people " +
	"have agreed to it (`cardswitch cluster promote` there), and stops nobody until then"

func tooOldFor(reads, level uint8) string {
	return fmt.Sprintf("its program reads journals up to level %d, the cluster's is of level %d; "+
		"upgrade it", reads, level)
}

// level is that of the node's journal.
func (w *Wire) level() uint8 {
	if w.config.Level == nil {
		return 0
	}
	return w.config.Level()
}
