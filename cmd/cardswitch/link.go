package main

import (
	"fmt"
	"net/url"
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
			"Finish what is in flight, take nothing new, sign off"),
		newLinkActCommand(cardswitch.LinkResume, "End a drain"),
		newLinkActCommand(cardswitch.LinkSignOn, "Sign on (1804/801)"),
		newLinkActCommand(cardswitch.LinkSignOff, "Sign off (1804/802)"),
		newLinkActCommand(cardswitch.LinkEcho, "Send an echo test (1804/831)"),
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
		"FAULTY", "FOR", "ADDRESS", "NOTE")
	now := time.Now()
	for i := range links {
		l := &links[i]
		name := l.Link
		if l.Best {
			name += "*"
		}
		t.row(l.Center, l.Role, name, l.State, l.Connections,
			fmt.Sprintf("%d/%d", l.InFlight, l.Window), l.FramesIn, l.FramesOut, l.Faulty,
			ago(now, l.Since), l.Address, linkNote(l))
	}
	return t.flush()
}

func linkNote(l *admin.LinkLine) string {
	var notes []string
	if l.Held {
		notes = append(notes, "drained by an operator")
	}
	if l.Sick {
		notes = append(notes, "sick")
	}
	if l.LastError != "" {
		notes = append(notes, l.LastError)
	}
	return strings.Join(notes, "; ")
}

func newLinkActCommand(what cardswitch.LinkAct, short string) *cobra.Command {
	return &cobra.Command{
		Use:               string(what) + " CENTER[/LINK]",
		Short:             short,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completeLinks,
		RunE: func(command *cobra.Command, args []string) error {
			center, line, _ := strings.Cut(args[0], "/")
			path := "/v1/links/" + url.PathEscape(center)
			if line != "" {
				path += "/" + url.PathEscape(line)
			}
			return act(command, path+"/"+string(what), nil)
		},
	}
}

// completeLinks asks the switch; without one there is nothing to offer.
func completeLinks(command *cobra.Command, _ []string, _ string) ([]string,
	cobra.ShellCompDirective) {
	c, err := newClient(command)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var links []admin.LinkLine
	if err := c.get(command.Context(), "/v1/links", nil, &links); err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []string
	for i := range links {
		names = append(names, links[i].Center+"/"+links[i].Link)
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
