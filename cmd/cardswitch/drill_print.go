package main

import (
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"cardswitch/dr/drill"
)

// printDrill prints a report for the terminal: what happened, what it came to, what to do.
func printDrill(command *cobra.Command, r *drill.Report) error {
	t := newTable(command)
	for _, row := range r.Rows() {
		t.row(row[0], row[1])
	}
	if err := t.flush(); err != nil {
		return err
	}
	out := command.OutOrStdout()
	if bad := r.Outcome == drill.Refused || r.Outcome == drill.Ready; bad && len(r.Checks) > 0 {
		fmt.Fprintln(out)
		t = newTable(command, "OK", "CHECK", "FOUND")
		for _, c := range r.Checks {
			t.row(yesNo(c.OK), c.What, c.Found)
		}
		if err := t.flush(); err != nil {
			return err
		}
	}
	fmt.Fprintln(out, "\nwhat to do:")
	for _, text := range r.Advice {
		fmt.Fprintln(out, "  "+text)
	}
	return nil
}

func newDrillHistoryCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "history",
		Short: "Show the drills that were done, at all nodes that can be asked",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			return show(command, "/v1/drills", nil, printDrills)
		},
	}
}

func printDrills(command *cobra.Command, list []drill.Summary) error {
	t := newTable(command, "ID", "DRILL", "OUTCOME", "BACK AFTER", "P99", "AT", "WHO", "WHY")
	for i := range list {
		s := &list[i]
		kind := string(s.Kind)
		if s.Hard {
			kind += ", hard"
		}
		t.row(s.ID, kind, s.Outcome, wait(s.Gap), wait(s.P99), "node "+
			strconv.FormatUint(s.Node, 10), s.Who, s.Why)
	}
	return t.flush()
}

// wait is empty if it is nothing.
func wait(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return d.Round(time.Millisecond).String()
}

func newDrillShowCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "show ID",
		Short: "Show the report of a drill again",
		Args:  cobra.ExactArgs(1),
		ValidArgsFunction: asked("/v1/drills",
			func(s *drill.Summary) string { return s.ID }),
		RunE: func(command *cobra.Command, args []string) error {
			c, err := newClient(command)
			if err != nil {
				return err
			}
			var r drill.Report
			if err := c.get(command.Context(), "/v1/drills/"+args[0], nil, &r); err != nil {
				return err
			}
			return printPractised(command, &r)
		},
	}
	command.Flags().String("html", "", "write it to this file too, as a page to be printed")
	_ = command.MarkFlagFilename("html", "html")
	return command
}

func newDrillCalendarCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "calendar",
		Short: "Show which drill is due when; exit 3 if one is overdue",
		Long: "Shows what the configuration's drills.calendar asks for and when it was done last, at\n" +
			"any node. Only a drill that passed counts.",
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			overdue := false
			err := show(command, "/v1/drills/calendar", nil,
				func(command *cobra.Command, list []drill.Due) error {
					for i := range list {
						overdue = overdue || list[i].Overdue
					}
					return printCalendar(command, list)
				})
			if err == nil && overdue {
				return &failure{Code: exitUnhealthy}
			}
			return err
		},
	}
}

func printCalendar(command *cobra.Command, list []drill.Due) error {
	t := newTable(command, "DRILL", "EVERY", "LAST", "ID", "DUE", "OVERDUE")
	for _, d := range list {
		last, due := "never", "now"
		if !d.Last.IsZero() {
			last, due = d.Last.Local().Format(time.DateOnly), d.Due.Local().Format(time.DateOnly)
		}
		t.row(d.Kind, fmt.Sprintf("%d days", int(d.Every.Hours()/24)), last, d.LastID, due,
			yesNo(d.Overdue))
	}
	return t.flush()
}
