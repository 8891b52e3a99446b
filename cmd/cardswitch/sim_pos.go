package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"cardswitch/conformance/pos"
)

func newSimPOSCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "pos",
		Short: "Play a merchant's headquarter server",
		Long: "Plays a merchant's headquarter server: sales, returns, authorizations with their\n" +
			"completions, offline sales and cancellations; repeats what stays unanswered, reverses\n" +
			"what it can't know, and keeps the receipts. Weights of the business are in --file:\n\n" +
			"  mix: {sale: 78, return: 3, authorization: 6, completion: 4, offline: 4, cancel: 5,\n" +
			"        reduce: 0, validity: 0}\n\n" +
			"Its cards begin with 352812, 453912 and 521234, which the switch's routes must have, or\n" +
			"as it says there:\n\n" +
			"  cards: [{prefix: \"352812\", length: 16, count: 100}]\n\n" +
			"and there also what is agreed on codes, PINs and what terminals encrypt; the keys' file\n" +
			"has lines as `zak:hq-aoyama:in@1 0123...`, named as the switch's `key list` does:\n\n" +
			"  protect: {keys: hq.keys, generations: true, mac: {algorithm: x9.19},\n" +
			"            pin: {format: 0, terminals: tdes-dukpt, wrong: 0.02},\n" +
			"            p2pe: {scheme: tdes-dukpt}}\n\n" +
			"With --commands it does nothing by itself, but takes commands from standard input:\n\n" +
			pos.Commands,
		Example: "  cardswitch sim pos --address 127.0.0.1:7101 --total 1000\n" +
			"  cardswitch sim pos --address 127.0.0.1:7101 --rate 50 --duration 1m\n" +
			"  cardswitch sim pos --address 127.0.0.1:7101 --envelope-link hq/a " +
			"--envelope-key-file hq.key",
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error { return simPOS(command) },
	}
	flags := command.Flags()
	flags.String("file", "", "options as YAML; flags stand over it")
	flags.String("name", "", "name of the merchant")
	flags.StringArray("address", nil, "address of the switch; of several each is tried in turn")
	flags.Duration("echo", 0, "between echo tests; an unanswered one ends the connection")
	flags.String("acquirer", "", "DE 32 (default 12345678901)")
	flags.String("dialect", "", "dialect (default ascii-binary)")
	flags.Int("connections", 0, "connections (default 2)")
	flags.Int("total", 0, "transactions (default until --duration or Ctrl-C)")
	flags.Duration("duration", 0, "how long (default until --total or Ctrl-C)")
	flags.Int("in-flight", 0, "transactions at once (default 16)")
	flags.Float64("rate", 0, "transactions a second (default as fast as answers come)")
	flags.Duration("answer-time", 0, "patience before a repeat (default 30s)")
	flags.String("receipts", "", "write the receipts here at the end")
	flags.Bool("commands", false, "do only what standard input says, a command a line")
	flags.Uint64("seed", 0, "of the random choices (default another each time)")
	envelopeFlags(command)
	return command
}

func posOptions(command *cobra.Command) (pos.Options, error) {
	var o pos.Options
	if err := readOptions(command, &o); err != nil {
		return o, err
	}
	flags := command.Flags()
	override(command, "name", &o.Name, flags.GetString)
	override(command, "address", &o.Addresses, flags.GetStringArray)
	override(command, "acquirer", &o.Acquirer, flags.GetString)
	override(command, "dialect", &o.Dialect, flags.GetString)
	override(command, "connections", &o.Connections, flags.GetInt)
	override(command, "total", &o.Total, flags.GetInt)
	override(command, "in-flight", &o.InFlight, flags.GetInt)
	override(command, "rate", &o.Rate, flags.GetFloat64)
	override(command, "echo", &o.Echo, flags.GetDuration)
	override(command, "answer-time", &o.AnswerTime, flags.GetDuration)
	override(command, "seed", &o.Seed, flags.GetUint64)
	override(command, "kbpk-file", &o.KBPKFile, flags.GetString)
	var err error
	o.Envelope, err = envelopeOptions(command, o.Envelope, only)
	return o, err
}

