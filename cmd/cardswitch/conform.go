package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"cardswitch/conformance/scenario"
	"cardswitch/conformance/suite"
)

func newConformCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "conform TARGET [SCENARIO-FILE...]",
		Short: "Run scenarios against a 1993 host, as merchant, issuer or both",
		Long: "Runs scenarios against any host of the 1993 edition: this switch or a partner's. The\n" +
			"target file says where the host is met and which values its side has agreed on:\n\n" +
			"  name: partner test host\n" +
			"  dialect: ascii-binary\n" +
			"  merchants: {shop: {dial: \"127.0.0.1:7101\"}}   # doors where we are the merchant\n" +
			"  issuers: {bank: {listen: \"127.0.0.1:7201\"}}   # doors where we are the issuer\n" +
			"  values: {pan: \"3528120000000016\", unrouted: \"6200000000000005\",\n" +
			"           acquirer: \"12345678901\", stranger: \"10987654321\",\n" +
			"           institution: \"12345678901\", switch: \"99999000001\"}\n" +
			"  does: [linked, partial, days, negative]         # what not every host does\n\n" +
			"A switch has both doors. An issuer's center has one under merchants, as it is we who ask\n" +
			"it, and does: [decides]; with a card that it declines, values: {declined: \"...\"}, also\n" +
			"declines.\n\n" +
			"A door with `envelope: {id: hq/a, key_file: hq.key}` speaks in envelopes.\n" +
			"Without scenario files the suite in the program is run; a scenario whose door the\n" +
			"target doesn't have is skipped. Exit code 1 if one fails.",
		Example: "  cardswitch conform target.yaml\n" +
			"  cardswitch conform target.yaml --only reversal\n" +
			"  cardswitch conform --list",
		RunE: func(command *cobra.Command, args []string) error { return conform(command, args) },
	}
	command.Flags().String("only", "", "only scenarios whose titles contain this")
	command.Flags().Bool("list", false, "list the scenarios and run none")
	return command
}

func conform(command *cobra.Command, args []string) error {
	if list, _ := command.Flags().GetBool("list"); list {
		return listScenarios(command, args)
	}
	if len(args) == 0 {
		return wrongUsage("no target is named", "see `cardswitch conform --help` for what it holds")
	}
	scenarios, err := loadScenarios(command, args[1:])
	if err != nil {
		return err
	}
	file, err := os.Open(args[0])
	if err != nil {
		return wrongUsage(err.Error(), "name a target file")
	}
	defer file.Close()
	target, err := scenario.ReadTarget(file)
	if err != nil {
		return wrongUsage(args[0]+": "+err.Error(), "see `cardswitch conform --help`")
	}
	report, err := scenario.Run(command.Context(), target, scenarios)
	if err != nil {
		return failed(err, "are the addresses in "+args[0]+" free, and right?")
	}
	write := report.Write
	if wantsJSON(command) {
		write = report.JSON
	}
	if err := write(command.OutOrStdout()); err != nil {
		return err
	}
	if !report.OK() {
		return &failure{Code: exitFailed}
	}
	return nil
}

// listed is a scenario as `conform --list -o json` shows it.
type listed struct {
	File  string `json:"file"`
	Title string `json:"title"`
}

func listScenarios(command *cobra.Command, files []string) error {
	scenarios, err := loadScenarios(command, files)
	if err != nil {
		return err
	}
	if wantsJSON(command) {
		list := []listed{}
		for _, s := range scenarios {
			list = append(list, listed{s.File, s.Title})
		}
		return printJSON(command, list)
	}
	t := newTable(command, "FILE", "SCENARIO")
	for _, s := range scenarios {
		t.row(s.File, s.Title)
	}
	return t.flush()
}

// loadScenarios reads the files that are named, or the suite in the program.
func loadScenarios(command *cobra.Command, files []string) ([]*scenario.Scenario, error) {
	all, err := suite.Load()
	if len(files) > 0 {
		all, err = nil, nil
		for _, file := range files {
			var read []*scenario.Scenario
			read, err = scenario.Load(os.DirFS(filepath.Dir(file)), filepath.Base(file))
			if err == nil && len(read) == 0 {
				err = fmt.Errorf("%s: %w", file, fs.ErrNotExist)
			}
			if err != nil {
				break
			}
			all = append(all, read...)
		}
	}
	if err != nil {
		return nil, wrongUsage(err.Error(), "see the files of the suite for how they are written")
	}
	only, _ := command.Flags().GetString("only")
	var wanted []*scenario.Scenario
	for _, s := range all {
		if strings.Contains(s.Title, only) {
			wanted = append(wanted, s)
		}
	}
	if len(wanted) == 0 {
		return nil, failed(errors.New("no scenario has such a title"), "`--list` shows them")
	}
	return wanted, nil
}
