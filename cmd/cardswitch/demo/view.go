package demo

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"charm.land/lipgloss/v2"

	"cardswitch/conformance/count"
	"cardswitch/switch/admin"
)

var (
	bold   = lipgloss.NewStyle().Bold(true)
	faint  = lipgloss.NewStyle().Faint(true)
	green  = lipgloss.NewStyle().Foreground(lipgloss.Color("2"))
	yellow = lipgloss.NewStyle().Foreground(lipgloss.Color("3"))
	red    = lipgloss.NewStyle().Foreground(lipgloss.Color("1"))
	blue   = lipgloss.NewStyle().Foreground(lipgloss.Color("4")).Bold(true)
)

// View draws the snapshot in at most height lines of at most width columns. Where there is little
// room, the air between the parts goes first, then two of the three lines about the money.
func View(s *Snapshot, width, height int) string {
	bottom := append(viewEvents(s), viewFoot(s)...)
	parts := [][]string{viewHead(s), viewTraffic(s, width), viewLinks(s), viewQueues(s), viewMoney(s)}
	lines := joined(parts, "\n")
	if height-len(lines)-len(bottom) < lastWanted {
		parts[4] = viewMoneyShort(s)
		lines = joined(parts, "")
	}
	lines = append(lines, viewLast(s, width, height-len(lines)-len(bottom))...)
	for len(lines) < height-len(bottom) {
		lines = append(lines, "")
	}
	lines = append(lines, bottom...)
	clip := lipgloss.NewStyle().MaxWidth(width)
	for i := range lines {
		lines[i] = clip.Render(lines[i])
	}
	return strings.Join(lines[:min(len(lines), height)], "\n")
}

// lastWanted is how many lines of transactions a comfortable picture has.
const lastWanted = 8

// joined puts the parts one after the other, a blank line after each if air is given.
func joined(parts [][]string, air string) []string {
	var lines []string
	for _, part := range parts {
		lines = append(lines, part...)
		if air != "" {
			lines = append(lines, "")
		}
	}
	return lines
}

func viewHead(s *Snapshot) []string {
	state := green.Render(s.Status.State)
	if s.Status.State != "serving" {
		state = red.Render(s.Status.State + " " + s.Status.Reason)
	}
	if s.Ending != "" {
		state = yellow.Render(s.Ending)
	}
	return []string{fmt.Sprintf("%s  node %s  %s  %s", blue.Render("cardswitch demo"),
		s.Status.Node, state, clock(s.Elapsed))}
}

func viewTraffic(s *Snapshot, width int) []string {
	c, l := &s.Status.Counts, &s.Status.Latency
	share := func(n uint64) string {
		return fmt.Sprintf("%d (%.1f%%)", n, 100*float64(n)/float64(max(c.Requests, 1)))
	}
	return []string{
		fmt.Sprintf("%s %6.1f/s %s", bold.Render("requests"), s.Rate,
			green.Render(spark(s.Rates, min(ratesKept, width-22)))),
		fmt.Sprintf("approved %s  declined %s  refused %d  %s  late %d  reversed %d",
			share(c.Approved), share(c.Declined), c.Refused,
			alarm(c.TimedOut > 0, fmt.Sprintf("timed out %d", c.TimedOut)), c.Late, c.Reversals),
		fmt.Sprintf("latency  p50 %s  p99 %s  p99.9 %s  max %s   journal commit %s",
			micros(l.P50), micros(l.P99), micros(l.P999), micros(l.Max),
			micros(s.Status.Journal.CommitUS)),
	}
}

func viewLinks(s *Snapshot) []string {
	lines := []string{bold.Render(fmt.Sprintf("%-16s %-9s %-10s %5s %7s %8s  %s", "center", "link",
		"state", "conn", "flight", "msg/s", "protected by"))}
	for i := range s.Links {
		l := &s.Links[i]
		name := l.Link
		if l.Best && l.Role == "issuer" {
			name += " *"
		}
		state := fmt.Sprintf("%-10s", l.State)
		switch {
		case l.State == "down":
			state = red.Render(state)
		case l.Sick || l.Held || l.State == "draining":
			state = yellow.Render(state)
		case l.State == "signed-on":
			state = green.Render(state)
		}
		lines = append(lines, fmt.Sprintf("%-16s %-9s %s %5d %7d %8.1f  %s", l.Center, name, state,
			l.Connections, l.InFlight, s.Flow[linkKey(l)], protectedBy(l)))
	}
	return lines
}

// protectedBy is the envelope of a link's first connection, or what else protects it.
func protectedBy(l *admin.LinkLine) string {
	if len(l.Envelope) > 0 {
		return l.Envelope[0]
	}
	return l.Protection
}

