package envelope

import (
	"bytes"
	"crypto/ecdh"
	"crypto/mlkem"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"os"
	"strconv"
	"testing"
)

// The vectors are those that every partner gets. Only they are shared with the switch's own
// implementation, and only in tests.
const vectorFile = "../../hsm/envelope/testdata/vectors.json"

type hexText []byte

func (b *hexText) UnmarshalText(text []byte) (err error) {
	*b, err = hex.DecodeString(string(text))
	return err
}

type vectors struct {
	KeysAlone struct {
		LinkKey    hexText `json:"link_key"`
		Link       string  `json:"link_ascii"`
		Session    hexText
		NonceI     hexText `json:"nonce_i"`
		NonceA     hexText `json:"nonce_a"`
		Generation uint16
		Secret     hexText
		IVI2A      hexText `json:"iv_i2a"`
		IVA2I      hexText `json:"iv_a2i"`
		Message    string  `json:"message_ascii"`
		I2A0       hexText `json:"frame_i2a_0"`
		I2A1       hexText `json:"frame_i2a_1"`
		A2I0       hexText `json:"frame_a2i_0"`
	} `json:"keys_alone"`
	Sessions []vector
}

type vector struct {
	Name           string
	Link           string             `json:"link_ascii"`
	Keys           map[string]hexText `json:"link_keys"`
	Suite          hexText
	Padded         bool
	Session        hexText
	NonceI         hexText `json:"nonce_i"`
	NonceA         hexText `json:"nonce_a"`
	Hello, Ack     hexText
	TermI          *uint64 `json:"term_i"`
	TermA          *uint64 `json:"term_a"`
	Standby        bool    `json:"standby"`
	Hellos         hexText `json:"hash_of_hellos"`
	Shares         *shares
	FinishedI      hexText `json:"finished_i"`
	FinishedA      hexText `json:"finished_a"`
	KeysOfSessions []struct {
		Generation, Epoch uint16
		Secret            hexText
		I2A               hexText `json:"material_i2a"`
		A2I               hexText `json:"material_a2i"`
	} `json:"keys"`
	Frames []struct {
		From, Type     string
		Content, Frame hexText
	}
}

type shares struct {
	X25519I hexText `json:"x25519_private_i"`
	X25519A hexText `json:"x25519_private_a"`
	Seed    hexText `json:"ml_kem_768_seed_i"`
	X25519  hexText `json:"x25519_shared"`
	MLKEM   hexText `json:"ml_kem_768_shared"`
	Secret  hexText `json:"shares_secret"`
}

func readVectors(t *testing.T) vectors {
	t.Helper()
	text, err := os.ReadFile(vectorFile)
	if err != nil {
		t.Fatal(err)
	}
	var v vectors
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	if len(v.Sessions) < 10 {
		t.Fatalf("%d sessions", len(v.Sessions))
	}
	return v
}

func same(t *testing.T, what string, got, want []byte) {
	t.Helper()
	if !bytes.Equal(got, want) {
		t.Errorf("%s: %x, want %x", what, got, want)
	}
}

// linkKeys are the keys of a vector, as far as a generation.
func (v *vector) linkKeys(t *testing.T) (all map[uint16]Key, first map[uint16]Key) {
	t.Helper()
	all, first = make(map[uint16]Key), make(map[uint16]Key)
	for g, k := range v.Keys {
		n, err := strconv.ParseUint(g, 10, 16)
		if err != nil {
			t.Fatal(err)
		}
		all[uint16(n)] = Key(k)
	}
	g := v.KeysOfSessions[0].Generation
	first[g] = all[g]
	return all, first
}

func TestKeysAlone(t *testing.T) {
	v := readVectors(t).KeysAlone
	s, err := Accept(Options{Link: v.Link, Keys: map[uint16]Key{v.Generation: Key(v.LinkKey)}})
	if err != nil {
		t.Fatal(err)
	}
	s.suite = GCM
	s.session = [8]byte(v.Session)
	s.nonceI, s.nonceA = [32]byte(v.NonceI), [32]byte(v.NonceA)
	if err := s.agree(nil, nil, nil, nil, v.Generation); err != nil {
		t.Fatal(err)
	}
	same(t, "secret", s.in.secret, v.Secret)
	for w, want := range map[*way]hexText{&s.in: v.IVI2A, &s.out: v.IVA2I} {
		m, err := s.material(w.label, v.Generation, 0, w.secret)
		if err != nil {
			t.Fatal(err)
		}
		same(t, "IV "+w.label, m[32:], want)
	}
	a2i, err := s.sealNext(data, []byte(v.Message))
	if err != nil {
		t.Fatal(err)
	}
	same(t, "frame a2i 0", a2i, v.A2I0)
	s.phase = standing
	for _, frame := range []hexText{v.I2A0, v.I2A1} {
		e, err := s.Receive(frame)
		if err != nil || string(e.Message) != v.Message {
			t.Errorf("%q, %v", e.Message, err)
		}
	}
}

