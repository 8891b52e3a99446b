package main

import (
	"fmt"
	"net"
	"net/url"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"cardswitch/store"
	cardswitch "cardswitch/switch"
	"cardswitch/switch/admin"
)

func newClusterCommand() *cobra.Command {
	return group("cluster", "See and steer the nodes that keep one journal",
		newClusterInitCommand(), newClusterCertifyCommand(), newClusterStatusCommand(),
		newClusterTransferCommand(), newClusterJoinCommand(), newClusterLeaveCommand(),
		newClusterPromoteCommand(), newClusterWindowCommand())
}

func newClusterStatusCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Show the nodes; exit 3 if losing one more would stop the service",
		Long: "Shows which node is the active one and how far the others are, as the asked node\n" +
			"knows it: what they lag is known to the active one only. Exits with 3 if no node is the\n" +
			"active one, or, asked of that one, if losing one more would stop the service: fewer\n" +
			"than two data nodes have all of the journal, or just enough nodes with a vote are\n" +
			"there. Where there are several shards it lists them all; --shard shows the nodes of one.",
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			l, err := shardsMeant(command)
			if err != nil {
				return err
			}
			if l != nil {
				return showShards(command, l)
			}
			var st admin.ClusterStatus
			err = show(command, "/v1/cluster", nil,
				func(command *cobra.Command, s admin.ClusterStatus) error {
					st = s
					return printCluster(command, &s)
				})
			if err == nil && unhealthy(&st) {
				return &failure{Code: exitUnhealthy}
			}
			return err
		},
	}
}

// unhealthy tells whether losing one more node would stop the service.
func unhealthy(s *admin.ClusterStatus) bool {
	return s.Node != 0 && (s.Leader == 0 || s.State == "active" && !s.Redundant)
}

func printCluster(command *cobra.Command, s *admin.ClusterStatus) error {
	t := newTable(command)
	t.row("cluster", fmt.Sprintf("%s, generation %d", s.Name, s.Generation))
	t.row("this node", stateText(s))
	t.row("term", s.Term)
	t.row("lease left", fmt.Sprintf("%d ms", s.LeaseMS))
	t.row("entries", fmt.Sprintf("%d agreed, %d applied", s.Committed, s.Applied))
	t.row("journal", fmt.Sprintf("record %d; log %d MB, last write %s", s.LastSeq, s.LogMB,
		micros(s.SyncUS)))
	t.row("level", levelOf(s))
	if s.State == "active" {
		t.row("redundant", redundancy(s))
	}
	if s.Heard != nil {
		t.row("heard", heardText(s.Heard))
	}
	if o := s.LastTakeover; o != nil {
		t.row("took over", fmt.Sprintf("%s ago, in %s: %s replayed, %s reversed",
			ago(time.Now(), o.At), micros(o.US), many(o.Replayed, "record"),
			many(o.Reversed, "request")))
	}
	if len(s.Warm) > 0 {
		t.row("links kept ready", warmText(s.Warm))
	}
	if err := t.flush(); err != nil {
		return err
	}
	fmt.Fprintln(command.OutOrStdout())
	t = newTable(command, "NODE", "ROLE", "ADDRESS", "IS", "LINK", "TRIP", "IN SYNC", "BEHIND",
		"PROGRAM")
	var notes []string
	for i := range s.Members {
		m := &s.Members[i]
		behind, sync := "", ""
		if s.State == "active" {
			sync = yesNo(m.InSync)
			behind = fmt.Sprintf("%s, %d kB, %s", many(m.Records, "record"), m.Bytes>>10,
				millis(m.MS))
			if m.Unknown {
				behind = "not known yet"
			}
		}
		is := ""
		if m.Leads {
			is = "leader"
		}
		link := "up"
		if !m.Connected {
			link = "down"
		}
		trip := ""
		if m.TripUS > 0 && m.Connected {
			trip = micros(m.TripUS)
		}
		if m.Self {
			link = "self"
		}
		notes = appendNotes(notes, m)
		t.row(m.Node, m.Role, m.Address, is, link, trip, sync, behind, programOf(m))
	}
	if err := t.flush(); err != nil {
		return err
	}
	for _, note := range notes {
		fmt.Fprintln(command.OutOrStdout(), note)
	}
	return nil
}

func stateText(s *admin.ClusterStatus) string {
	text := fmt.Sprintf("%d, %s", s.Node, s.State)
	if s.State == admin.BroughtBack {
		text += ": " + admin.WhyBroughtBack + ", see `cardswitch cluster promote`"
	}
	return text
}

// levelOf says of which level the journal is, and which one all nodes could read.
func levelOf(s *admin.ClusterStatus) string {
	lowest := store.Raises
	for i := range s.Members {
		lowest = min(lowest, int(s.Members[i].Reads))
	}
	if lowest > int(s.Level) {
		return fmt.Sprintf("%d; all nodes read %d, to which the active one raises it", s.Level, lowest)
	}
	return strconv.Itoa(int(s.Level))
}

func programOf(m *admin.ClusterMember) string {
	if m.Program == "" && m.Reads > 0 {
		return fmt.Sprintf("reads level %d", m.Reads)
	}
	return m.Program
}

