package payshield

import (
	"bufio"
	"io"
	"net"
	"sync"
	"time"
)

// line is one connection of a host.
type line struct {
	simulator *Simulator
	conn      net.Conn

	mu    sync.Mutex // around writing
	stuck bool       // half an answer was sent: nothing may follow
}

// serve reads commands until the connection ends. Each is worked on by itself.
func (l *line) serve() {
	s := l.simulator
	var working sync.WaitGroup
	defer func() {
		l.conn.Close()
		working.Wait()
		s.mu.Lock()
		delete(s.lines, l)
		s.mu.Unlock()
	}()
	from := bufio.NewReader(l.conn)
	for {
		message, err := readMessage(from)
		if err != nil {
			return
		}
		if len(message) < s.options.Header+2 {
			s.count("??", "too short")
			return
		}
		select {
		case s.threads <- struct{}{}:
		case <-s.stop:
			return
		}
		working.Go(func() {
			defer func() { <-s.threads }()
			l.work(message)
		})
	}
}

func readMessage(from io.Reader) ([]byte, error) {
	var length [2]byte
	if _, err := io.ReadFull(from, length[:]); err != nil {
		return nil, err
	}
	message := make([]byte, int(length[0])<<8|int(length[1]))
	_, err := io.ReadFull(from, message)
	return message, err
}

// frame puts the length before a message.
func frame(message string) string {
	return string([]byte{byte(len(message) >> 8), byte(len(message))}) + message
}

// work does one command and answers, as well as the faults let it.
func (l *line) work(message []byte) {
	s := l.simulator
	at := s.options.Header
	header, command := string(message[:at]), string(message[at:at+2])
	code, rest := s.do(command, message[at+2:])
	wait, fault := s.draw(command)
	if wait > 0 {
		select {
		case <-time.After(wait):
		case <-s.stop:
			return
		}
	}
	if fault.Do == Refuse {
		code, rest = fault.Code, ""
	}
	if fault.Do == Only || fault.Do == Refuse {
		s.count(command, code)
	} else {
		s.count(command, string(fault.Do))
	}
	answer := next(command)
	switch fault.Do {
	case Silent:
	case WrongHeader:
		l.write(frame(string(s.garbage(at))+answer+code+rest), fault)
	case WrongCommand:
		l.write(frame(header+"ZZ"+code+rest), fault)
	case Garbage:
		l.write(frame(string(s.garbage(40))), fault)
	case Twice:
		l.write(frame(header+answer+code+rest)+frame(header+answer+code+rest), fault)
	default:
		l.write(frame(header+answer+code+rest), fault)
	}
}

// next is the code of a command's answer.
func next(command string) string { return command[:1] + string([]byte{command[1] + 1}) }

func (l *line) write(text string, fault Fault) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stuck {
		return
	}
	if fault.Do == Cut || fault.Do == Half {
		text = text[:min(fault.Bytes, len(text))]
		l.stuck = true
	}
	_, err := io.WriteString(l.conn, text)
	if err != nil || fault.Do == Cut {
		l.conn.Close()
	}
}