// simPOS sends until it has enough or is told to stop. Its connections outlive the sending: what is
// in flight comes to its end.
func simPOS(command *cobra.Command) error {
	options, err := posOptions(command)
	if err != nil {
		return err
	}
	shop, err := pos.Start(context.WithoutCancel(command.Context()), options)
	if err != nil {
		return failed(err, "see `cardswitch sim pos --help`")
	}
	defer shop.Close()
	err = trade(command, shop)
	if name, _ := command.Flags().GetString("receipts"); name != "" { // none are a book, too
		if failed := shop.Export(name); err == nil {
			err = failed
		}
	}
	if err != nil {
		return err
	}
	return printShop(command, shop.Stats())
}

// trade does what it was told, once a connection is signed on.
func trade(command *cobra.Command, shop *pos.POS) error {
	ready, cancel := context.WithTimeout(command.Context(), 15*time.Second)
	defer cancel()
	if err := shop.Ready(ready); err != nil {
		return &failure{Code: exitUnreachable, What: err,
			Hint: "does the switch listen there, may this address connect, and do the envelopes agree?"}
	}
	running := command.Context()
	if duration, _ := command.Flags().GetDuration("duration"); duration > 0 {
		var stop context.CancelFunc
		running, stop = context.WithTimeout(running, duration)
		defer stop()
	}
	if byHand, _ := command.Flags().GetBool("commands"); byHand {
		simCommands(command, shop.Command)
		return nil
	}
	ended := make(chan struct{})
	defer close(ended)
	go tellShop(command.ErrOrStderr(), shop, running.Done(), ended)
	return shop.Run(running)
}

// tellShop says what one would wait for in vain otherwise: that nobody is there, or what is still
// to come after the end.
func tellShop(to io.Writer, shop *pos.POS, stop, ended <-chan struct{}) {
	there := true
	ticker := time.NewTicker(2 * time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-ended:
			return
		case <-stop:
			stop = nil
			select {
			case <-ended:
				return
			case <-time.After(time.Second):
				fmt.Fprintln(to, "waiting for what is in flight, a minute at most; Ctrl-C ends at once, "+
					"without receipts")
			}
		case <-ticker.C:
			if up := shop.Up() > 0; up != there {
				there = up
				fmt.Fprintln(to, map[bool]string{true: "connected again",
					false: "no connection at the moment; it goes on when there is one"}[up])
			}
		}
	}
}

func printShop(command *cobra.Command, stats pos.Stats) error {
	if wantsJSON(command) {
		return printJSON(command, stats)
	}
	t := newTable(command)
	t.row("approved", stats.Approved)
	t.row("declined", stats.Declined)
	t.row("cancelled", stats.Cancelled)
	t.row("reversed", stats.Reversed)
	t.row("unknown", stats.Unknown)
	t.row("repeats", stats.Repeats)
	t.row("late answers", stats.Late)
	if stats.Keys > 0 {
		t.row("link keys changed", stats.Keys)
	}
	if stats.Unreadable > 0 {
		t.row("unreadable, or with a wrong code", stats.Unreadable)
	}
	if stats.Refused > 0 {
		t.row("envelopes refused", stats.Refused)
	}
	if stats.Terms.Highest > 0 {
		t.row("the switch's term", termsText(stats.Terms))
	}
	if err := t.flush(); err != nil {
		return err
	}
	if stats.Unknown > 0 {
		return failed(errors.New(many(stats.Unknown, "transaction")+" ended unknown"),
			"`cardswitch journal show --rrn` shows what became of each")
	}
	return nil
}

func simLogger(command *cobra.Command) *slog.Logger {
	return slog.New(slog.NewTextHandler(command.ErrOrStderr(),
		&slog.HandlerOptions{Level: slog.LevelWarn, ReplaceAttr: maskAttr}))
}
