package world

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// chunk is how many seeds one process plays.
const chunk = 50

// campaign is many seeds in several processes.
type campaign struct {
	binary string
	began  time.Time

	mu      sync.Mutex
	next    uint64 // seed
	left    uint64
	timed   bool
	several bool // the next chunk's worlds are of several nodes
	played  int
	failed  map[world]string // with the first promise that it broke
	first   string           // all that the first one printed
}

// world is a seed, and whether its switch is a cluster.
type world struct {
	seed    uint64
	several bool
}

func (w world) String() string {
	if w.several {
		return fmt.Sprint(w.seed, " of several nodes")
	}
	return fmt.Sprint(w.seed)
}

// Many seeds, -jobs processes side by side: -seeds of them, or as many as fit. Chunk by chunk they
// are worlds of one node and of several, unless -several asks for these only.
func TestMany(t *testing.T) {
	if !*given.many {
		t.Skip("ask for it with -many")
	}
	c := &campaign{binary: os.Args[0], began: time.Now(), next: *given.first, left: *given.seeds,
		timed: *given.seeds == 0, failed: map[world]string{}, several: *given.several}
	if c.next == 0 {
		c.next = uint64(time.Now().Unix())
	}
	from := c.next
	done := make(chan struct{})
	go c.tell(done)
	var workers sync.WaitGroup
	for range *given.jobs {
		workers.Go(c.work)
	}
	workers.Wait()
	close(done)
	fmt.Printf("world: %d seeds from %d in %v, %d failed\n", c.played, from,
		time.Since(c.began).Round(time.Second), len(c.failed))
	for w, why := range c.failed {
		t.Errorf("seed %s: %s", w, why)
	}
	if len(c.failed) > 0 {
		t.Log(c.first)
	}
}

// tell says now and then how far it is.
func (c *campaign) tell(done chan struct{}) {
	for {
		select {
		case <-done:
			return
		case <-time.After(10 * time.Second):
		}
		c.mu.Lock()
		fmt.Printf("world: %d seeds, %d failed, %.1f a second\n", c.played, len(c.failed),
			float64(c.played)/time.Since(c.began).Seconds())
		c.mu.Unlock()
	}
}

// work plays chunks of seeds until there are no more.
func (c *campaign) work() {
	for {
		c.mu.Lock()
		n := uint64(chunk)
		if c.timed && time.Since(c.began) > *given.time || !c.timed && c.left == 0 {
			c.mu.Unlock()
			return
		}
		if !c.timed {
			n = min(n, c.left)
			c.left -= n
		}
		from, several := c.next, c.several
		c.next += n
		c.several = !several || *given.several
		c.mu.Unlock()
		for n > 0 {
			ran := c.play(from, n, several)
			from, n = from+ran, n-ran
		}
	}
}

// play plays so many seeds in a process of their own, and says how many it has: fewer if the
// process died of the last one.
func (c *campaign) play(from, count uint64, several bool) (ran uint64) {
	out, err := exec.Command(c.binary, "-test.run=^TestFresh$", "-test.v", "-test.timeout=10m",
		"-first", fmt.Sprint(from), "-count", fmt.Sprint(count),
		fmt.Sprint("-several=", several)).CombinedOutput()
	text := string(out)
	failed := failures(text)
	ran = uint64(len(regexp.MustCompile(`(?m)^    --- (PASS|FAIL): TestFresh/`).
		FindAllString(text, -1)))
	if err != nil && len(failed) == 0 || ran < count {
		seed := lastBegun(text, from)
		failed = map[uint64]string{seed: "the process died: " + lineWith(text, "panic")}
		ran = seed - from + 1
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.played += int(ran)
	for seed, why := range failed {
		w := world{seed, several}
		if c.failed[w] = why; c.first == "" {
			c.first = text
		}
		fmt.Printf("world: seed %s FAILED: %s\n", w, why)
	}
	return ran
}

// failures finds the seeds that failed, and what each broke first.
func failures(text string) map[uint64]string {
	found := map[uint64]string{}
	for _, m := range regexp.MustCompile(`seed (\d+) broke a promise`).
		FindAllStringSubmatchIndex(text, -1) {
		seed, _ := strconv.ParseUint(text[m[2]:m[3]], 10, 64)
		_, why, _ := strings.Cut(lineWith(text[m[0]:], "VIOLATION"), "VIOLATION ")
		found[seed] = why
	}
	return found
}

// lastBegun is the seed that was being played last.
func lastBegun(text string, from uint64) uint64 {
	all := regexp.MustCompile(`(?m)^=== RUN +TestFresh/(\d+)`).FindAllStringSubmatch(text, -1)
	if len(all) == 0 {
		return from
	}
	seed, _ := strconv.ParseUint(all[len(all)-1][1], 10, 64)
	return seed
}

// lineWith gives the first line in which the word stands.
func lineWith(text, word string) string {
	for line := range strings.Lines(text) {
		if strings.Contains(line, word) {
			return strings.TrimSpace(line)
		}
	}
	return ""
}