func viewQueues(s *Snapshot) []string {
	var parts []string
	for _, q := range s.Queues {
		parts = append(parts, alarm(q.Depth > 50, fmt.Sprintf("%s %d", q.Center, q.Depth)))
	}
	line := fmt.Sprintf("%s  %s   work list %d", bold.Render("to deliver"),
		strings.Join(parts, "  "), s.Status.Shelved)
	if len(s.Status.StandIn) > 0 {
		line += yellow.Render("   stand-in for " + strings.Join(s.Status.StandIn, " "))
	}
	return []string{line}
}

func viewMoney(s *Snapshot) []string {
	if s.Money == nil {
		return []string{bold.Render("money") + "  not counted yet"}
	}
	side := func(name string, sum *count.Sum) string {
		return fmt.Sprintf("%-9s %7d sales %14s   %5d returns %12s", name, sum.Sales,
			yen(sum.SalesAmount), sum.Returns, yen(sum.ReturnsAmount))
	}
	return []string{
		bold.Render("money") + faint.Render("  while messages are under way, the sides may differ"),
		side("receipts", &s.Money.Receipts),
		side("journal", &s.Money.Switch),
		side("issuers", &s.Money.Issuers),
	}
}

func viewMoneyShort(s *Snapshot) []string {
	if s.Money == nil {
		return viewMoney(s)
	}
	return []string{fmt.Sprintf("%s  receipts %s  journal %s  issuers %s", bold.Render("money"),
		yen(s.Money.Receipts.SalesAmount), yen(s.Money.Switch.SalesAmount),
		yen(s.Money.Issuers.SalesAmount))}
}

// viewLast shows the newest transactions, in fewer columns where the window is narrow.
func viewLast(s *Snapshot, width, room int) []string {
	if room < 2 {
		return nil
	}
	narrow := width < 110
	head := columns(narrow, "record", "time", "mti", "from", "to", "card", "amount", "act", "took",
		"why")
	lines := []string{bold.Render(head)}
	last := s.Last[max(0, len(s.Last)-(room-1)):]
	for i := len(last) - 1; i >= 0; i-- {
		lines = append(lines, viewLine(&last[i], narrow))
	}
	return lines
}

func columns(narrow bool, record any, when, mti, from, to, card, amount, act, took,
	why string) string {
	if narrow {
		return fmt.Sprintf("%-8s %-13s %-16s %10s %-3s %8s  %s", when, to, card, amount, act, took,
			why)
	}
	return fmt.Sprintf("%-8v %-8s %-4s %-10s %-14s %-19s %11s %-3s %8s  %s", record, when, mti, from,
		to, card, amount, act, took, why)
}

func viewLine(l *admin.Line, narrow bool) string {
	took, amount := "", ""
	if l.US > 0 {
		took = micros(l.US)
	}
	if l.Amount > 0 {
		amount = yen(int64(l.Amount))
	}
	text := columns(narrow, l.Seq, l.At.Format("15:04:05"), l.MTI, l.Center, l.Dest, l.PAN, amount,
		l.Action, took, l.ReasonText)
	if l.Action >= "900" && l.Reason > 99 {
		return red.Render(text)
	}
	if l.Action >= "100" && l.Action < "400" {
		return yellow.Render(text)
	}
	return text
}

func viewEvents(s *Snapshot) []string {
	var lines []string
	for _, e := range s.Events[max(0, len(s.Events)-3):] {
		lines = append(lines, yellow.Render(clock(e.At)+"  "+e.Text))
	}
	return lines
}

func viewFoot(s *Snapshot) []string {
	hint := "q ends.  elsewhere: cardswitch journal tail -f --socket " + s.Socket
	return []string{faint.Render(hint)}
}

func alarm(on bool, text string) string {
	if on {
		return yellow.Render(text)
	}
	return text
}

// spark draws the newest values that fit, the highest as a full block.
func spark(values []float64, width int) string {
	values = values[max(0, len(values)-max(width, 0)):]
	highest := 1.0
	for _, v := range values {
		highest = max(highest, v)
	}
	blocks := []rune("▁▂▃▄▅▆▇█")
	var b strings.Builder
	for _, v := range values {
		b.WriteRune(blocks[min(len(blocks)-1, int(v/highest*float64(len(blocks))))])
	}
	return b.String()
}

func clock(d time.Duration) string {
	seconds := int(d.Seconds())
	return fmt.Sprintf("%02d:%02d", seconds/60, seconds%60)
}

func micros(us int64) string {
	switch {
	case us < 1000:
		return fmt.Sprintf("%dµs", us)
	case us < 100_000:
		return fmt.Sprintf("%.1fms", float64(us)/1000)
	}
	return fmt.Sprintf("%dms", us/1000)
}

// yen writes an amount as people in Japan do, in groups of three.
func yen(amount int64) string {
	digits := strconv.FormatInt(amount, 10)
	for at := len(digits) - 3; at > 0 && digits[at-1] != '-'; at -= 3 {
		digits = digits[:at] + "," + digits[at:]
	}
	return "¥" + digits
}
