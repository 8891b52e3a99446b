package envelope

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"flag"
	"io"
	"os"
	"strconv"
	"strings"
	"testing"

	"cardswitch/hsm/vectors"
)

var update = flag.Bool("update", false, "write testdata/vectors.json anew")

// The file for partners. All values are hex unless their names say otherwise; frames are without
// their lengths.
type vectorFile struct {
	About     string          `json:"about"`
	Reference referenceVector `json:"keys_alone"`
	Sessions  []vectorSession `json:"sessions"`
}

type referenceVector struct {
	About    string `json:"about"`
	LinkKey  string `json:"link_key"`
	Link     string `json:"link_ascii"`
	Session  string `json:"session"`
	NonceI   string `json:"nonce_i"`
	NonceA   string `json:"nonce_a"`
	Number   uint16 `json:"generation"`
	Secret   string `json:"secret"`
	IVI2A    string `json:"iv_i2a"`
	IVA2I    string `json:"iv_a2i"`
	Message  string `json:"message_ascii"`
	FrameI2A string `json:"frame_i2a_0"`
	NextI2A  string `json:"frame_i2a_1"`
	FrameA2I string `json:"frame_a2i_0"`
}

type vectorSession struct {
	Name     string            `json:"name"`
	About    string            `json:"about"`
	Link     string            `json:"link_ascii"`
	LinkKeys map[string]string `json:"link_keys"`
	Suite    string            `json:"suite"`
	Padded   bool              `json:"padded"`
	Session  string            `json:"session"`
	NonceI   string            `json:"nonce_i"`
	NonceA   string            `json:"nonce_a"`
	Hello    string            `json:"hello"`
	Ack      string            `json:"ack"`
	TermI    *uint64           `json:"term_i,omitempty"`
	TermA    *uint64           `json:"term_a,omitempty"`
	Standby  bool              `json:"standby,omitempty"`
	Hellos   string            `json:"hash_of_hellos"`
	Shares   *vectorShares     `json:"shares,omitempty"`
	ProofI   string            `json:"finished_i"`
	ProofA   string            `json:"finished_a"`
	Keys     []vectorKeys      `json:"keys"`
	Frames   []vectorFrame     `json:"frames"`
}

type vectorShares struct {
	CurveI  string `json:"x25519_private_i"`
	CurveA  string `json:"x25519_private_a"`
	Lattice string `json:"ml_kem_768_seed_i"`
	Curve   string `json:"x25519_shared"`
	Kem     string `json:"ml_kem_768_shared"`
	Secret  string `json:"shares_secret"`
}

type vectorKeys struct {
	Number uint16 `json:"generation"`
	Epoch  uint16 `json:"epoch"`
	Secret string `json:"secret"`
	I2A    string `json:"material_i2a"`
	A2I    string `json:"material_a2i"`
}

type vectorFrame struct {
	From    string `json:"from"`
	Kind    string `json:"type"`
	Content string `json:"content"`
	Frame   string `json:"frame"`
}

func TestVectors(t *testing.T) {
	file := vectorFile{
		About: "Test vectors of the link envelope, version 1; SPEC.md says what each value is. " +
			"Made from fixed nonces: never use these keys.",
		Reference: reference(t),
	}
	for _, s := range scripts() {
		file.Sessions = append(file.Sessions, s.run(t))
	}
	got, err := json.MarshalIndent(file, "", "  ")
	must(t, err)
	got = append(got, '\n')
	const name = "testdata/vectors.json"
	if *update {
		must(t, os.MkdirAll("testdata", 0o755))
		must(t, os.WriteFile(name, got, 0o644))
	}
	want, err := os.ReadFile(name)
	must(t, err)
	if !bytes.Equal(got, want) {
		t.Errorf("%s is not what the code makes; if the format is meant to change, run with -update",
			name)
	}
}

