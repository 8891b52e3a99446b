package main

import (
	"fmt"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"cardswitch/conformance/payshield"
)

func newSimHSMCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "hsm",
		Short: "Play a payment HSM until Ctrl-C",
		Long: "Plays a payment HSM that takes payShield host commands, with a local master key (LMK)\n" +
			"that is known to everybody: for tests, never for keys of value. Two with the same LMK\n" +
			"are a primary and a standby. Faults are followed in order; the first that applies wins:\n\n" +
			"  do=silent command=CC chance=0.01      never answers 1 % of the PIN translations\n" +
			"  do=refuse code=41 times=3             three answers with error code 41\n" +
			"  do=cut bytes=7 | do=half bytes=7      part of an answer, then an end or nothing\n" +
			"  do=garbage | wrong-header | wrong-command | twice\n" +
			"  delay=200ms..900ms chance=0.1         slow now and then",
		Example: "  cardswitch sim hsm --listen 127.0.0.1:1500 --latency 1ms..3ms " +
			`--fault "do=cut chance=0.01"`,
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error { return simHSM(command) },
	}
	flags := command.Flags()
	flags.String("listen", "127.0.0.1:1500", "address to listen on")
	flags.Int("header", 4, "characters of the message header")
	flags.String("lmk-id", "00", "identifier of the LMK")
	flags.String("latency", "", `before each answer: "2ms" or "1ms..3ms"`)
	flags.StringArray("fault", nil, "a fault, several times")
	flags.Uint64("seed", 0, "of the random choices")
	return command
}

func simHSM(command *cobra.Command) error {
	options, err := hsmOptions(command)
	if err != nil {
		return err
	}
	unit, err := payshield.Start(command.Context(), options)
	if err != nil {
		return failed(err, "see `cardswitch sim hsm --help`")
	}
	fmt.Fprintf(command.ErrOrStderr(), "listens on %s, LMK check value %s\n", unit.Address(),
		unit.LMKCheck())
	<-command.Context().Done()
	unit.Close()
	counts := unit.Counts()
	if wantsJSON(command) {
		return printJSON(command, counts)
	}
	t := newTable(command)
	for _, what := range slices.Sorted(maps.Keys(counts)) {
		t.row(what, counts[what])
	}
	return t.flush()
}

func hsmOptions(command *cobra.Command) (payshield.Options, error) {
	o := payshield.Options{Logger: simLogger(command)}
	flags := command.Flags()
	o.Listen, _ = flags.GetString("listen")
	o.Header, _ = flags.GetInt("header")
	o.LMKID, _ = flags.GetString("lmk-id")
	o.Seed, _ = flags.GetUint64("seed")
	var err error
	if text, _ := flags.GetString("latency"); text != "" {
		if o.Latency, err = payshield.ParseDelay(text); err != nil {
			return o, wrongUsage(err.Error(), `write --latency "1ms..3ms"`)
		}
	}
	texts, _ := flags.GetStringArray("fault")
	for _, text := range texts {
		fault, err := payshield.ParseFault(text)
		if err != nil {
			return o, wrongUsage(err.Error(), "see `cardswitch sim hsm --help`")
		}
		o.Faults = append(o.Faults, fault)
	}
	return o, nil
}
