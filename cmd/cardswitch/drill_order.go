package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"cardswitch/dr/drill"
)

func newDrillNodeCommand() *cobra.Command {
	command := drillCommand(drill.Node, "node", "Have another node take over",
		"Has the active node finish what is in flight and hand over, as `cluster transfer` does;\n"+
			"with --hard it ends at once, as if it had died, and whoever supervises it starts it\n"+
			"again.")
	command.Flags().Bool("hard", false, "the active node ends at once")
	command.Flags().Bool("unsupervised", false, "I'll start the node that ended by hand")
	return command
}

func newDrillLinkCommand() *cobra.Command {
	command := drillCommand(drill.Link, "link CENTER/LINK", "Cut one link of an issuer",
		"Has the active node end the connections of one link of an issuer, whatever is in flight,\n"+
			"and take none until the time is over. Requests must go over the issuer's other links;\n"+
			"those in flight are reversed.")
	lasting(command, 10*time.Second)
	command.Args = cobra.ExactArgs(1)
	command.ValidArgsFunction = completeLinks()
	return command
}

func newDrillNetworkCommand() *cobra.Command {
	command := drillCommand(drill.Network, "network", "Cut the active node off from the others",
		"Has the active node drop every message from and to the other nodes. Another one takes\n"+
			"over, and the old one sends nothing more to anybody.")
	lasting(command, 3*time.Second)
	return command
}

func newDrillDiskCommand() *cobra.Command {
	command := drillCommand(drill.Disk, "disk", "Stall the active node's disk",
		"Has no write of the active node become durable, as if its disk didn't answer. Another\n"+
			"node takes over after `cluster.disk_hang`. Over 4 seconds the node would end itself.")
	lasting(command, 2*time.Second)
	return command
}

func newDrillSiteCommand() *cobra.Command {
	return drillCommand(drill.Site, "site", "Promote the other site, on a copy of its journal",
		"Looks at the nodes of the other site: are they there, what do they lag, have they the\n"+
			"keys, files, links and backups to lead with, and do those links reach the issuers that\n"+
			"they keep ready (warm: true)? Then each copies its journal as it is at that moment into a\n"+
			"folder of its own (as links), promotes the copy as `cluster promote` would promote the\n"+
			"node, recovers it up to where something would leave, checks its books, and removes it:\n"+
			"how soon it would serve, what would be missing, in doubt and owed. The copy has no\n"+
			"connection with any node or center; the node goes on following. It ends early if who\n"+
			"ordered it goes, and isn't begun without the room that the copy may need.")
}

func newDrillRestoreCommand() *cobra.Command {
	return drillCommand(drill.Restore, "restore", "Bring the newest backup back, aside, and check it",
		"Has the node bring the newest backup and the tails behind it back into a scratch folder\n"+
			"(drills.scratch), check it as `backup verify` does, and remove it again: how long that\n"+
			"takes, and what would be missing.")
}

// drillCommand is a command that orders a drill.
func drillCommand(kind drill.Kind, use, short, long string) *cobra.Command {
	command := &cobra.Command{Use: use, Short: short,
		Long: long + "\n\nExits with 1 if it failed or " +
			"was ended early, with 3 if a check didn't pass and\nnothing was touched.",
		Example: strings.ReplaceAll(fmt.Sprintf("  cardswitch drill %s --dry-run --why 'quarterly "+
			"drill'\n  cardswitch drill %s --why 'quarterly drill' --html drill.html", use, use),
			"CENTER/LINK", "issuer-sakura/primary"),
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, args []string) error {
			return orderDrill(command, kind, args)
		}}
	flags := command.Flags()
	flags.String("why", "", "the reason, kept with the drill and in the audit log")
	flags.Bool("dry-run", false, "look only whether it could be done")
	flags.String("html", "", "write the report to this file too, as a page to be printed")
	_ = command.MarkFlagFilename("html", "html")
	if kind == drill.Site || kind == drill.Restore {
		return command
	}
	flags.Bool("quiet", false, "also without any traffic to measure by")
	flags.Duration("before", 3*time.Second, "how long is measured before")
	flags.Duration("after", 8*time.Second, "and after it is over")
	flags.Duration("most-lag", time.Second, "a node that lags by more isn't in sync")
	flags.Int("most-refused", 200,
		"end it early if more than usual are refused or reversed by so many")
	flags.Duration("most-silence", 5*time.Second,
		"end it early if nobody was answered for so long")
	flags.Int("most-work", 20, "don't begin with more on the work list")
	flags.Int("most-owed", 1000, "don't begin with more to be delivered")
	generateFlags(command)
	return command
}