// reference is the vector of the first design, which was made by other code. Its proofs did not
// cover the hellos, and its data began at sequence 0; the keys and frames are as they were.
func reference(t *testing.T) referenceVector {
	t.Helper()
	c := vectors.Load(t, "link_envelope")[0]
	text := func(field string) string { return strings.ToLower(c.Text(field)) }
	return referenceVector{
		About:   "Derivation and frames alone, without a handshake; data at sequence 0.",
		LinkKey: text("zek"), Link: c.Text("link"), Session: text("sid"), NonceI: text("nonce_i"),
		NonceA: text("nonce_a"), Number: uint16(c.Int("gen")), Secret: text("link_secret"),
		IVI2A: text("iv_i2a"), IVA2I: text("iv_a2i"), Message: c.Text("msg_ascii"),
		FrameI2A: text("frame_i2a_0"), NextI2A: text("frame_i2a_1"), FrameA2I: text("frame_a2i_0"),
	}
}

func TestReferenceVector(t *testing.T) {
	v := reference(t)
	from := &origin{link: v.Link, session: [8]byte(unhex(v.Session))}
	copy(from.nonceI[:], unhex(v.NonceI))
	copy(from.nonceA[:], unhex(v.NonceA))
	s, err := from.secret(v.Number, newCMAC(unhex(v.LinkKey)))
	must(t, err)
	if hex.EncodeToString(s[:]) != v.Secret {
		t.Errorf("secret %x", s)
	}
	for _, c := range []struct {
		from   side
		iv     string
		frames []string
	}{
		{initiator, v.IVI2A, []string{v.FrameI2A, v.NextI2A}},
		{acceptor, v.IVA2I, []string{v.FrameA2I}},
	} {
		ch := newChannel(GCM, c.from, from, v.Number, false, &s)
		if hex.EncodeToString(ch.iv[:]) != c.iv {
			t.Errorf("%s: IV %x", c.from.way(), ch.iv)
		}
		for n, want := range c.frames {
			frame := make([]byte, ch.size(len(v.Message)))
			ch.seal(frame, []byte(v.Message), typeData)
			if hex.EncodeToString(frame) != want {
				t.Errorf("%s %d: %x, want %s", c.from.way(), n, frame, want)
			}
		}
	}
}

// script is a session of the vectors: what the two sides want, and what they do once it stands.
type script struct {
	name, about string
	policy      Policy
	terms       []uint64 // of initiator and acceptor, if they say them
	generations []uint16
	keys        [][2]uint16 // generation and epoch
	act         func(t *testing.T, r *recording)
}

func scripts() []script {
	talk := func(t *testing.T, r *recording) {
		r.message(t, r.i, "1804 test message")
		r.message(t, r.a, "1814 test answer, somewhat longer")
		r.message(t, r.i, "1100 "+string(bytes.Repeat([]byte("0123456789"), 12)))
		r.close(t, r.i)
		r.close(t, r.a)
	}
	first := [][2]uint16{{7, 0}}
	return []script{
		{"gcm", "AES-256-GCM, as most links", Policy{}, nil, []uint16{7}, first, talk},
		{"padded", "contents padded to multiples of 64 bytes", Policy{Padding: true}, nil,
			[]uint16{7}, first, talk},
		{"legacy", "TDES; both name it and the acceptor has nothing better", Policy{
			Suites: []Suite{TDES},
		}, nil, []uint16{7}, first, talk},
		{"legacy padded", "TDES with both kinds of padding", Policy{
			Suites: []Suite{TDES}, Padding: true,
		}, nil, []uint16{7}, first, talk},
		{"hybrid", "X25519 and ML-KEM-768 mixed into the secret", Policy{Share: ShareRequired}, nil,
			[]uint16{7}, first, talk},
		{"rekey", "generations 8, 9 and 10 come; the initiator uses 8 and 10, the acceptor 8, 9, 10",
			Policy{}, nil, []uint16{7, 8, 9, 10}, [][2]uint16{{7, 0}, {8, 0}, {9, 0}, {10, 0}}, rekeyed},
		{"hybrid rekey", "a new link key on a connection with shares", Policy{Share: ShareRequired},
			nil, []uint16{7, 8, 9, 10}, [][2]uint16{{7, 0}, {8, 0}, {9, 0}, {10, 0}}, rekeyed},
		{"ratchet", "both ways by two epochs, then a new generation at epoch 0", Policy{},
			nil, []uint16{7, 8}, [][2]uint16{{7, 0}, {7, 1}, {7, 2}, {8, 0}, {8, 1}}, ratcheted},
		{"term", "the initiator is a cluster's active node, the acceptor is none", Policy{},
			[]uint64{41, 0}, []uint16{7}, first, talk},
		{"term of the acceptor", "with all options there are", Policy{
			Share: ShareRequired, Padding: true,
		}, []uint64{0, 1795704435}, []uint16{7}, first, talk},
		{"standby", "the initiator signs on as a standby, and becomes the active node of term 42",
			Policy{Standby: true}, []uint64{0, 0}, []uint16{7}, first, raises},
	}
}

