package main

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	cardswitch "cardswitch/switch"
	"cardswitch/switch/admin"
)

func newLinkCommand() *cobra.Command {
	return group("link", "See and steer the links with centers",
		newLinkListCommand(),
		newLinkActCommand(cardswitch.LinkDrain,
			"Finish what is in flight, take nothing new, sign off", ""),
		newLinkActCommand(cardswitch.LinkResume, "End a drain", ""),
		newLinkActCommand(cardswitch.LinkForget, "Take any term of the center's cluster again",
			"A center in an envelope that is a cluster says its term, the number of the election of its\n"+
				"active node. A lower one than before is refused: that node was replaced. Use this if the\n"+
				"center's people say that their terms began anew, as when it was set up with nothing left.\n"+
				"The node forgets by itself when it begins to be the active one."),
		newLinkActCommand(cardswitch.LinkSignOn, "Sign on (1804/801)", waits),
		newLinkActCommand(cardswitch.LinkSignOff, "Sign off (1804/802)", waits),
		newLinkActCommand(cardswitch.LinkEcho, "Send an echo test (1804/831)", waits),
	)
}

func newLinkListCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "Show all links, the one in use marked with *",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			return show(command, "/v1/links", nil, printLinks)
		},
	}
}

func printLinks(command *cobra.Command, links []admin.LinkLine) error {
	t := newTable(command, "CENTER", "ROLE", "LINK", "STATE", "CONN", "FLIGHT", "IN", "OUT",
		"FAULTY", "FOR", "ADDRESS", "PROTECTED BY", "NOTE")
	now := time.Now()
	for i := range links {
		l := &links[i]
		name := l.Link
		if l.Best {
			name += "*"
		}
		t.row(l.Center, l.Role, name, l.State, l.Connections,
			fmt.Sprintf("%d/%d", l.InFlight, l.Window), l.FramesIn, l.FramesOut, l.Faulty,
			ago(now, l.Since), l.Address, protection(l), linkNote(l))
	}
	return t.flush()
}

// protection says how messages travel, and of an envelope how far its keys are on the first
// connection.
func protection(l *admin.LinkLine) string {
	if len(l.Envelope) == 0 {
		return l.Protection
	}
	return l.Protection + ": " + l.Envelope[0]
}

func linkNote(l *admin.LinkLine) string {
	var notes []string
	if l.Held {
		notes = append(notes, "drained by an operator")
	}
	if l.Sick {
		notes = append(notes, "sick")
	}
	if l.LastError != "" && l.State != "signed-on" {
		notes = append(notes, shortCause(l.LastError))
	}
	return strings.Join(notes, "; ")
}

// waits is said of the acts that ask the center something.
const waits = "Asks on every connection, waits for the center's echo.wait, and says what\n" +
	"came back and how soon. Exits with 3 if one wasn't answered and accepted."

func newLinkActCommand(what cardswitch.LinkAct, short, long string) *cobra.Command {
	return &cobra.Command{
		Use:               string(what) + " CENTER[/LINK]",
		Short:             short,
		Long:              long,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completeLinks(),
		RunE: func(command *cobra.Command, args []string) error {
			center, line, _ := strings.Cut(args[0], "/")
			path := "/v1/links/" + url.PathEscape(center)
			if line != "" {
				path += "/" + url.PathEscape(line)
			}
			return actOnLink(command, path+"/"+string(what))
		},
	}
}

func actOnLink(command *cobra.Command, path string) error {
	c, err := newClient(command)
	if err != nil {
		return err
	}
	var done admin.LinkDone
	if err := c.post(command.Context(), path, nil, &done); err != nil {
		return err
	}
	switch {
	case wantsJSON(command):
		err = printJSON(command, done)
	case len(done.Connections) == 0:
		_, err = fmt.Fprintln(command.OutOrStdout(), done.Done.Done)
	default:
		err = printTold(command, done.Connections)
	}
	if err != nil {
		return err
	}
	for i := range done.Connections {
		if t := &done.Connections[i]; !t.Accepted {
			return &failure{Code: exitUnhealthy, What: errors.New(t.Link + ": " + toldText(t)),
				Hint: "see `cardswitch link list` and `cardswitch journal tail --mti 18`"}
		}
	}
	return nil
}

func printTold(command *cobra.Command, told []cardswitch.Told) error {
	t := newTable(command, "LINK", "CONNECTION", "REMOTE", "ANSWER", "TOOK")
	for i := range told {
		connection, took := "", ""
		if told[i].Connection != 0 {
			connection = strconv.FormatUint(told[i].Connection, 10)
		}
		if told[i].Answered {
			took = micros(told[i].US)
		}
		t.row(told[i].Link, connection, told[i].Remote, toldText(&told[i]), took)
	}
	return t.flush()
}

func toldText(t *cardswitch.Told) string {
	switch {
	case t.Accepted:
		return "accepted"
	case t.Answered:
		return "refused"
	case t.Connection != 0:
		return "no answer"
	}
	return "not connected"
}
