package wire_test

import (
	"strings"
	"testing"

	"cardswitch/conformance/load/wire"
)

func request(t testing.TB) []byte {
	t.Helper()
	frame, err := wire.Build("1200",
		wire.Element{Number: 2, Value: "4539000000000004"},
		wire.Element{Number: 3, Value: "000000"},
		wire.Element{Number: 11, Value: "000042"},
		wire.Element{Number: 22, Value: "510101513344"},
		wire.Element{Number: 37, Value: "000000000042"},
		wire.Element{Number: 43, Value: "SHOP\\STREET\\TOKYO"},
		wire.Element{Number: 59, Value: "cookie"},
		wire.Element{Number: 94, Value: "12345"})
	if err != nil {
		t.Fatal(err)
	}
	return frame
}

func TestScanFindsEveryElement(t *testing.T) {
	body, rest := wire.Next(request(t))
	if len(rest) != 0 {
		t.Fatalf("%d bytes left behind the frame", len(rest))
	}
	var m wire.Message
	if !m.Scan(body) {
		t.Fatal("a good message isn't scanned")
	}
	want := map[int]string{2: "4539000000000004", 11: "000042", 37: "000000000042", 59: "cookie",
		94: "12345", 38: "", 128: ""}
	for n, value := range want {
		if got := string(m.Data(n)); got != value {
			t.Errorf("element %d is %q, want %q", n, got, value)
		}
	}
	if m.MTI() != 1200 {
		t.Errorf("MTI is %d", m.MTI())
	}
}

func TestScanRefusesWhatCannotBeWalked(t *testing.T) {
	body, _ := wire.Next(request(t))
	var m wire.Message
	for cut := range len(body) {
		if m.Scan(body[:cut]) {
			t.Errorf("cut to %d bytes, yet scanned", cut)
		}
	}
	if m.Scan(append(body[:len(body):len(body)], 'x')) {
		t.Error("a trailing byte isn't noticed")
	}
	bad := []byte(strings.Replace(string(body), "164539", "1x4539", 1))
	if m.Scan(bad) {
		t.Error("a length that isn't a number isn't noticed")
	}
}

func TestAnswerKeepsWhatTheMatrixSays(t *testing.T) {
	body, _ := wire.Next(request(t))
	var m, answer wire.Message
	m.Scan(body)
	echo := wire.NewEcho("1210", "000", 2, 3, 11, 37, 59, 94)
	framed := echo.AppendAnswer([]byte("before"), &m, []byte("A12345"))[len("before"):]
	body, rest := wire.Next(framed)
	if len(rest) != 0 || !answer.Scan(body) {
		t.Fatal("the answer can't be walked")
	}
	want := map[int]string{2: "4539000000000004", 3: "000000", 11: "000042", 22: "",
		37: "000000000042", 38: "A12345", 39: "000", 43: "", 59: "cookie", 94: "12345"}
	for n, value := range want {
		if got := string(answer.Data(n)); got != value {
			t.Errorf("element %d is %q, want %q", n, got, value)
		}
	}
	if answer.MTI() != 1210 {
		t.Errorf("MTI is %d", answer.MTI())
	}
}

func TestNothingAllocates(t *testing.T) {
	body, _ := wire.Next(request(t))
	echo := wire.NewEcho("1210", "000", 2, 3, 11, 37, 59, 94)
	approval := []byte("A12345")
	out := make([]byte, 0, 1024)
	var m wire.Message
	if n := testing.AllocsPerRun(100, func() {
		m.Scan(body)
		out = echo.AppendAnswer(out[:0], &m, approval)
	}); n != 0 {
		t.Errorf("%v allocations a message", n)
	}
}

func BenchmarkScanAndAnswer(b *testing.B) {
	body, _ := wire.Next(request(b))
	echo := wire.NewEcho("1210", "000", 2, 3, 11, 37, 59, 94)
	approval := []byte("A12345")
	out := make([]byte, 0, 1024)
	var m wire.Message
	for b.Loop() {
		m.Scan(body)
		out = echo.AppendAnswer(out[:0], &m, approval)
	}
}