// appendNotes appends what is wrong with a member.
func appendNotes(notes []string, m *admin.ClusterMember) []string {
	if m.LastError != "" && !m.Self {
		notes = append(notes, fmt.Sprintf("node %d: %s", m.Node, shortCause(m.LastError)))
	}
	if m.Unfit {
		notes = append(notes, fmt.Sprintf("node %d couldn't serve: %s", m.Node, unfitText))
	}
	return notes
}

const unfitText = "its disk has no room or doesn't answer, or it has tried just now; see its log"

func redundancy(s *admin.ClusterStatus) string {
	if s.Votes == 1 {
		return "NO: this node is alone; `cardswitch cluster join` takes others in"
	}
	votes := fmt.Sprintf("%d of %d nodes with a vote are there", s.VotesThere, s.Votes)
	switch {
	case s.Redundant:
		return fmt.Sprintf("yes: %d data nodes have all, %s", s.InSync, votes)
	case s.InSync < 2:
		return "NO: no other data node has all that this one has and could serve; bring one back"
	}
	return "NO: " + votes + "; with one less nobody serves"
}

func newClusterTransferCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "transfer [NODE]",
		Short: "Let another node become the active one, without a decline",
		Long: "Lets the active node take nothing new, finish what is in flight, and hand over to the\n" +
			"node of that number, or to the best one. Ask it of the active node. Where there are\n" +
			"several shards, --shard names the one that is moved.",
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: completeNodes(),
		RunE: func(command *cobra.Command, args []string) error {
			node, err := nodeNumber(args)
			if err != nil {
				return err
			}
			c, err := newClient(command)
			if err != nil {
				return err
			}
			var st admin.ClusterStatus
			began := time.Now()
			if err := c.post(command.Context(), "/v1/cluster/transfer", map[string]uint64{"node": node},
				&st); err != nil {
				return err
			}
			if wantsJSON(command) {
				return printJSON(command, st)
			}
			_, err = fmt.Fprintf(command.OutOrStdout(), "node %d is the active one, after %s\n", st.Leader,
				time.Since(began).Round(time.Millisecond))
			return err
		},
	}
}

func newClusterJoinCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "join NODE ADDRESS",
		Short: "Take a node in that has a certificate and no data yet",
		Long: "Takes a node in. First make its certificate (`cluster certify`), put it with the data\n" +
			"key and the master key on its machine, and start it without members and with an empty\n" +
			"data directory. Its number must never have been another node's. Ask it of the active\n" +
			"node.",
		Args: cobra.ExactArgs(2),
		RunE: func(command *cobra.Command, args []string) error {
			node, err := nodeNumber(args)
			if err != nil {
				return err
			}
			if err := memberAddress(args[1]); err != nil {
				return err
			}
			role := command.Flags().Lookup("role").Value.String()
			return act(command, "/v1/cluster/join", admin.Joining{Node: node, Role: role,
				Address: args[1]})
		},
	}
	command.Flags().Var(newChoice(cardswitch.NodeData, cardswitch.NodeWitness,
		cardswitch.NodeLearner), "role", "what it is to be")
	completeFlag(command, "role", fixed(cardswitch.NodeData, cardswitch.NodeWitness,
		cardswitch.NodeLearner))
	return command
}

func newClusterLeaveCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "leave NODE",
		Short: "Take a node out for good; its number is used up",
		Long: "Takes a node out, whether it runs or not. Its process, if it runs, stops serving as\n" +
			"soon as it hears of it, and its number is never given again: the same machine comes\n" +
			"back with a new number and an empty data directory. It is refused where too few of the\n" +
			"nodes with a vote would be left. Ask it of the active node.",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completeNodes(),
		RunE: func(command *cobra.Command, args []string) error {
			node, err := nodeNumber(args)
			if err != nil {
				return err
			}
			return act(command, "/v1/cluster/leave", map[string]uint64{"node": node})
		},
	}
}

// memberAddress refuses what no node could be reached at: once agreed on, it stays.
func memberAddress(address string) error {
	host, port, err := net.SplitHostPort(address)
	if n, e := strconv.ParseUint(port, 10, 16); err != nil || e != nil || n == 0 || host == "" {
		return wrongUsage(fmt.Sprintf("%q is no address of a node", address),
			"write host:port, as 10.0.0.4:7400")
	}
	return nil
}

// nodeNumber reads the number of a node; 0 if none is given.
func nodeNumber(args []string) (uint64, error) {
	if len(args) == 0 {
		return 0, nil
	}
	n, err := strconv.ParseUint(args[0], 10, 64)
	if err != nil || n == 0 {
		return 0, wrongUsage(fmt.Sprintf("%q is no node's number", args[0]),
			"`cardswitch cluster status` shows them")
	}
	return n, nil
}

func completeNodes() completion {
	return func(command *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
		c, err := newClient(command)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		var st admin.ClusterStatus
		if err := c.get(command.Context(), "/v1/cluster", url.Values{}, &st); err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		var words []string
		for i := range st.Members {
			words = append(words, strconv.FormatUint(st.Members[i].Node, 10))
		}
		return words, cobra.ShellCompDirectiveNoFileComp
	}
}
