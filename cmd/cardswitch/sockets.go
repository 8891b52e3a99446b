package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// sockets are what this process listens on. At a restart they stay open while it closes everything
// else, and the program that takes its place goes on with them: who connects meanwhile waits in the
// system's queue and is refused by nobody.
type sockets struct {
	mu    sync.Mutex
	keeps bool
	files map[string]*os.File // by address as configured: of the process before, or for the next one
}

// socketsEnv tells the next program which files are sockets: their numbers, by address, as JSON.
const socketsEnv = "CARDSWITCH_SOCKETS"

// inheritSockets takes what the process before has left. It comes before the configuration is read,
// which knows no such name.
func inheritSockets() (*sockets, error) {
	s := &sockets{files: make(map[string]*os.File)}
	text := os.Getenv(socketsEnv)
	if text == "" {
		return s, nil
	}
	var numbers map[string]int
	err := errors.Join(os.Unsetenv(socketsEnv), json.Unmarshal([]byte(text), &numbers))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", socketsEnv, err)
	}
	for address, fd := range numbers {
		if _, err := unix.FcntlInt(uintptr(fd), unix.F_SETFD, unix.FD_CLOEXEC); err != nil {
			return nil, fmt.Errorf("%s: %s: %w", socketsEnv, address, err)
		}
		s.files[address] = os.NewFile(uintptr(fd), address)
	}
	return s, nil
}

// listen is net.Listen for TCP, with what was left at this address.
func (s *sockets) listen(address string) (net.Listener, error) {
	s.mu.Lock()
	file := s.files[address]
	delete(s.files, address)
	s.mu.Unlock()
	var l net.Listener
	var err error
	if file == nil {
		l, err = net.Listen("tcp", address)
	} else {
		l, err = net.FileListener(file)
		err = errors.Join(err, file.Close())
	}
	if err != nil {
		return nil, err
	}
	return &socket{Listener: l, address: address, of: s}, nil
}

// only closes what was left at other addresses: nobody would ever take a connection there.
func (s *sockets) only(addresses map[string]bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for address, file := range s.files {
		if !addresses[address] {
			_ = file.Close()
			delete(s.files, address)
		}
	}
}

// keep leaves open what is closed from now on.
func (s *sockets) keep() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keeps = true
}

// socket is a listener that may outlive its Close.
type socket struct {
	net.Listener
	address string
	of      *sockets
}

// Close is net.Listener's.
func (l *socket) Close() error {
	var err error
	if tcp, ok := l.Listener.(*net.TCPListener); ok {
		err = l.of.spare(l.address, tcp)
	}
	return errors.Join(err, l.Listener.Close())
}

// spare keeps a socket open beside its listener, for the next program.
func (s *sockets) spare(address string, l *net.TCPListener) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.keeps || s.files[address] != nil {
		return nil
	}
	file, err := l.File()
	if err != nil {
		return err
	}
	s.files[address] = file
	return nil
}

// exec makes this process another program, which keeps its number and the sockets. It returns only
// if that fails.
func (s *sockets) exec(program string, args []string) error {
	numbers := make(map[string]int)
	for address, file := range s.files {
		if _, err := unix.FcntlInt(file.Fd(), unix.F_SETFD, 0); err != nil {
			return fmt.Errorf("hand %s over: %w", address, err)
		}
		numbers[address] = int(file.Fd())
	}
	text, err := json.Marshal(numbers)
	if err != nil {
		return err
	}
	// Until the program hears signals, a SIGHUP would end it.
	signal.Ignore(syscall.SIGHUP)
	environment := append(os.Environ(), socketsEnv+"="+string(text))
	return fmt.Errorf("start %s: %w", program, syscall.Exec(program, args, environment))
}
