package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"cardswitch/conformance/envelope"
	"cardswitch/conformance/issuer"
	"cardswitch/conformance/wire"
)

// envelopeFlags are those by which a simulator's messages travel wholly encrypted.
func envelopeFlags(command *cobra.Command) {
	flags := command.Flags()
	flags.StringArray("envelope-link", nil, "id of the envelope, as agreed: messages travel encrypted")
	flags.StringArray("envelope-key-file", nil,
		"file of the link's keys, mode 0600: lines of generation and hex")
	flags.Bool("envelope-padding", false, "hide lengths")
	flags.String("envelope-share", "", "forward secrecy: never (default), offered, required")
	flags.Bool("envelope-legacy", false, "TDES alone, as an old center would")
	flags.String("kbpk-file", "",
		"file of the key block protection key in hex, mode 0600: link keys can be changed")
}

// envelopeOptions puts the flags over what a file said. of picks the flags' values for this link.
func envelopeOptions(
	command *cobra.Command, e *wire.Envelope, of func(values []string) (string, bool),
) (*wire.Envelope, error) {
	flags := command.Flags()
	ids, _ := flags.GetStringArray("envelope-link")
	files, _ := flags.GetStringArray("envelope-key-file")
	id, hasID := of(ids)
	file, hasFile := of(files)
	if e == nil && !hasID {
		for _, name := range []string{"envelope-key-file", "envelope-padding", "envelope-share",
			"envelope-legacy"} {
			if flags.Changed(name) && len(ids) == 0 {
				return nil, wrongUsage("--"+name+" needs --envelope-link",
					"give the id that was agreed for the link, as hq/a")
			}
		}
		return nil, nil
	}
	if e == nil {
		e = &wire.Envelope{}
	}
	if hasID {
		e.Link = id
	}
	if hasFile {
		e.KeyFile = file
	}
	override(command, "envelope-padding", &e.Padding, flags.GetBool)
	override(command, "envelope-share", &e.Share, flags.GetString)
	override(command, "envelope-legacy", &e.Legacy, flags.GetBool)
	if err := e.Complete(); err != nil {
		return nil, wrongUsage(err.Error(), "a key file has a line as `1 00112233...`: the generation "+
			"and the key in hex; see `"+command.CommandPath()+" --help`")
	}
	return e, nil
}

// termsText says what a simulator has heard of the switch's terms.
func termsText(c envelope.TermCounts) string {
	text := fmt.Sprint(c.Highest)
	if c.Refused+c.Ended+c.Late > 0 {
		text += fmt.Sprintf("; of lower ones %d sessions refused, %d ended, %d messages refused",
			c.Refused, c.Ended, c.Late)
	}
	return text
}

// only takes the last value that a flag was given.
func only(values []string) (string, bool) {
	if len(values) == 0 {
		return "", false
	}
	return values[len(values)-1], true
}

// ofLink takes the last of LINK=VALUE for a link, or of VALUE for every link.
func ofLink(name string, links []issuer.Link) func([]string) (string, bool) {
	return func(values []string) (value string, found bool) {
		for _, text := range values {
			link, rest, named := strings.Cut(text, "=")
			for i := range links {
				if named && links[i].Name == link {
					if link == name {
						value, found = rest, true
					}
					text = ""
				}
			}
			if text != "" {
				value, found = text, true
			}
		}
		return value, found
	}
}