func raises(t *testing.T, r *recording) {
	r.message(t, r.i, "1804 sign-on")
	r.message(t, r.a, "1814 welcome")
	frame, err := r.i.Sealer().Raise(nil, 42)
	must(t, err)
	r.add(initiator, "term", binary.BigEndian.AppendUint64(nil, 42), frame)
	if got, err := r.a.Opener().Open(bytes.Clone(frame)); got != nil || err != nil {
		t.Fatalf("a term gives %q, %v", got, err)
	}
	r.message(t, r.i, "1100 question")
	r.close(t, r.i)
}

func rekeyed(t *testing.T, r *recording) {
	r.message(t, r.i, "under 7")
	for g := uint16(8); g <= 10; g++ {
		install(t, g, r.i, r.a)
	}
	r.turn(t, r.i, 8)
	r.turn(t, r.a, 8)
	r.turn(t, r.a, 9)
	r.turn(t, r.i, 10)
	r.turn(t, r.a, 10)
	r.close(t, r.a)
}

func ratcheted(t *testing.T, r *recording) {
	r.message(t, r.i, "epoch 0")
	for _, s := range []*Session{r.i, r.a} {
		for _, message := range []string{"epoch 1", "epoch 2"} {
			s.Ratchet()
			r.message(t, s, message)
			r.message(t, s, "again "+message)
		}
	}
	install(t, 8, r.i, r.a)
	r.turn(t, r.i, 8)
	r.i.Ratchet()
	r.message(t, r.i, "epoch 1 of 8")
}

type recording struct {
	i, a *Session
	v    vectorSession
}

func (r *recording) add(from side, kind string, content, frame []byte) {
	names := map[side]string{initiator: "initiator", acceptor: "acceptor"}
	r.v.Frames = append(r.v.Frames, vectorFrame{
		names[from], kind, hex.EncodeToString(content), hex.EncodeToString(frame),
	})
}

func (r *recording) ends(from *Session) (side, *Session) {
	if from == r.i {
		return initiator, r.a
	}
	return acceptor, r.i
}

func (r *recording) message(t *testing.T, from *Session, message string) {
	t.Helper()
	who, to := r.ends(from)
	frame := seal(t, from, message)
	r.add(who, "data", []byte(message), frame)
	got, err := to.Opener().Open(bytes.Clone(frame))
	if err != nil || string(got) != message {
		t.Fatalf("%s: %q came as %q, %v", r.v.Name, message, got, err)
	}
}

func (r *recording) turn(t *testing.T, from *Session, generation uint16) {
	t.Helper()
	must(t, from.Switch(generation))
	r.message(t, from, "under "+strconv.Itoa(int(generation)))
	r.message(t, from, "and again")
}

func (r *recording) close(t *testing.T, from *Session) {
	t.Helper()
	who, to := r.ends(from)
	frame, err := from.Sealer().Close(nil)
	must(t, err)
	r.add(who, "close", []byte{closeOrderly}, frame)
	if _, err := to.Opener().Open(bytes.Clone(frame)); err != io.EOF {
		t.Fatalf("%s: a close gives %v", r.v.Name, err)
	}
}

