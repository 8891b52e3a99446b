package main

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"unicode"

	"github.com/spf13/cobra"

	"cardswitch/spec"
	"cardswitch/spec/dialect"
)

const messageInput = "A message is given as a word, as @FILE, or as - for standard input, in\n" +
	"hexadecimal, base64 or raw bytes (--format). The dialect is a built-in one or a file."

func newMessageCommand() *cobra.Command {
	return group("message", "Read, write and compare messages; needs no switch",
		newMessageDecodeCommand(),
		newMessageEncodeCommand(),
		newMessageDiffCommand(),
	)
}

// messageFlags are those of all three. Its methods read what they say.
type messageFlags struct {
	dialect string
	format  *choice
	skip    int
}

func (f *messageFlags) add(command *cobra.Command) {
	f.format = newChoice("hex", "base64", "raw")
	flags := command.Flags()
	flags.StringVarP(&f.dialect, "dialect", "d", dialect.Default, "built-in dialect, or a file")
	flags.VarP(f.format, "format", "f", "hex, base64 or raw")
	completeFlag(command, "dialect", cobra.FixedCompletions(dialect.Names(),
		cobra.ShellCompDirectiveDefault))
	completeFlag(command, "format", fixed(f.format.allowed...))
}

func (f *messageFlags) addSkip(command *cobra.Command) {
	command.Flags().IntVar(&f.skip, "skip", 0,
		"bytes in front of the message, as a length or a TPDU")
}

// openDialect finds a dialect by its name or its file.
func openDialect(name string) (*spec.Dialect, error) {
	if slices.Contains(dialect.Names(), name) {
		return dialect.Builtin(name)
	}
	d, err := dialect.Load(name)
	if errors.Is(err, os.ErrNotExist) {
		return nil, wrongUsage(fmt.Sprintf("no dialect and no file is named %q", name),
			"built in are "+strings.Join(dialect.Names(), ", "))
	}
	if err != nil {
		return nil, &failure{Code: exitUsage, What: err}
	}
	return d, nil
}

// maxInput bounds what is read for one message, far above any frame.
const maxInput = 1 << 20

// read gives the bytes of a message.
func (f *messageFlags) read(command *cobra.Command, word string) ([]byte, error) {
	text, err := readInput(command, word)
	if err != nil {
		return nil, failed(err, "say - for standard input, or @FILE")
	}
	raw, err := f.bytes(text)
	if err != nil {
		return nil, err
	}
	if f.skip < 0 || f.skip > len(raw) {
		return nil, wrongUsage(fmt.Sprintf("--skip %d of %d bytes", f.skip, len(raw)),
			"skip what stands in front of the message")
	}
	return raw[f.skip:], nil
}

func (f *messageFlags) bytes(text []byte) (raw []byte, err error) {
	switch f.format.value {
	case "raw":
		return text, nil
	case "base64":
		raw, err = base64.StdEncoding.DecodeString(withoutSpace(text))
	default:
		raw, err = hex.DecodeString(withoutSpace(text))
	}
	if err != nil { // which would quote what it can't read
		return nil, wrongUsage("the message isn't "+f.format.value, "say --format hex, base64 or raw")
	}
	return raw, nil
}

func withoutSpace(text []byte) string {
	return strings.Map(func(c rune) rune {
		if unicode.IsSpace(c) {
			return -1
		}
		return c
	}, string(text))
}

func readInput(command *cobra.Command, word string) ([]byte, error) {
	name, isFile := strings.CutPrefix(word, "@")
	switch {
	case word == "-":
		return io.ReadAll(io.LimitReader(command.InOrStdin(), maxInput))
	case isFile:
		file, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer file.Close()
		return io.ReadAll(io.LimitReader(file, maxInput))
	}
	return []byte(word), nil
}
