package main

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"cardswitch/spec"
)

func newMessageEncodeCommand() *cobra.Command {
	var flags messageFlags
	command := &cobra.Command{
		Use:   "encode mti=1200 ELEMENT=VALUE... | @FILE | -",
		Short: "Write a message of element values",
		Long: "Writes a message of element values, given as words, or as a JSON object in a file or\n" +
			"on standard input: {\"mti\": \"1200\", \"elements\": {\"4\": \"1000\"}}. Short numbers get\n" +
			"zeros in front, short texts spaces behind; elements of bytes are given in\n" +
			"hexadecimal, items of element 48 by their tags.",
		Example: "  cardswitch message encode mti=1804 11=1 12=261122121844 24=831 93=1 94=2\n" +
			"  cardswitch message encode -d ebcdic @sale.json --format raw >sale.bin\n" +
			"  cardswitch message encode mti=1200 4=1000 48.9=12345 48.11=ﾔﾏﾀﾞ -d ascii-katakana",
		Args: cobra.MinimumNArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			d, err := openDialect(flags.dialect)
			if err != nil {
				return err
			}
			mti, values, err := messageValues(command, args)
			if err != nil {
				return err
			}
			raw, err := spec.Build(d, mti, values)
			if err != nil {
				return wrongUsage(err.Error(), "see `cardswitch message encode --help`")
			}
			return flags.print(command, raw)
		},
	}
	flags.add(command)
	return command
}

func messageValues(command *cobra.Command, args []string) (spec.MTI, map[int]string, error) {
	var mti spec.MTI
	var values map[int]string
	var err error
	if len(args) == 1 && (args[0] == "-" || strings.HasPrefix(args[0], "@")) {
		var text []byte
		if text, err = readInput(command, args[0]); err == nil {
			mti, values, err = spec.ParseValues(text)
		}
	} else {
		mti, values, err = spec.ParseAssignments(args)
	}
	if err != nil {
		return 0, nil, wrongUsage(err.Error(), "see `cardswitch message encode --help`")
	}
	return mti, values, nil
}

// print writes the bytes of a message in the format asked for.
func (f *messageFlags) print(command *cobra.Command, raw []byte) error {
	out, text := command.OutOrStdout(), ""
	switch f.format.value {
	case "raw":
		_, err := out.Write(raw)
		return err
	case "base64":
		text = base64.StdEncoding.EncodeToString(raw)
	default:
		text = hex.EncodeToString(raw)
	}
	if wantsJSON(command) {
		return printJSON(command, map[string]any{"bytes": len(raw), f.format.value: text})
	}
	_, err := fmt.Fprintln(out, text)
	return err
}
