package load

import (
	"context"
	"net"
	"testing"
	"time"

	"cardswitch/conformance/load/issuer"
	"cardswitch/conformance/load/wire"
)

// serve starts an issuer for the time of the test.
func serve(t testing.TB) (*issuer.Issuer, string) {
	t.Helper()
	i, err := issuer.Listen([]string{"127.0.0.1:0"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- i.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return i, i.Addresses()[0]
}

func config(address string) Config {
	return Config{
		Address: address, Connections: 2, Outstanding: 32, Destination: "99999000001",
		WarmUp: 50 * time.Millisecond, Duration: 200 * time.Millisecond, Drain: time.Minute,
	}
}

func TestEveryRequestIsAnsweredOnceAndPosted(t *testing.T) {
	for name, rate := range map[string]int{"closed": 0, "open": 4000} {
		t.Run(name, func(t *testing.T) {
			i, address := serve(t)
			c := config(address)
			c.Rate = rate
			report, err := Run(t.Context(), c)
			if err != nil {
				t.Fatal(err)
			}
			posted := i.Report()
			if !report.Clean() || posted.Postings != report.Approved ||
				posted.Amount != report.Amount || posted.Duplicates+posted.Malformed != 0 {
				t.Errorf("load %+v, issuer %+v", report, posted)
			}
			if rate != 0 && report.Sent != 1000 { // late ones too, if the machine made them wait
				t.Errorf("%d requests in 250 ms at 4000/s", report.Sent)
			}
			if report.P50 < 1 || report.P50 > report.P99 || report.P99 > report.Max {
				t.Errorf("latencies out of order: %+v", report)
			}
		})
	}
}

// spoiler answers, but with what the test does to the answer.
func spoiler(t *testing.T, spoil func(n int, answer []byte) [][]byte) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		network := wire.NewEcho("1814", "800", 11, 12, 93, 94)
		financial := wire.NewEcho("1210", "000", 2, 3, 4, 11, 12, 32, 37, 59)
		buffer := make([]byte, 0, 1<<16)
		var m wire.Message
		for n := 0; ; {
			size, err := conn.Read(buffer[len(buffer):cap(buffer)])
			if err != nil {
				return
			}
			buffer = buffer[:len(buffer)+size]
			for body, rest := wire.Next(buffer); body != nil; body, rest = wire.Next(buffer) {
				buffer = rest
				m.Scan(body)
				if m.MTI() == 1804 {
					conn.Write(network.AppendAnswer(nil, &m, nil))
					continue
				}
				n++
				for _, frame := range spoil(n, financial.AppendAnswer(nil, &m, []byte("123456"))) {
					conn.Write(frame)
				}
			}
			buffer = append(make([]byte, 0, 1<<16), buffer...)
		}
	}()
	return l.Addr().String()
}

func TestWrongAnswersAreCounted(t *testing.T) {
	patch := func(element int, value string) func(int, []byte) [][]byte {
		return func(n int, answer []byte) [][]byte {
			var m wire.Message
			body, _ := wire.Next(answer)
			if n == 3 && m.Scan(body) {
				copy(m.Data(element), value)
			}
			return [][]byte{answer}
		}
	}
	one := func(r Report) uint64 { return r.Mismatched }
	cases := map[string]struct {
		spoil func(int, []byte) [][]byte
		count func(Report) uint64
	}{
		"trace number": {patch(11, "999999"), one},
		"local time":   {patch(12, "991231235959"), one},
		"acquirer":     {patch(32, "99"), one},
		"amount":       {patch(4, "999999999999"), one},
		"reference":    {patch(37, "000999999999"), func(r Report) uint64 { return r.Unknown }},
		"declined":     {patch(39, "116"), func(r Report) uint64 { return r.Actions["116"] }},
		"twice": {func(n int, answer []byte) [][]byte {
			if n == 3 {
				return [][]byte{answer, answer}
			}
			return [][]byte{answer}
		}, func(r Report) uint64 { return r.Unknown }},
		"never": {func(n int, answer []byte) [][]byte {
			if n == 3 {
				return nil
			}
			return [][]byte{answer}
		}, func(r Report) uint64 { return r.Unanswered }},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // one that is never answered is waited for to the end
			config := config(spoiler(t, c.spoil))
			config.Connections, config.WarmUp, config.Drain = 1, 0, 2*time.Second
			report, err := Run(t.Context(), config)
			if err != nil {
				t.Fatal(err)
			}
			if got := c.count(report); got != 1 || report.Clean() {
				t.Errorf("counted %d, want 1: %+v", got, report)
			}
		})
	}
}

func TestQuestionsNeverRepeat(t *testing.T) {
	r, err := newRequest(7)
	if err != nil {
		t.Fatal(err)
	}
	r.setTime(time.Now())
	type question struct {
		audit    uint64
		acquirer string
	}
	seen := map[question]bool{}
	for n := uint64(1); n <= 1_500_000; n++ {
		q := question{auditNumber(n), string(r.acquirer(n))}
		if seen[q] {
			t.Fatalf("message %d asks what another asked in the same second", n)
		}
		seen[q] = true
	}
}

func TestRequestIsTheReferenceMessage(t *testing.T) {
	r, err := newRequest(0)
	if err != nil {
		t.Fatal(err)
	}
	r.setTime(time.Date(2026, 4, 1, 15, 30, 0, 0, time.UTC))
	body, _ := wire.Next(r.append(nil, 1_000_001))
	var m wire.Message
	if !m.Scan(body) {
		t.Fatal("can't be walked")
	}
	if len(body) != 415 {
		t.Errorf("%d bytes, want 415", len(body))
	}
	want := map[int]string{4: "000000002801", 7: "0401153000", 11: "000002", 12: "260402003000",
		32: "90000000002", 37: "000001000001"}
	for n, value := range want {
		if got := string(m.Data(n)); got != value {
			t.Errorf("element %d is %q, want %q", n, got, value)
		}
	}
}

func TestAppendDoesNotAllocate(t *testing.T) {
	r, err := newRequest(0)
	if err != nil {
		t.Fatal(err)
	}
	out := make([]byte, 0, 1024)
	n := uint64(1)
	if got := testing.AllocsPerRun(100, func() {
		r.setTime(time.Unix(int64(n), 0))
		out = r.append(out[:0], n)
		n++
	}); got != 0 {
		t.Errorf("%v allocations a request", got)
	}
}

func TestWindowIsAlwaysAnnounced(t *testing.T) {
	for range 20 {
		_, address := serve(t)
		var opened, closed time.Time
		c := config(address)
		c.Connections, c.Outstanding = 1, 1
		c.WarmUp, c.Duration = time.Millisecond, 5*time.Millisecond
		c.Measuring = func() { opened = time.Now() }
		c.Measured = func() { closed = time.Now() }
		if _, err := Run(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		if opened.IsZero() || !closed.After(opened) {
			t.Fatalf("opened %v, closed %v", opened, closed)
		}
	}
}
