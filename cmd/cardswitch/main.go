// Command cardswitch is an ISO 8583:1993 switch between the centers of merchants
// and card issuers, and the operators' tool for it.
//
// One file a command. Results go to standard output, everything else to standard
// error, so that a script may read the one and a person the other.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	_ "time/tzdata" // a container has no zone files, and DE 12 is local time

	"cardswitch/store"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt,
		syscall.SIGTERM)
	// After the first Ctrl-C the next one kills, whatever a command is doing.
	go func() { <-ctx.Done(); stop() }()
	os.Exit(Run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// Run is the whole program: a test calls it as main does. It returns the exit code.
func Run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	root := newRootCommand()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	began := startedRunning(root)
	command, err := root.ExecuteContextC(ctx)
	// Whoever reads our output has seen enough: `journal tail | head`.
	if err == nil || errors.Is(err, syscall.EPIPE) {
		return exitOK
	}
	var f *failure
	if !errors.As(err, &f) {
		f = &failure{Code: exitFailed, What: err}
		var s *store.Error // its hint on a line of its own, if it ends the text
		if errors.As(err, &s) && strings.HasSuffix(err.Error(), "; "+s.Hint) {
			f.What = errors.New(strings.TrimSuffix(err.Error(), "; "+s.Hint))
			f.Hint = s.Hint
		}
		// What fails before a command runs is a matter of how it was called.
		if !*began {
			f = &failure{Code: exitUsage, What: err, Hint: "see `" + command.CommandPath() + " --help`"}
		}
	}
	if f.What != nil {
		fmt.Fprintln(stderr, "cardswitch:", once(f.What.Error()))
	}
	if f.Hint != "" {
		fmt.Fprintln(stderr, "hint:", f.Hint)
	}
	return f.Code
}

// once leaves out lines that are there already: what fails may be told by all who had part in it.
func once(text string) string {
	var lines []string
	for line := range strings.SplitSeq(text, "\n") {
		if !slices.Contains(lines, line) {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\n")
}
