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
		Long:  simIssuerHelp,
		Example: "  cardswitch sim issuer --listen primary=127.0.0.1:7201 " +
			"--listen standby=127.0.0.1:7202\n" +
			"  cardswitch sim issuer --listen 127.0.0.1:7201 --days ours --cutover 23:30\n" +
			"  cardswitch sim issuer --listen 127.0.0.1:7201 --at '10s away drop 1m'",
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error { return simIssuer(command) },
	}
	flags := command.Flags()
	flags.String("file", "", "options as YAML; flags stand over it")
	flags.String("name", "", "name in what it prints")
	flags.String("dialect", "", "dialect (default ascii-binary)")
	flags.StringArray("listen", nil, "LINK=ADDRESS to listen on, several times")
	flags.StringArray("dial", nil, "LINK=ADDRESS to dial, several times")
	flags.Bool("idle", false, "allow connections on which nothing is said, of a switch's standbys")
	flags.String("rules", "", "file of rules")
	flags.String("latency", "", `before each answer: "20ms", "5ms..30ms" or "exp 12ms"`)
	flags.String("ledger", "", "write the ledger here at the end")
	flags.Duration("ledger-every", 0, "and so often meanwhile, as for drill --ledger")
	flags.String("days", "", "keep business days: ours (we name them) or theirs (the switch does)")
	flags.String("day", "", "the first business day, YYMMDD (default today)")
	flags.String("cutover", "", "hh:mm in Tokyo at which a day of ours ends (default by command)")
	flags.String("convention", "", "where reversals count: by_effect (default) or by_original")
	flags.StringArray("at", nil, "a command at a time after the start, several times: '10s cutover'")
	flags.Uint64("seed", 0, "of the random choices")
	envelopeFlags(command)
	return command
}

const simIssuerHelp = `Plays an issuer center: answers by rules on element values, with the
latency and the faults they ask for, and keeps a ledger of what it posted. Rules are a YAML list;
the first whose conditions all hold is followed, else the request is approved:

  - name: no funds
    when: {mti: one-of 1100 1200, de4: suffix 13}
    do: {action: 116, delay: 5ms..30ms}
  - name: silence
    chance: 0.01
    do: {answer: never}

do also has amount (approve only so much), answer (once, never, twice, garbage), cut
(before, after), ignore, refuse (an action code, and nothing is booked), book (drop, double,
change: a wrong entry), away (as "drop 30s"), set and drop (elements of the answer).

With --days the center keeps business days: it names the day in DE 28, cuts over by 1804/821,
compares totals by 15xx either way, and lists what counts in a day. While it runs it takes
commands, a line each from standard input (one that ends with & isn't waited for), or with --at:

` + issuer.Commands + `

Codes and PINs are agreed in --file; the keys' file has lines as zak:issuer-sakura:in@1 0123...,
named as the switch's key list does, in being what comes to the switch. The PIN of a test card
is the four digits before its check digit; another is answered 117:

  protect: {keys: sakura.keys, generations: true, mac: {algorithm: cmac}, pin: {format: 0}}

To certify a center against it, let it stand where the switch would be: whatever it sends is by
the 1993 edition, and what it books is in the ledger.

--envelope-link and --envelope-key-file are for every link, or for one: LINK=VALUE.`

func simIssuer(command *cobra.Command) error {
	options, err := issuerOptions(command)
	if err != nil {
		return err
	}
	options.OnCommand = func(line, answer string) {
		fmt.Fprintf(command.ErrOrStderr(), "%s: %s\n", line, answer)
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
	go simCommands(command, center.Command)
	if every, _ := command.Flags().GetDuration("ledger-every"); every > 0 {
		go keepLedger(command, center, every)
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
	if stats.Reconciled > 0 {
		t.row("days compared", fmt.Sprintf("%d, %d out of balance", stats.Reconciled,
			stats.OutOfBalance))
	}
	if tried := stats.RightPINs + stats.WrongPINs + stats.UnreadablePINs; tried > 0 {
		t.row("PINs", fmt.Sprintf("%d, %d wrong, %d unreadable", tried, stats.WrongPINs,
			stats.UnreadablePINs))
	}
	if stats.Absences > 0 {
		t.row("times away", stats.Absences)
	}
	if stats.Keys > 0 {
		t.row("link keys changed", stats.Keys)
	}
	if stats.Refused > 0 {
		t.row("envelopes refused", stats.Refused)
	}
	if stats.Terms.Highest > 0 {
		t.row("the switch's term", termsText(stats.Terms))
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
		if command.Flags().Changed("idle") {
			link.Idle, _ = command.Flags().GetBool("idle")
		}
		link.Envelope, err = envelopeOptions(command, link.Envelope, ofLink(link.Name, o.Links))
		if err != nil {
			return o, err
		}
	}
	return o, issuerBehaviour(command, &o)
}

func issuerBehaviour(command *cobra.Command, o *issuer.Options) error {
	if err := issuerDays(command, o); err != nil {
		return err
	}
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

// issuerDays puts the flags about business days and commands over what the file said.
func issuerDays(command *cobra.Command, o *issuer.Options) error {
	flags := command.Flags()
	if flags.Changed("days") && o.Days == nil {
		o.Days = &issuer.Days{}
	}
	for _, name := range []string{"day", "cutover", "convention"} {
		if flags.Changed(name) && o.Days == nil {
			return wrongUsage("--"+name+" is about business days", "add --days ours or theirs")
		}
	}
	if o.Days != nil {
		override(command, "days", &o.Days.Giver, flags.GetString)
		override(command, "day", &o.Days.Start, flags.GetString)
		override(command, "cutover", &o.Days.Cutover, flags.GetString)
		override(command, "convention", &o.Days.Convention, flags.GetString)
	}
	given, _ := flags.GetStringArray("at")
	for _, text := range given {
		when, line, _ := strings.Cut(text, " ")
		at, err := time.ParseDuration(when)
		if err != nil || line == "" {
			return wrongUsage(fmt.Sprintf("--at %q", text), "write it as --at '10s cutover'")
		}
		o.Timed = append(o.Timed, issuer.Timed{At: at, Command: line})
	}
	return nil
}

// keepLedger writes the ledger time after time, whole each time.
func keepLedger(command *cobra.Command, center *issuer.Issuer, every time.Duration) {
	name, _ := command.Flags().GetString("ledger")
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-command.Context().Done():
			return
		case <-ticker.C:
		}
		err := center.Export(name + ".part")
		if err == nil {
			err = os.Rename(name+".part", name)
		}
		if err != nil {
			fmt.Fprintf(command.ErrOrStderr(), "the ledger can't be written: %s\n", err)
		}
	}
}
