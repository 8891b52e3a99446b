package process_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"cardswitch/conformance/load/process"
)

// TestMain is also the child: the test's own program, started again with a word.
func TestMain(m *testing.M) {
	if len(os.Args) < 2 || strings.HasPrefix(os.Args[1], "-") {
		os.Exit(m.Run())
	}
	n := 0
	switch os.Args[1] {
	case "count":
		process.Reply(os.Stdin, os.Stdout, 0, func() any { n++; return n })
	case "fail":
		os.Stderr.WriteString("no room\n")
		os.Exit(3)
	case "stuck":
		process.Reply(strings.NewReader(""), os.Stdout, os.Getpid(), nil)
		select {}
	}
}

func start(t *testing.T, word string) *process.Child {
	t.Helper()
	c, err := process.Start(t.Context(), word, os.Args[0], word)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Kill)
	return c
}

func TestChildAnswersAndEndsWithItsInput(t *testing.T) {
	c := start(t, "count")
	var n int
	if err := c.Read(&n); err != nil || n != 0 {
		t.Fatalf("hello %d, %v", n, err)
	}
	for want := 1; want <= 3; want++ {
		if err := c.Ask(&n); err != nil || n != want {
			t.Fatalf("asked, got %d, %v", n, err)
		}
	}
	if err := c.Stop(time.Minute); err != nil {
		t.Error(err)
	}
}

func TestFailureOfAChildIsTold(t *testing.T) {
	var n int
	err := start(t, "fail").Read(&n)
	if err == nil || !strings.Contains(err.Error(), "no room") {
		t.Errorf("error is %v", err)
	}
}

func TestKillEndsWhatIsStuck(t *testing.T) {
	c := start(t, "stuck")
	var pid int
	if err := c.Read(&pid); err != nil || pid != c.PID() {
		t.Fatalf("hello %d of %d, %v", pid, c.PID(), err)
	}
	c.Kill()
	if _, err := process.UsageOf(pid); err == nil {
		t.Error("it's still there")
	}
}

func TestUsageGrowsWithWork(t *testing.T) {
	before, err := process.UsageOf(os.Getpid())
	if err != nil {
		t.Skip("no /proc here:", err)
	}
	after := before
	for end := time.Now().Add(time.Minute); after.CPU == before.CPU && time.Now().Before(end); {
		if after, err = process.UsageOf(os.Getpid()); err != nil { // which is the work
			t.Fatal(err)
		}
	}
	if after.CPU <= before.CPU || after.CPU-before.CPU > time.Second || after.RSS < 1<<20 {
		t.Errorf("before %+v, after %+v", before, after)
	}
}
