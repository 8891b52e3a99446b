package payshield

import (
	"bufio"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// sealed is a key block of the test LMK.
func sealed(t testing.TB, s *Simulator, usage, algorithm, mode string, raw string) string {
	t.Helper()
	block, _, err := s.Seal(Header{usage, algorithm, mode, "00", "E"}, unhex(t, raw))
	if err != nil {
		t.Fatal(err)
	}
	return block
}

const (
	double = "0123456789ABCDEFFEDCBA9876543210"
	triple = double + "89E88CF7931444F3"
)

// The simulator is strict: this is what it says to commands that aren't right.
func TestErrorCodes(t *testing.T) {
	s := unit(t, nil)
	zone := sealed(t, s, "P0", "T", "B", double)
	seals := sealed(t, s, "P0", "T", "E", double)
	base := sealed(t, s, "B0", "T", "X", double)
	code := sealed(t, s, "M3", "T", "C", double)
	long := sealed(t, s, "B0", "T", "X", triple)
	forged := zone[:40] + "0" + zone[41:]
	if zone[40] == '0' {
		forged = zone[:40] + "1" + zone[41:]
	}
	const pin = "12AD72F973446E84E70101850103093936"
	const ksn = "A05FFFF9876543210E00001"
	for _, v := range []struct{ command, fields, code string }{
		{"NC", "", "00"}, {"NC", "%00", "00"}, {"NC", "%01", "13"}, {"NC", "x", "15"},
		{"N0", "008", "00"}, {"N0", "000", "01"}, {"N0", "257", "01"}, {"N0", "+08", "15"},
		{"N0", "8", "15"}, {"ZY", "", "68"}, {"\x00\xff", "", "68"},
		{"A0", "0FFFS#P0T2B00E00", "00"}, {"A0", "0FFFS%00#P0T3B00E00", "00"},
		{"A0", "0FFFS%07#P0T2B00E00", "13"}, {"A0", "0FFFS#ZZT2B00E00", "A6"},
		{"A0", "0FFFS#P0T4B00E00", "A7"}, {"A0", "0FFFS#P0T2Z00E00", "A8"},
		{"A0", "0FFFS#P0T2B00Z00", "AA"}, {"A0", "0FFFS#P0T2B00E01", "15"}, {"A0", "0001U", "15"},
		{"A0", "", "15"},
		{"BU", "FFF" + zone, "00"}, {"BU", "FFF" + zone + ";FFF;001", "00"},
		{"BU", "FFF" + forged + ";FFF;001", "A4"}, {"BU", "FFF" + zone[:80], "15"},
		{"CC", zone + zone + pin, "20"}, {"CC", zone + zone + pin + "0", "15"},
		{"CC", zone + base + pin, "A6"}, {"CC", code + zone + pin, "A6"},
		{"CC", seals + zone + pin, "A8"},
		{"CC", zone + zone + strings.Replace(pin, "0101", "0105", 1), "23"},
		{"CC", zone + zone + strings.Replace(pin, "0101", "0148", 1), "23"},
		{"CC", zone + forged + pin, "A4"},
		{"G0", base + zone + ksn + pin[2:], "20"}, {"G0", zone + zone + ksn + pin[2:], "A6"},
		{"G0", long + zone + ksn + pin[2:], "27"},
		{"G0", base + zone + "A05FFFF9876543210E00000" + pin[2:], "15"},
		{"G0", base + zone + "FFF" + ksn[3:] + pin[2:], "15"},
		{"M6", "00110FFF" + code + "0008abcdefgh", "A6"},
		{"M6", "00130FFF" + code + "0008abcdefgh", "00"},
		{"M6", "00130FFF" + code + "0007abcdefg", "80"}, {"M6", "00131FFF" + code + "0007abcdefg", "00"},
		{"M6", "00160FFF" + code + "0008abcdefgh", "02"},
		{"M6", "00164FFF" + code + "0008abcdefgh", "02"},
		{"M6", "01130FFF" + code + "0008abcdefgh", "15"},
		{"M6", "01130FFF" + code + "00106162636465666768", "00"},
		{"M6", "01130FFF" + code + "000F616263646566676", "80"},
		{"M8", "00130FFF" + code + "0008abcdefgh" + "0000000000000000", "01"},
		{"M8", "00130FFF" + code + "0008abcdefgh" + "00000000", "15"},
		{"M2", "0100FFF" + base + ksn + "0000000000000000" + "0008abcdefgh", "00"},
		{"M2", "0100FFF" + base + ksn + "0000000000000000" + "0007abcdefg", "15"},
		{"M0", "0100FFF" + base + ksn + "0000000000000000" + "0008abcdefgh", "15"},
	} {
		got, rest := s.do(v.command, []byte(v.fields))
		if got == "24" {
			got = "20" // either says that the PIN block can't be used
		}
		if got != v.code {
			t.Errorf("%s %.60q: error %s, want %s", v.command, v.fields, got, v.code)
		}
		if got != done && rest != "" {
			t.Errorf("%s: an error with fields %q", v.command, rest)
		}
	}
}

func TestFaultsAsText(t *testing.T) {
	f, err := ParseFault("do=cut command=CC chance=0.25 times=3 delay=5ms..20ms bytes=7")
	want := Fault{Command: "CC", Chance: 0.25, Times: 3, Do: Cut, Bytes: 7,
		Delay: Delay{5 * time.Millisecond, 20 * time.Millisecond}}
	if err != nil || f != want {
		t.Errorf("%+v, %v", f, err)
	}
	for _, text := range []string{"do=nonsense", "do=refuse", "do=refuse code=4", "chance=x",
		"times=-1", "delay=20ms..5ms", "delay=soon", "bytes=-1", "command=C", "what=ever", "x"} {
		if f, err := ParseFault(text); err == nil {
			t.Errorf("%q is %+v", text, f)
		}
	}
	if f, err := ParseFault(""); err != nil || f != (Fault{}) {
		t.Errorf("%+v, %v", f, err)
	}
}

// Over the wire: the header comes back, and hostile bytes hurt nobody.
func TestWire(t *testing.T) {
	s := unit(t, nil)
	dial := func() net.Conn {
		conn, err := net.Dial("tcp", s.Address())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		return conn
	}
	conn := dial()
	if _, err := io.WriteString(conn, frame("HEADNC")); err != nil {
		t.Fatal(err)
	}
	answer, err := readMessage(bufio.NewReader(conn))
	if err != nil || !strings.HasPrefix(string(answer), "HEADND00"+s.LMKCheck()) {
		t.Errorf("%q, %v", answer, err)
	}
	for _, hostile := range []string{frame(""), frame("HEADN"),
		"\xff\xff" + strings.Repeat("x", 65535), "GET / HTTP/1.1\r\n\r\n"} {
		conn := dial()
		_, _ = io.WriteString(conn, hostile)
		_ = conn.(*net.TCPConn).CloseWrite()
		_, _ = io.Copy(io.Discard, conn)
	}
	conn = dial()
	if _, err := io.WriteString(conn, frame("HEADN0008")); err != nil {
		t.Fatal(err)
	}
	answer, err = readMessage(bufio.NewReader(conn))
	if err != nil || len(answer) != 16 || !strings.HasPrefix(string(answer), "HEADN100") {
		t.Errorf("%q, %v", answer, err)
	}
}

// FuzzCommand does any command: there is an error code, and fields only without an error.
func FuzzCommand(f *testing.F) {
	s := unit(f, nil)
	zone := sealed(f, s, "P0", "T", "B", double)
	base := sealed(f, s, "B0", "T", "X", double)
	code := sealed(f, s, "M3", "T", "C", double)
	shared := sealed(f, s, "K1", "T", "B", triple)
	data := sealed(f, s, "D0", "A", "B", double)
	part, _, err := s.Seal(Header{"K1", "T", "B", "c1", "E"}, unhex(f, double))
	if err != nil {
		f.Fatal(err)
	}
	_, exported := s.do("A8", []byte("FFF"+shared+zone+"R&E!B"))
	for _, seed := range [][2]string{
		{"NC", "%00"}, {"N0", "008"}, {"A0", "0FFFS%00#P0T2B00E00"}, {"BU", "FFF" + zone + ";FFF;001"},
		{"A4", "2FFFS" + part + part + "#0000"}, {"A8", "FFF" + shared + zone + "R&E!B"},
		{"A6", "FFF" + shared + exported[:len(exported)-6] + "S"},
		{"CC", zone + zone + "12AD72F973446E84E70101850103093936"},
		{"G0", base + zone + "A05FFFF9876543210E00001AD72F973446E84E70101850103093936"},
		{"M2", "0100FFF" + base + "A05FFFF9876543210E0000100000000000000000008abcdefgh"},
		{"M0", "0011FFF" + data + "002030313233343536373839414243444546"},
		{"M6", "00130FFF" + code + "0008abcdefgh"},
		{"M8", "00130FFF" + code + "0008abcdefgh0000000000000000"}, {"", ""}, {"A4", "9FFFS"},
	} {
		f.Add(seed[0], []byte(seed[1]))
	}
	f.Fuzz(func(t *testing.T, command string, text []byte) {
		code, rest := s.do(command, text)
		if len(code) != 2 || !printable(code) {
			t.Errorf("%q: error code %q", command, code)
		}
		if code != done && rest != "" {
			t.Errorf("%q: error %s with fields", command, code)
		}
		if len(rest) > 65000 {
			t.Errorf("%q: %d bytes of answer", command, len(rest))
		}
	})
}