// run plays the script and writes down all that a partner may want to compare.
func (s *script) run(t *testing.T) vectorSession {
	t.Helper()
	pi, pa := s.policy, s.policy
	if s.terms != nil {
		pi.Terms, pi.Term, pa.Terms, pa.Term = new(Terms), s.terms[0], new(Terms), s.terms[1]
	}
	i, a := fixedBetween(t, pi, pa, s.generations...)
	r := &recording{v: vectorSession{
		Name: s.name, About: s.about, Link: testLink, LinkKeys: map[string]string{},
	}}
	var hello, ackFrame []byte
	errI, errA := shake(i, a, func(stage int, frame []byte) []byte {
		kept := bytes.Clone(frame)
		switch stage {
		case 0:
			hello = kept
		case 1:
			ackFrame = kept
			r.describe(t, s, i, hello, ackFrame)
		case 2:
			r.v.ProofA = hex.EncodeToString(a.own[:])
			r.add(acceptor, "finished", a.own[:], kept)
		case 3:
			r.v.ProofI = hex.EncodeToString(a.proof[:])
			r.add(initiator, "finished", a.proof[:], kept)
		}
		return frame
	})
	must(t, errI)
	must(t, errA)
	r.i, r.a = i.Session(), a.Session()
	r.schedule(t, s)
	s.act(t, r)
	return r.v
}

// describe writes down what the hellos say. It is called before the initiator hears the ack.
func (r *recording) describe(t *testing.T, s *script, i *Handshake, hello, ackFrame []byte) {
	t.Helper()
	in, fault := readAck(ackFrame)
	if fault != None {
		t.Fatal(fault)
	}
	v := &r.v
	hellos := hashHellos(i.heard, ackFrame)
	v.Suite, v.Padded = hex.EncodeToString([]byte{byte(in.suite)}), in.padding
	v.Session = hex.EncodeToString(in.session[:])
	v.NonceI, v.NonceA = hex.EncodeToString(i.dice.nonce[:]), hex.EncodeToString(in.nonce[:])
	v.Hello, v.Ack = hex.EncodeToString(hello), hex.EncodeToString(ackFrame)
	if v.TermA = in.term; in.term != nil {
		v.TermI = &i.policy.Term
	}
	v.Standby = in.standby
	v.Hellos = hex.EncodeToString(hellos[:])
	for _, g := range s.generations {
		v.LinkKeys[strconv.Itoa(int(g))] = hex.EncodeToString(linkKey(g))
	}
	if in.share == nil {
		return
	}
	di, da := fixedDice(initiator), fixedDice(acceptor)
	curve, lattice, ok := i.share.agree(in.share)
	if !ok {
		t.Fatal("no share")
	}
	v.Shares = &vectorShares{
		CurveI: hex.EncodeToString(di.curve[:]), CurveA: hex.EncodeToString(da.curve[:]),
		Lattice: hex.EncodeToString(di.lattice[:]),
		Curve:   hex.EncodeToString(curve), Kem: hex.EncodeToString(lattice),
	}
	p := combine(curve, lattice, hellos)
	v.Shares.Secret = hex.EncodeToString(p[:])
}

// schedule writes down the keys.
func (r *recording) schedule(t *testing.T, s *script) {
	t.Helper()
	for _, at := range s.keys {
		secret, err := r.i.origin.secret(at[0], prfOf(at[0]))
		must(t, err)
		for range at[1] {
			secret.next()
		}
		size := 44
		if r.i.Suite() == TDES {
			size = tdesKeys
		}
		k := vectorKeys{Number: at[0], Epoch: at[1], Secret: hex.EncodeToString(secret[:])}
		h := header{
			suite: r.i.Suite(), generation: at[0], epoch: at[1], session: r.i.origin.session,
		}
		k.I2A = hex.EncodeToString(secret.traffic(&h, testLink, size))
		h.from = acceptor
		k.A2I = hex.EncodeToString(secret.traffic(&h, testLink, size))
		r.v.Keys = append(r.v.Keys, k)
	}
}
