package main

import (
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"cardswitch/conformance/issuer"
)

func newSimIssuerCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "issuer",
		Short: "Play an issuer center until Ctrl-C",
		Long: "Plays an issuer center: answers by rules on element values, with the latency and the\n" +
			"faults they ask for, and keeps a ledger of what it posted. Rules are a YAML list; the\n" +
			"first whose conditions all hold is followed, else the request is approved:\n\n" +
			"  - name: no funds\n" +
			"    when: {mti: one-of 1100 1200, de4: suffix 13}\n" +
			"    do: {action: 116, delay: 5ms..30ms}\n" +
			"  - name: silence\n" +
			"    chance: 0.01\n" +
			"    do: {answer: never}\n\n" +
			"--envelope-link and --envelope-key-file are for every link, or for one: LINK=VALUE.",
		Example: "  cardswitch sim issuer --listen primary=127.0.0.1:7201 " +
			"--listen standby=127.0.0.1:7202",
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error { return simIssuer(command) },
	}
	flags := command.Flags()
	flags.String("file", "", "options as YAML; flags stand over it")
	flags.String("name", "", "name in what it prints")
	flags.String("dialect", "", "dialect (default ascii-binary)")
	flags.StringArray("listen", nil, "LINK=ADDRESS to listen on, several times")
	flags.StringArray("dial", nil, "LINK=ADDRESS to dial, several times")
	flags.String("rules", "", "file of rules")
	flags.String("latency", "", `before each answer: "20ms", "5ms..30ms" or "exp 12ms"`)
	flags.String("ledger", "", "write the ledger here at the end")
	flags.Uint64("seed", 0, "of the random choices")
	envelopeFlags(command)
	return command
}

func simIssuer(command *cobra.Command) error {
	options, err := issuerOptions(command)
	if err != nil {
		return err
	}
	center, err := issuer.Start(command.Context(), options)
	if err != nil {
		return failed(err, "see `cardswitch sim issuer --help`")
	}
	for _, link := range options.Links {
		if link.Listen != "" {
			fmt.Fprintf(command.ErrOrStderr(), "%s listens on %s\n", link.Name,
				center.Address(link.Name))
		}
	}
	<-command.Context().Done()
	center.Close()
	if name, _ := command.Flags().GetString("ledger"); name != "" {
		if err := center.Export(name); err != nil {
			return err
		}
	}
	stats := center.Stats()
	if wantsJSON(command) {
		return printJSON(command, stats)
	}
	t := newTable(command)
	t.row("answered", stats.Answered)
	t.row("left unanswered", stats.Silent+stats.Ignored)
	t.row("undelivered", stats.Undelivered)
	t.row("network management", stats.Network)
	t.row("unreadable", stats.Unreadable)
	t.row("connections", stats.Connections)
	if stats.Keys > 0 {
		t.row("link keys changed", stats.Keys)
	}
	if stats.Refused > 0 {
		t.row("envelopes refused", stats.Refused)
	}
	return t.flush()
}

func issuerOptions(command *cobra.Command) (issuer.Options, error) {
	o := issuer.Options{Name: "issuer", Logger: simLogger(command)}
	if err := readOptions(command, &o); err != nil {
		return o, err
	}
	flags := command.Flags()
	override(command, "name", &o.Name, flags.GetString)
	override(command, "dialect", &o.Dialect, flags.GetString)
	override(command, "seed", &o.Seed, flags.GetUint64)
	override(command, "kbpk-file", &o.KBPKFile, flags.GetString)
	for _, side := range []string{"listen", "dial"} {
		given, _ := flags.GetStringArray(side)
		for _, text := range given {
			name, address, ok := strings.Cut(text, "=")
			if !ok {
				name, address = "", text
			}
			link := issuer.Link{Name: name, Listen: address}
			if side == "dial" {
				link = issuer.Link{Name: name, Dial: address}
			}
			o.Links = append(o.Links, link)
		}
	}
	for i := range o.Links {
		if o.Links[i].Name == "" { // as the issuer itself will call it
			o.Links[i].Name = []string{"primary", "standby", "dr"}[min(i, 2)]
		}
	}
	for i := range o.Links {
		var err error
		link := &o.Links[i]
		link.Envelope, err = envelopeOptions(command, link.Envelope, ofLink(link.Name, o.Links))
		if err != nil {
			return o, err
		}
	}
	return o, issuerBehaviour(command, &o)
}

func issuerBehaviour(command *cobra.Command, o *issuer.Options) error {
	if text, _ := command.Flags().GetString("latency"); text != "" {
		delay, err := issuer.ParseDelay(text)
		if err != nil {
			return wrongUsage(err.Error(), `write --latency "5ms..30ms"`)
		}
		o.Latency = delay
	}
	if name, _ := command.Flags().GetString("rules"); name != "" {
		file, err := os.Open(name)
		if err != nil {
			return wrongUsage(err.Error(), "name a file of rules with --rules")
		}
		defer file.Close()
		if o.Rules, err = issuer.ParseRules(file); err != nil {
			return wrongUsage(err.Error(), "see `cardswitch sim issuer --help`")
		}
	}
	if o.Seed == 0 {
		o.Seed = uint64(time.Now().UnixNano())
	}
	return nil
}