// initiator plays the end that dialled, up to its finished.
func (v *vector) initiator(t *testing.T) *Session {
	t.Helper()
	_, keys := v.linkKeys(t)
	random := append(bytes.Clone(v.Session), v.NonceI...)
	if v.Shares != nil {
		random = append(append(random, v.Shares.X25519I...), v.Shares.Seed...)
	}
	s, hello, err := Initiate(v.terms(v.TermI, Options{Link: v.Link, Keys: keys,
		Suites: []Suite{Suite(v.Suite[0])}, Padding: v.Padded, Share: v.Shares != nil,
		Random: v.random(random)}))
	if err != nil {
		t.Fatal(err)
	}
	same(t, "hello", hello, v.Hello)
	if e, err := s.Receive(v.Ack); err != nil || len(e.Send) > 0 {
		t.Fatalf("hello-ack: %v, %v", e, err)
	}
	return s
}

// acceptor plays the other end, up to its finished. What ML-KEM draws can't be given, so with
// shares it begins where its hello-ack is written.
func (v *vector) acceptor(t *testing.T) *Session {
	t.Helper()
	_, keys := v.linkKeys(t)
	s, err := Accept(v.terms(v.TermA, Options{Link: v.Link, Keys: keys,
		Suites: []Suite{Suite(v.Suite[0])}, Share: v.Shares != nil,
		Random: v.random(bytes.Clone(v.NonceA))}))
	if err != nil {
		t.Fatal(err)
	}
	var e Event
	if v.Shares == nil {
		e, err = s.Receive(v.Hello)
	} else {
		s.suite, s.padded, s.session = Suite(v.Suite[0]), v.Padded, [8]byte(v.Session)
		s.nonceI, s.nonceA = [32]byte(v.NonceI), [32]byte(v.NonceA)
		if v.TermI != nil {
			s.term = *v.TermI
		}
		e, err = s.greet(v.Hello, v.Ack, v.Shares.X25519, v.Shares.MLKEM,
			v.KeysOfSessions[0].Generation)
	}
	if err != nil || len(e.Send) != 2 {
		t.Fatalf("hello: %v, %v", e, err)
	}
	same(t, "hello-ack", e.Send[0], v.Ack)
	same(t, "finished", e.Send[1], v.Frames[0].Frame)
	return s
}

// terms lets an end say its term, if it does so in the vector.
func (v *vector) terms(own *uint64, o Options) Options {
	if own != nil {
		o.Terms, o.Term, o.Standby = new(Terms), *own, v.Standby
	}
	return o
}

// random gives what a vector draws; each IV of the legacy suite is the same there.
func (v *vector) random(first []byte) *script {
	return &script{first, v.Frames[0].Frame[headerSize : headerSize+8]}
}

type script struct{ first, iv []byte }

func (s *script) Read(b []byte) (int, error) {
	if len(s.first) > 0 {
		n := copy(b, s.first)
		s.first = s.first[n:]
		return n, nil
	}
	return copy(b, s.iv), nil
}

