// Package process runs the parts of a load or crash test as processes of their own and watches
// them.
//
// A part speaks JSON lines on its standard output, answers an empty line on its standard input with
// a report, and ends when that input ends: so nothing stays behind when the test is killed.
package process

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Child is one running part.
type Child struct {
	name   string
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	pipe   *os.File
	stdout *bufio.Reader
	stderr tail
	ended  chan struct{}
	err    error // how it ended, once ended is closed
}

// Start runs the program. The child is killed when the context ends.
func Start(ctx context.Context, name, program string, args ...string) (*Child, error) {
	cmd := exec.CommandContext(ctx, program, args...)
	c := &Child{name: name, cmd: cmd, ended: make(chan struct{})}
	c.cmd.Stderr = &c.stderr
	// A group of its own: Ctrl-C on the terminal is for the test, which ends its parts in their order.
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	var err error
	if c.stdin, err = c.cmd.StdinPipe(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	// A pipe of our own: with exec's StdoutPipe, Wait would close what is still being read.
	read, write, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	c.cmd.Stdout = write
	c.pipe, c.stdout = read, bufio.NewReader(read)
	if err := c.cmd.Start(); err != nil {
		read.Close()
		write.Close()
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	write.Close()
	go func() {
		c.err = c.cmd.Wait()
		close(c.ended)
	}()
	return c, nil
}

// PID is the child's process id.
func (c *Child) PID() int { return c.cmd.Process.Pid }

// Read waits for the child's next line.
func (c *Child) Read(into any) error {
	line, err := c.stdout.ReadBytes('\n')
	if err != nil {
		<-c.ended
		return fmt.Errorf("%s ended early: %w", c.name, c.failure())
	}
	if err := json.Unmarshal(line, into); err != nil {
		return fmt.Errorf("%s: %w", c.name, err)
	}
	return nil
}

// Ask sends an empty line and waits for the line that answers it.
func (c *Child) Ask(into any) error {
	if _, err := c.stdin.Write([]byte("\n")); err != nil {
		return fmt.Errorf("ask %s: %w", c.name, err)
	}
	return c.Read(into)
}

// Signal sends the child a signal, as SIGSTOP and SIGCONT.
func (c *Child) Signal(s syscall.Signal) error { return c.cmd.Process.Signal(s) }

// Tell writes a line to the child's standard input.
func (c *Child) Tell(line string) error {
	_, err := io.WriteString(c.stdin, line+"\n")
	return err
}

// Mute reads what the child writes, for nobody: else it would stand still when the pipe is full.
func (c *Child) Mute() { go io.Copy(io.Discard, c.stdout) }

// Ended is closed when the child is gone.
func (c *Child) Ended() <-chan struct{} { return c.ended }

// Kill ends the child as a power cut would.
func (c *Child) Kill() {
	c.cmd.Process.Kill()
	<-c.ended
	c.pipe.Close()
}

// Stop asks the child to end, by the end of its input and SIGTERM, and kills it if it doesn't.
func (c *Child) Stop(within time.Duration) error {
	c.stdin.Close()
	c.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-c.ended:
		return c.pipe.Close()
	case <-time.After(within):
		c.Kill()
		return fmt.Errorf("%s didn't end within %s and was killed", c.name, within)
	}
}

// failure is how the child ended, with the last it wrote to standard error.
func (c *Child) failure() error {
	words := c.stderr.String()
	if c.err == nil {
		return fmt.Errorf("without an error %s", words)
	}
	return fmt.Errorf("%w %s", c.err, words)
}

// Words is the end of what the child wrote to standard error.
func (c *Child) Words() string { return c.stderr.String() }

// tail keeps the end of a stream.
type tail struct {
	mu   sync.Mutex
	kept []byte
}

const tailSize = 8 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kept = append(t.kept, p...)
	if over := len(t.kept) - tailSize; over > 0 {
		t.kept = append(t.kept[:0], t.kept[over:]...)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(string(bytes.ToValidUTF8(t.kept, nil)))
}

// Reply is the other side: it writes the hello, answers each line of in with a report, and returns
// when in ends.
func Reply(in io.Reader, out io.Writer, hello any, report func() any) error {
	encoder := json.NewEncoder(out)
	if err := encoder.Encode(hello); err != nil {
		return err
	}
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		if err := encoder.Encode(report()); err != nil {
			return err
		}
	}
	return lines.Err()
}