func lasting(command *cobra.Command, usual time.Duration) {
	command.Flags().Duration("for", usual, "how long the fault stays")
}

// orderOf reads the flags.
func orderOf(command *cobra.Command, args []string) (o drill.Order, err error) {
	flags := command.Flags()
	o.Why, _ = flags.GetString("why")
	o.DryRun, _ = flags.GetBool("dry-run")
	o.Hard, _ = flags.GetBool("hard")
	o.Unsupervised, _ = flags.GetBool("unsupervised")
	o.Quiet, _ = flags.GetBool("quiet")
	o.Lasts, _ = flags.GetDuration("for")
	o.Before, _ = flags.GetDuration("before")
	o.After, _ = flags.GetDuration("after")
	o.Bounds.Lag, _ = flags.GetDuration("most-lag")
	o.Bounds.Refused, _ = flags.GetInt("most-refused")
	o.Bounds.Silence, _ = flags.GetDuration("most-silence")
	o.Bounds.WorkList, _ = flags.GetInt("most-work")
	o.Bounds.Owed, _ = flags.GetInt("most-owed")
	if len(args) == 1 {
		o.Center, o.Link, _ = strings.Cut(args[0], "/")
	}
	return o, nil
}

func orderDrill(command *cobra.Command, kind drill.Kind, args []string) error {
	o, err := orderOf(command, args)
	if err != nil {
		return err
	}
	tried := o
	tried.Kind = kind
	if err := tried.Complete(); err != nil {
		return wrongUsage(err.Error(), "see `"+command.CommandPath()+" --help`")
	}
	c, err := newClient(command)
	if err != nil {
		return err
	}
	shop, err := openShop(command)
	if err != nil {
		return err
	}
	report, err := c.drill(command, kind, o)
	if shop != nil {
		report, err = shop.compare(command, c, report, err)
	}
	if err != nil {
		return err
	}
	return showReport(command, report)
}

// drill orders one, and shows on standard error what happens.
func (c *client) drill(command *cobra.Command, kind drill.Kind, o drill.Order) (*drill.Report,
	error) {
	response, err := c.send(command.Context(), http.MethodPost, "/v1/drills/"+string(kind), nil, o)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	decoder := json.NewDecoder(response.Body)
	for {
		var line struct {
			Event  *drill.Event  `json:"event"`
			Report *drill.Report `json:"report"`
			Error  string        `json:"error"`
		}
		err := decoder.Decode(&line)
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return nil, c.unreachable(errors.New("it ended in the middle of the drill"))
		case err != nil:
			return nil, c.unreachable(err)
		case line.Error != "":
			return nil, failed(errors.New(line.Error), "see `cardswitch drill history`")
		case line.Report != nil:
			return line.Report, nil
		case line.Event != nil:
			fmt.Fprintf(command.ErrOrStderr(), "%s  %s\n", clockOf(line.Event.At), line.Event.Text)
		}
	}
}

func clockOf(at time.Time) string { return at.Local().Format("15:04:05.000") }

// showReport prints it, writes the page, and says by the exit code how it went.
func showReport(command *cobra.Command, r *drill.Report) error {
	if err := printPractised(command, r); err != nil {
		return err
	}
	switch r.Outcome {
	case drill.Passed, drill.Ready:
		return nil
	case drill.Refused:
		return &failure{Code: exitUnhealthy, What: errors.New(r.Because)}
	}
	return failed(fmt.Errorf("the drill %s: %s", r.Outcome, r.Because), "")
}

// printPractised prints a report and writes the page.
func printPractised(command *cobra.Command, r *drill.Report) error {
	if name, _ := command.Flags().GetString("html"); name != "" {
		page, err := os.Create(name)
		if err == nil {
			err = errors.Join(r.WriteHTML(page), page.Close())
		}
		if err != nil {
			return failed(err, "")
		}
	}
	if wantsJSON(command) {
		return printJSON(command, r)
	}
	return printDrill(command, r)
}
