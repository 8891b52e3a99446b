package envelope

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// python finds an interpreter with the package that the example needs.
func python(t *testing.T) string {
	t.Helper()
	var why []string
	for _, name := range []string{"python3", "/usr/bin/python3"} {
		path, err := exec.LookPath(name)
		if err != nil {
			why = append(why, err.Error())
			continue
		}
		out, err := exec.Command(path, "-c", "import cryptography").CombinedOutput()
		if err == nil {
			return path
		}
		lines := strings.Split(strings.TrimSpace(string(out)), "\n")
		why = append(why, path+": "+lines[len(lines)-1])
	}
	t.Skipf("the example in Python is not tried, there is no interpreter with the package "+
		"cryptography (Debian: python3-cryptography): %s", strings.Join(why, "; "))
	return ""
}

// The vectors by other code, which was written from SPEC.md and shares nothing with this.
func TestPythonChecksTheVectors(t *testing.T) {
	out, err := exec.Command(python(t), "-B", "example/vectors.py", "testdata/vectors.json").
		CombinedOutput()
	if err != nil || !strings.HasSuffix(string(out), "all right\n") {
		t.Errorf("%v:\n%s", err, out)
	}
}

// The example client against a server here, over loopback, with changes of epoch and generation
// both ways.
func TestPythonClient(t *testing.T) {
	interpreter := python(t)
	for name, c := range map[string]struct {
		p     Policy
		extra []string
	}{
		"plain":           {Policy{EpochFrames: 10}, nil},
		"padded by us":    {Policy{Padding: true}, nil},
		"padded by both":  {Policy{Padding: true}, []string{"--pad"}},
		"padded by them":  {Policy{}, []string{"--pad", "--epoch-frames", "7"}},
		"we could do all": {Policy{Suites: []Suite{GCM, TDES}, Share: ShareOffered}, nil},
		"we say a term":   {Policy{Terms: new(Terms), Term: 12}, []string{"--terms", "11"}},
		"of none":         {Policy{Terms: new(Terms)}, []string{"--terms", "11"}},
		"not asked":       {Policy{Terms: new(Terms), Term: 12}, nil},
		"we know no term": {Policy{}, []string{"--terms", "11"}},
	} {
		t.Run(name, func(t *testing.T) {
			const count = 100
			address, served := serve(t, c.p, count)
			keys := map[string]string{}
			for g := uint16(7); g <= 9; g++ {
				keys[strconv.Itoa(int(g))] = hex.EncodeToString(linkKey(g))
			}
			out, err := client(interpreter, address, count, keys, c.extra)
			if fault := <-served; fault != nil || err != nil {
				t.Fatalf("%v; %v:\n%s", fault, err, out)
			}
			if want := fmt.Sprintf("%d answered, at 9/", count); !strings.HasPrefix(out, want) {
				t.Errorf("the client says %q", out)
			}
			if strings.Contains(out, ", term 12") != (name == "we say a term") {
				t.Errorf("of the term the client says %q", out)
			}
		})
	}
}

func TestPythonClientRefusesAnOldTerm(t *testing.T) {
	interpreter := python(t)
	address, served := serve(t, Policy{Terms: new(Terms), Term: 12}, 1)
	keys := map[string]string{"7": hex.EncodeToString(linkKey(7))}
	out, err := client(interpreter, address, 1, keys, []string{"--terms", "13"})
	if err == nil || !strings.Contains(out, "Refused: old term: 12 after 13") {
		t.Errorf("the client says %v, %q", err, out)
	}
	if fault := <-served; fault == nil {
		t.Error("the server was content")
	}
}

func TestPythonClientWithAWrongKey(t *testing.T) {
	interpreter := python(t)
	for want, keys := range map[string]map[string]string{
		"tag":   {"7": hex.EncodeToString(linkKey(9))},
		"alert": {"6": hex.EncodeToString(linkKey(6))},
	} {
		address, served := serve(t, Policy{}, 1)
		out, err := client(interpreter, address, 1, keys, nil)
		if err == nil || !strings.Contains(out, "Refused: "+want) {
			t.Errorf("the client says %v, %q", err, out)
		}
		if fault := <-served; fault == nil {
			t.Error("the server was content")
		}
	}
}

func client(interpreter, address string, count int, keys map[string]string, extra []string) (
	string, error,
) {
	host, port, _ := net.SplitHostPort(address)
	first := slices.Min(slices.Collect(func(yield func(string) bool) {
		for g := range keys {
			if !yield(g) {
				return
			}
		}
	}))
	args := []string{"-B", "example/client.py", host, port, testLink, first, strconv.Itoa(count)}
	cmd := exec.Command(interpreter, append(args, extra...)...)
	in, err := json.Marshal(keys)
	if err != nil {
		return "", err
	}
	cmd.Stdin = strings.NewReader(string(in))
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// serve takes one connection and answers each message with its mirror image.
func serve(t *testing.T, p Policy, count int) (address string, served <-chan error) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	done := make(chan error, 1)
	go func() {
		defer listener.Close()
		conn, err := listener.Accept()
		if err != nil {
			done <- err
			return
		}
		defer conn.Close()
		conn.SetDeadline(time.Now().Add(20 * time.Second))
		done <- answer(conn, p, count)
	}()
	return listener.Addr().String(), done
}

func answer(conn net.Conn, p Policy, count int) error {
	in := bufio.NewReader(conn)
	h := NewAcceptor(ring(p, 7))
	for h.Session() == nil {
		frame, err := readFrame(in)
		if err != nil {
			return err
		}
		out, err := h.Receive(frame)
		if err := writeFrames(conn, out); err != nil {
			return err
		}
		if err != nil {
			return err
		}
	}
	s := h.Session()
	defer s.End()
	for n := 0; ; n++ {
		if n == count/3 || n == 2*count/3 {
			g := uint16(8 + 2*n/count)
			if err := errors.Join(s.Install(g, prfOf(g)), s.Switch(g)); err != nil {
				return err
			}
		}
		frame, err := readFrame(in)
		if err != nil {
			return err
		}
		message, err := s.Opener().Open(frame)
		if err == io.EOF {
			last, err := s.Sealer().Close(nil)
			return errors.Join(err, writeFrames(conn, [][]byte{last}))
		}
		if err != nil {
			return err
		}
		slices.Reverse(message)
		out, err := s.Sealer().Seal(nil, message)
		if err := errors.Join(err, writeFrames(conn, [][]byte{out})); err != nil {
			return err
		}
	}
}

func readFrame(in *bufio.Reader) ([]byte, error) {
	var length [2]byte
	if _, err := io.ReadFull(in, length[:]); err != nil {
		return nil, err
	}
	frame := make([]byte, binary.BigEndian.Uint16(length[:]))
	_, err := io.ReadFull(in, frame)
	return frame, err
}

func writeFrames(conn net.Conn, frames [][]byte) error {
	var out []byte
	for _, frame := range frames {
		out = binary.BigEndian.AppendUint16(out, uint16(len(frame)))
		out = append(out, frame...)
	}
	_, err := conn.Write(out)
	return err
}
