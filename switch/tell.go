package cardswitch

import (
	"context"
	"fmt"
	"time"

	"cardswitch/switch/link"
)

// Tell does what an operator wants with one link of a center, or with all of them if linkName is
// empty. What is asked of the center itself is waited for, for the center's echo.wait: Tell then
// says for each connection what came back.
func (s *Switch) Tell(ctx context.Context, centerName, linkName string, act LinkAct) ([]Told,
	error) {
	c := s.network.Center(centerName)
	if c == nil {
		return nil, fmt.Errorf("no center is named %q; see `cardswitch link list`", centerName)
	}
	var lines []*link.Line
	var asked [][]link.Asked
	for _, line := range c.Lines() {
		if linkName != "" && line.Name() != linkName {
			continue
		}
		wish, ok := tell(line, act)
		if !ok {
			return nil, fmt.Errorf("%q is nothing that can be done with a link", act)
		}
		lines, asked = append(lines, line), append(asked, wish)
		s.note(fmt.Sprintf("operator: %s %s/%s", act, centerName, line.Name()))
	}
	if len(lines) == 0 {
		return nil, fmt.Errorf("center %s has no link %q; see `cardswitch link list`", centerName,
			linkName)
	}
	switch act {
	case LinkDrain, LinkResume, LinkForget, LinkCut:
		return nil, nil
	}
	// The links' own wait ends first, unless another question was in flight on one.
	ctx, cancel := context.WithTimeout(ctx, s.echoWait(c)+2*dutyTicks*tick)
	defer cancel()
	var told []Told
	for i, line := range lines {
		told = append(told, replies(ctx, line.Name(), asked[i])...)
	}
	return told, nil
}

func tell(line *link.Line, act LinkAct) ([]link.Asked, bool) {
	switch act {
	case LinkDrain:
		line.Drain()
	case LinkResume:
		line.Resume()
	case LinkForget:
		line.Forget()
	case LinkCut:
		line.Cut()
	case LinkSignOn:
		return line.Ask(link.SendSignOn), true
	case LinkSignOff:
		return line.Ask(link.SendSignOff), true
	case LinkEcho:
		return line.Ask(link.SendEcho), true
	default:
		return nil, false
	}
	return nil, true
}

// echoWait is how long a center may take to answer network management.
func (s *Switch) echoWait(c *link.Center) time.Duration {
	if seat, ok := s.tables.Load().seats[c.ID()]; ok {
		return seat.profile.config.Echo.Wait
	}
	return 0
}

// replies waits for what comes back on each connection of a link. One without any has nobody to
// answer.
func replies(ctx context.Context, name string, asked []link.Asked) []Told {
	if len(asked) == 0 {
		return []Told{{Link: name}}
	}
	var told []Told
	for i := range asked {
		reply, l := asked[i].Wait(ctx), asked[i].Link
		told = append(told, Told{Link: name, Connection: l.Number(), Remote: l.Remote(),
			Answered: reply.Answered, Accepted: reply.Accepted, US: reply.Took.Microseconds()})
	}
	return told
}
