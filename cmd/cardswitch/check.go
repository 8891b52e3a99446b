package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"cardswitch/spec"
)

func newCheckCommand() *cobra.Command {
	return group("check", "Ask issuers whether cards are valid (有効性チェック)",
		newCheckCardsCommand())
}

func newCheckCardsCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "cards --file IN --result OUT --why TEXT",
		Short: "Ask the issuer of each card in a file, beside the traffic",
		Long: "Reads a card number or a token from each line of the file, with its expiry behind a\n" +
			"comma if that is to be checked too (3528120000000003,2912); empty lines and those that\n" +
			"begin with # are skipped. The running switch asks each card's issuer by an 1100 with\n" +
			"function code 108, while the issuer's window is at most half full: others come first.\n\n" +
			"A line of the result is: line of the file, card (masked) or token, action code, name,\n" +
			"issuer, time, transaction, checksum. The file is only ever added to. After an end of\n" +
			"whatever kind the same command goes on where it stopped; no card is asked about twice.\n" +
			"With --again those are asked about again whose outcome was not the issuer's (action\n" +
			"codes from 900).",
		Example: "  cardswitch check cards --file cards.csv --result checked.csv --rate 200/s \\\n" +
			"    --why 'monthly check of registered cards'",
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error { return checkCards(command) },
	}
	flags := command.Flags()
	flags.String("file", "", "file of card numbers or tokens")
	flags.String("result", "", "file of results, made or added to")
	flags.String("rate", "200/s", "cards a second at most")
	flags.Int("in-flight", 16, "cards that are asked about at once at most")
	flags.Bool("again", false, "ask again where no issuer had an answer")
	flags.String("why", "", "the reason, kept in the audit log")
	return command
}

// checkOrder is what is wanted of a run.
type checkOrder struct {
	file, result, why string
	rate, inFlight    int
	again             bool
}

func checkOrderOf(command *cobra.Command) (o checkOrder, err error) {
	flags := command.Flags()
	o.file, _ = flags.GetString("file")
	o.result, _ = flags.GetString("result")
	o.again, _ = flags.GetBool("again")
	o.inFlight, _ = flags.GetInt("in-flight")
	text, _ := flags.GetString("rate")
	o.rate, err = strconv.Atoi(strings.TrimSuffix(text, "/s"))
	switch {
	case o.file == "" || o.result == "":
		return o, wrongUsage("--file and --result are missing", "name both files")
	case err != nil || o.rate < 1 || o.rate > 100_000:
		return o, wrongUsage(fmt.Sprintf("--rate %q is no rate", text), "write it as 200/s")
	case o.inFlight < 1 || o.inFlight > 1000:
		return o, wrongUsage("--in-flight is out of range", "use 1 to 1000")
	}
	o.why, err = whyOf(command)
	return o, err
}

func checkCards(command *cobra.Command) (err error) {
	o, err := checkOrderOf(command)
	if err != nil {
		return err
	}
	lines, err := readCards(o.file)
	if err != nil {
		return err
	}
	results, err := openResults(o.result)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, results.close()) }()
	wanted, err := results.left(lines, o.again)
	if err != nil {
		return err
	}
	if len(wanted) > 0 {
		c, err := newClient(command)
		if err != nil {
			return err
		}
		job := &checkRun{order: o, client: c, results: results, lines: lines,
			bar: newBar(command.ErrOrStderr(), len(lines), len(lines)-len(wanted))}
		if err := job.do(command.Context(), wanted); err != nil {
			return err
		}
	}
	return printChecked(command, results.summary(len(lines)))
}

// cardLine is a line of the file.
type cardLine struct {
	number       int // from 1
	card, expiry string
}

// shown is the line's card as results show it: masked, unless it can be no card number.
func (l *cardLine) shown() string {
	pan, err := spec.ParsePAN(l.card)
	if err != nil {
		return l.card
	}
	return pan.String()
}

// longestLine is more than any card number, token and expiry.
const longestLine = 200

// readCards reads the file. Nothing of a line is in an error: it could be a card number.
func readCards(name string) ([]cardLine, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, wrongUsage(err.Error(), "name the file of cards with --file")
	}
	var list []cardLine
	number := 0
	for line := range strings.Lines(string(text)) {
		number++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		card, expiry, _ := strings.Cut(line, ",")
		card, expiry = strings.TrimSpace(card), strings.TrimSpace(expiry)
		switch {
		case len(line) > longestLine:
			err = fmt.Errorf("%s:%d is longer than a card number or a token", name, number)
		case expiry != "" && (len(expiry) != 4 || strings.Trim(expiry, "0123456789") != ""):
			err = fmt.Errorf("%s:%d: the expiry isn't four digits, YYMM", name, number)
		}
		if err != nil {
			return nil, &failure{Code: exitUsage, What: err,
				Hint: "a line is CARD or CARD,YYMM; nothing was asked"}
		}
		list = append(list, cardLine{number, card, expiry})
	}
	if len(list) == 0 {
		return nil, &failure{Code: exitUsage, What: errors.New("the file has no cards"),
			Hint: "write one a line"}
	}
	return list, nil
}
