package chaos

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"

	"go.yaml.in/yaml/v3"

	"cardswitch/conformance/load/cards"
	"cardswitch/conformance/load/sealed"
	"cardswitch/conformance/load/wire"
)

// TestMain is also the switch that dies: the test's own program, started as `start --config file`.
func TestMain(m *testing.M) {
	switch {
	case len(os.Args) > 2 && os.Args[1] == "start":
		runRelay(os.Args[3])
	case len(os.Args) > 2 && os.Args[1] == "journal":
		if os.Getenv(faultEnv) == "journal" {
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// The relay's faults, given by the environment.
const faultEnv = "CHAOS_TEST_FAULT"

const testSeed = 1

// relay is a stand-in for the switch, without a journal. It is honest enough to lose nothing, since
// merchants repeat and banks know repeats, unless it is told to do wrong.
type relay struct {
	fault  string
	mu     sync.Mutex
	lanes  map[uint64]net.Conn // where answers go, by the lane in DE 37
	audits map[string][]byte   // DE 11 of the merchant, by DE 37 and type
	audit  uint64
	banks  []net.Conn
}

func runRelay(file string) {
	text, err := os.ReadFile(file)
	var config struct {
		Admin   struct{ HTTP string }
		Centers []struct {
			Links []struct{ Listen, Dial string }
		}
	}
	if err != nil || yaml.Unmarshal(text, &config) != nil {
		panic("the relay can't read its configuration")
	}
	r := &relay{fault: os.Getenv(faultEnv), lanes: map[uint64]net.Conn{}, audits: map[string][]byte{}}
	r.audit = uint64(os.Getpid()) * 1000 // so that it differs from that of the life before
	end := sealed.NewEnd(secretOf(testSeed))
	for i, c := range config.Centers[1:] {
		raw, err := net.Dial("tcp", c.Links[0].Dial)
		if err != nil {
			panic(err)
		}
		conn, err := end.Dial(raw, fmt.Sprintf("issuer-%d/l0", i))
		if err != nil {
			panic(err)
		}
		r.banks = append(r.banks, conn)
		go r.fromBank(conn)
	}
	metrics, err := net.Listen("tcp", config.Admin.HTTP) // before any door: it is asked once all is up
	if err != nil {
		panic(err)
	}
	go http.Serve(metrics, http.HandlerFunc(
		func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "cardswitch_owed 0\n") }))
	l, err := net.Listen("tcp", config.Centers[0].Links[0].Listen)
	if err != nil {
		panic(err)
	}
	for {
		conn, err := l.Accept()
		if err != nil {
			panic(err)
		}
		go func() {
			if in, err := end.Accept(conn); err == nil {
				r.fromMerchant(in)
			}
		}()
	}
}

func (r *relay) fromMerchant(conn net.Conn) {
	answers := newAnswers()
	in := newReader(conn)
	for m, err := in.next(); err == nil; m, err = in.next() {
		if m.MTI() == 1804 {
			conn.Write(answers.network.AppendAnswer(nil, m, nil))
			continue
		}
		reference, _ := wire.ParseReference(m.Data(37))
		r.mu.Lock()
		r.lanes[reference.Lane] = conn
		switch {
		case r.fault == "lose" && m.MTI() == 1220:
			conn.Write(answers.noted.AppendAnswer(nil, m, nil))
		case r.fault == "decline" && m.MTI() == 1200 && reference.Sequence%50 == 0:
			r.forward(m) // yet the merchant is told no, and the bank's own answer comes too
			conn.Write(answers.declined.AppendAnswer(nil, m, nil))
		default:
			r.forward(m)
		}
		r.mu.Unlock()
	}
}

// forward sends a message to its bank; "double" makes each a new question.
func (r *relay) forward(m *wire.Message) {
	frame := append([]byte{byte(len(m.Raw) >> 8), byte(len(m.Raw))}, m.Raw...)
	if r.fault == "double" {
		r.audit++
		r.audits[string(m.Data(37))+"/"+string(m.Raw[:2])] = append([]byte{}, m.Data(11)...)
		wire.PutNumber(frame[wire.HeaderLength+m.Offset(11):][:6], r.audit%1000000)
	}
	for _, known := range cards.Ranges() {
		if strings.HasPrefix(string(m.Data(2)), known.Prefix) {
			r.banks[known.Issuer].Write(frame)
		}
	}
}

func (r *relay) fromBank(conn net.Conn) {
	in := newReader(conn)
	for m, err := in.next(); err == nil; m, err = in.next() {
		reference, ok := wire.ParseReference(m.Data(37))
		if !ok {
			continue
		}
		frame := append([]byte{byte(len(m.Raw) >> 8), byte(len(m.Raw))}, m.Raw...)
		r.mu.Lock()
		if audit := r.audits[string(m.Data(37))+"/"+string(m.Raw[:2])]; audit != nil {
			copy(frame[wire.HeaderLength+m.Offset(11):], audit)
		}
		if back := r.lanes[reference.Lane]; back != nil {
			back.Write(frame)
		}
		r.mu.Unlock()
	}
	os.Exit(1) // banks don't hang up in these tests
}

func runOn(t *testing.T, fault string) Report {
	t.Helper()
	t.Setenv(faultEnv, fault)
	report, err := Run(t.Context(), Config{
		Program: os.Args[0], Dir: t.TempDir(), Cycles: 10, Mode: Kill, Lanes: 2, Outstanding: 16,
		Seed: testSeed, Progress: io.Discard,
	})
	if err != nil {
		t.Fatal(err)
	}
	if report.Kills != 10 || report.Transactions < 100 || report.Approved == 0 ||
		report.Declined == 0 || report.TakenBack == 0 || report.Repeats == 0 {
		t.Errorf("the run was too tame to prove anything: %+v", report)
	}
	return report
}

func TestHonestSwitchIsClean(t *testing.T) {
	if report := runOn(t, ""); !report.Clean() {
		t.Errorf("%+v", report)
	}
}

func TestEveryKindOfFaultIsFound(t *testing.T) {
	for fault, count := range map[string]func(Report) int{
		"lose":    func(r Report) int { return r.Lost },
		"double":  func(r Report) int { return r.Double },
		"journal": func(r Report) int { return len(r.Journal) },
		"decline": func(r Report) int { return min(r.Unexplained, r.Changed) },
	} {
		t.Run(fault, func(t *testing.T) {
			if report := runOn(t, fault); count(report) == 0 || report.Clean() {
				t.Errorf("not found: %+v", report)
			}
		})
	}
}
