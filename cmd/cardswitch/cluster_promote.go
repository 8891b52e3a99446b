package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"cardswitch/switch/admin"
)

func newClusterPromoteCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "promote [--why TEXT [--force] | --consent [--force] | --cancel]",
		Short: "Let a disaster-recovery site take over alone: two people, the other site lost",
		Long: "Asked of a node at another site (a learner), of a data node that is left without a\n" +
			"majority, or of one whose journal was brought back from a backup. Without a flag it only\n" +
			"shows how things stand: who can be reached, how far the journal goes here, and what of\n" +
			"the others' may be missing, the window.\n\n" +
			"Before: the operator makes sure that the lost site is dead, by power or by network. No\n" +
			"program can know that: a site that is only cut off goes on serving.\n\n" +
			"One person asks with --why. Another one, with another login, consents with --consent\n" +
			"within ten minutes. It is refused while a node that votes can be reached, be it only a\n" +
			"witness of the lost site, unless both say --force. The node then begins a new generation,\n" +
			"the second of its promotion, as the only member, answers and reverses what was open, and\n" +
			"serves. Nodes of older generations are refused when they come back, and stop for good as\n" +
			"soon as they hear of it. What the lost site had more is found with\n" +
			"`cardswitch cluster window`.",
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error { return promoteSite(command) },
	}
	flags := command.Flags()
	flags.String("why", "", "ask for it: the reason, kept in the audit log")
	flags.Bool("force", false, "though nodes that vote can be reached")
	flags.Bool("consent", false, "agree to what another person has asked for")
	flags.Bool("cancel", false, "take back what was asked for")
	command.MarkFlagsMutuallyExclusive("why", "consent", "cancel")
	return command
}

func promoteSite(command *cobra.Command) error {
	flags := command.Flags()
	why, _ := flags.GetString("why")
	force, _ := flags.GetBool("force")
	consent, _ := flags.GetBool("consent")
	cancel, _ := flags.GetBool("cancel")
	const path = "/v1/cluster/promotion"
	switch {
	case force && why == "" && !consent:
		return wrongUsage("--force needs --why", "say in a sentence why the other site is given up")
	case cancel:
		return act(command, path+"/cancel", nil)
	case consent:
		return act(command, path+"/consent", map[string]bool{"force": force})
	case why == "":
		return show(command, path, nil, printPromotion)
	}
	c, err := newClient(command)
	if err != nil {
		return err
	}
	var p admin.Promotion
	if err := c.post(command.Context(), path, admin.Wish{Why: why, Force: force}, &p); err != nil {
		return err
	}
	if wantsJSON(command) {
		return printJSON(command, p)
	}
	return printPromotion(command, p)
}

func printPromotion(command *cobra.Command, p admin.Promotion) error {
	t := newTable(command)
	t.row("this node", fmt.Sprintf("%d, %s, generation %d", p.Node, p.State, p.Generation))
	if p.Former != "" {
		t.row("brought back", "from a backup of "+p.Former+"; it serves nobody until it is promoted")
	}
	if p.Why != "" {
		t.row("promotion", "not possible: "+p.Why)
	}
	if d := p.Done; d != nil {
		t.row("promoted", fmt.Sprintf("to generation %d at %s, after record %d: `cardswitch cluster "+
			"window` lists what the lost site had more", d.Generation, d.At.Format(time.DateTime), d.Last))
	}
	if p.Why == "" {
		reached := "none of the nodes that vote"
		if len(p.Reachable) > 0 {
			reached = strings.Join(p.Reachable, "; ")
		}
		t.row("reachable", reached)
		here := "no record yet"
		if p.Last > 0 {
			here = fmt.Sprintf("through record %d of %s", p.Last, p.LastAt.Format(time.DateTime))
		}
		t.row("here", here)
		t.row("heard", heardText(p.Heard))
		t.row("window", windowText(&p))
	}
	if w := p.Wish; w != nil {
		forced := ""
		if w.Force {
			forced = ", by force"
		}
		t.row("asked", fmt.Sprintf("by %s%s: %s; another person has until %s: --consent", w.Who, forced,
			w.Why, w.Until.Format(time.TimeOnly)))
	}
	return t.flush()
}

func heardText(h *admin.Heard) string {
	if h == nil || h.MS < 0 {
		return "nothing of the active node since this one was started"
	}
	text := fmt.Sprintf("the active node, %s ago", millis(h.MS))
	if h.KnownMS >= 0 {
		text += fmt.Sprintf("; %s ago it was at record %d, and %s, %d kB, %s were missing here",
			millis(h.KnownMS), h.Record, many(h.Records, "record"), h.Bytes>>10, millis(h.Behind))
	}
	return text
}

// windowText says plainly what is lost for now.
func windowText(p *admin.Promotion) string {
	others := "the other site"
	if p.Former != "" {
		others = "the cluster"
	}
	text := fmt.Sprintf("all that %s did after record %d may be missing here", others, p.Last)
	if h := p.Heard; h != nil && h.Record > p.Last {
		text += "; at least " + many(h.Record-p.Last, "record") + " of it"
	}
	return text
}

func millis(ms int64) string { return (time.Duration(ms) * time.Millisecond).String() }