// Both roles say all frames of a session byte for byte, and take all of the other's.
func TestSessions(t *testing.T) {
	for _, v := range readVectors(t).Sessions {
		t.Run(v.Name, func(t *testing.T) {
			ends := map[string]*Session{"initiator": v.initiator(t), "acceptor": v.acceptor(t)}
			v.checkDerivations(t, ends["initiator"])
			all, first := v.linkKeys(t)
			for n, f := range v.Frames {
				to := "acceptor"
				if f.From == to {
					to = "initiator"
				}
				e, err := ends[to].Receive(f.Frame)
				if err != nil {
					t.Fatalf("frame %d: %v", n, err)
				}
				switch f.Type {
				case "finished":
					if to == "initiator" {
						same(t, "finished", e.Send[0], v.Frames[1].Frame)
					} else {
						install(t, all, first, ends)
					}
				case "data":
					same(t, "content", e.Message, f.Content)
					ends[f.From].follow(t, f.Frame)
					said, err := ends[f.From].Seal(f.Content)
					if err != nil {
						t.Fatal(err)
					}
					same(t, "frame "+strconv.Itoa(n), said, f.Frame)
				case "term":
					said, err := ends[f.From].Raise(binary.BigEndian.Uint64(f.Content))
					if err != nil || e.Message != nil || ends[to].State().Waits {
						t.Fatalf("%v, %+v", err, ends[to].State())
					}
					same(t, "term", said, f.Frame)
					v.TermI = new(binary.BigEndian.Uint64(f.Content))
				case "close":
					v.checkTerm(t, to, ends[to])
					if !e.Closed {
						t.Error("the close isn't taken for one")
					}
					same(t, "close", ends[f.From].Close(), f.Frame)
				}
			}
		})
	}
}

// checkTerm sees that an end has heard the other's term.
func (v *vector) checkTerm(t *testing.T, end string, s *Session) {
	t.Helper()
	said := v.TermI
	if end == "initiator" {
		said = v.TermA
	}
	if said != nil && (s.State().Term != *said || s.options.Terms.Counts().Highest != *said) {
		t.Errorf("the %s has term %d, not %d", end, s.State().Term, *said)
	}
}

// install gives both ends the later generations in order.
func install(t *testing.T, all, first map[uint16]Key, ends map[string]*Session) {
	t.Helper()
	for g := latest(first) + 1; all[g] != nil; g++ {
		for _, s := range ends {
			if err := s.Install(g, all[g]); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// follow moves an end's own direction to where its next frame is.
func (s *Session) follow(t *testing.T, frame []byte) {
	t.Helper()
	h, _, err := split(frame)
	if err != nil {
		t.Fatal(err)
	}
	switch {
	case h.generation != s.out.generation:
		err = s.Switch(h.generation)
	case h.epoch != s.out.epoch:
		err = s.Ratchet()
	}
	if err != nil {
		t.Fatal(err)
	}
}

func (v *vector) checkDerivations(t *testing.T, s *Session) {
	t.Helper()
	same(t, "hash of hellos", s.hellos[:], v.Hellos)
	if v.Shares != nil {
		same(t, "P", s.shares, v.Shares.Secret)
		v.Shares.check(t)
	}
	all, _ := v.linkKeys(t)
	var secret []byte
	for _, k := range v.KeysOfSessions {
		var err error
		if k.Epoch == 0 {
			secret, err = s.secret(k.Generation, all[k.Generation])
		} else {
			secret, err = ratchet(secret)
		}
		if err != nil {
			t.Fatal(err)
		}
		same(t, "secret", secret, k.Secret)
		for way, want := range map[string]hexText{"i2a": k.I2A, "a2i": k.A2I} {
			got, err := s.material(way, k.Generation, k.Epoch, secret)
			if err != nil {
				t.Fatal(err)
			}
			same(t, "material "+way, got, want)
		}
	}
	first, err := s.secret(v.KeysOfSessions[0].Generation, all[v.KeysOfSessions[0].Generation])
	if err != nil {
		t.Fatal(err)
	}
	for role, want := range map[string]hexText{"i": v.FinishedI, "a": v.FinishedA} {
		got, err := s.proof(role, first)
		if err != nil {
			t.Fatal(err)
		}
		same(t, "proof "+role, got, want)
	}
}

// check holds the shares of a vector against each other.
func (s *shares) check(t *testing.T) {
	t.Helper()
	i, err := ecdh.X25519().NewPrivateKey(s.X25519I)
	if err != nil {
		t.Fatal(err)
	}
	a, err := ecdh.X25519().NewPrivateKey(s.X25519A)
	if err != nil {
		t.Fatal(err)
	}
	x, err := a.ECDH(i.PublicKey())
	if err != nil {
		t.Fatal(err)
	}
	same(t, "X25519", x, s.X25519)
	if _, err := mlkem.NewDecapsulationKey768(s.Seed); err != nil {
		t.Fatal(err)
	}
}
