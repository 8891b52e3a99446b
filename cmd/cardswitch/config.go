package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	"cardswitch/switch/keys"
)

func newConfigCommand() *cobra.Command {
	return group("config", "Check and show the configuration",
		newConfigCheckCommand(), newConfigShowCommand(), newConfigSampleCommand())
}

func newConfigCheckCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "check [FILE]",
		Short: "Say everything that is wrong with a configuration",
		Long: "Reads the configuration with its routing files, dialects and certificates as\n" +
			"`start` would, and says everything that is wrong. Nothing is started.",
		Args: cobra.MaximumNArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			l, err := loadNamed(command, args)
			if err != nil {
				return err
			}
			if err := checkFiles(l); err != nil {
				return &failure{Code: exitUsage, What: err}
			}
			links := 0
			for _, center := range l.Centers {
				links += len(center.Links)
			}
			if wantsJSON(command) {
				return printJSON(command, checked{l.file, true, len(l.Centers), links})
			}
			fmt.Fprintf(command.OutOrStdout(), "%s is valid: %d centers, %d links\n",
				l.file, len(l.Centers), links)
			return nil
		},
	}
	addSettings(command.Flags())
	return command
}

// checked is what `config check -o json` says of a valid file; faults are an error's text.
type checked struct {
	File    string `json:"file"`
	Valid   bool   `json:"valid"`
	Centers int    `json:"centers"`
	Links   int    `json:"links"`
}

// checkFiles reads what the configuration names.
func checkFiles(l *loaded) error {
	_, err := l.Routes()
	return errors.Join(l.CheckFiles(), keys.Check(&l.Config), err)
}

// loadNamed takes a file named as argument as if by --config.
func loadNamed(command *cobra.Command, args []string) (*loaded, error) {
	if len(args) == 1 {
		if err := command.Flags().Set("config", args[0]); err != nil {
			return nil, err
		}
	}
	return loadValid(command.Flags())
}

func newConfigShowCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "show [FILE]",
		Short: "Print the configuration in effect, with where each value came from",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			l, err := loadNamed(command, args)
			if err != nil {
				return err
			}
			if wantsJSON(command) {
				return l.showJSON(command)
			}
			return l.showYAML(command)
		},
	}
	addSettings(command.Flags())
	return command
}

func newConfigSampleCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "sample",
		Short: "Print a configuration with every key and its meaning",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			if wantsJSON(command) {
				return printYAMLAsJSON(command, []byte(sampleConfig))
			}
			_, err := fmt.Fprint(command.OutOrStdout(), sampleConfig)
			return err
		},
	}
}

// showJSON goes by way of YAML, so that both forms have the same names.
func (l *loaded) showJSON(command *cobra.Command) error {
	text, err := yaml.Marshal(&l.Config)
	if err != nil {
		return err
	}
	return printYAMLAsJSON(command, text)
}

func printYAMLAsJSON(command *cobra.Command, text []byte) error {
	var tree map[string]any
	if err := yaml.Unmarshal(text, &tree); err != nil {
		return err
	}
	return printJSON(command, tree)
}

// showYAML writes where a value came from behind it, in a comment.
func (l *loaded) showYAML(command *cobra.Command) error {
	text, err := yaml.Marshal(&l.Config)
	if err != nil {
		return err
	}
	var root yaml.Node
	if err := yaml.Unmarshal(text, &root); err != nil {
		return err
	}
	l.comment(root.Content[0], l.tree, "")
	encoder := yaml.NewEncoder(command.OutOrStdout())
	encoder.SetIndent(2)
	if err := encoder.Encode(&root); err != nil {
		return err
	}
	return encoder.Close()
}

// comment walks the effective tree beside the file's.
func (l *loaded) comment(node, inFile *yaml.Node, path string) {
	for i := 0; node.Kind == yaml.MappingNode && i < len(node.Content); i += 2 {
		name, value := node.Content[i], node.Content[i+1]
		at := strings.TrimPrefix(path+"."+name.Value, ".")
		given := child(inFile, name.Value)
		if len(value.Content) > 0 && value.Content[0].Kind != yaml.ScalarNode ||
			value.Kind == yaml.MappingNode {
			l.comment(value, given, at)
			continue
		}
		value.LineComment = l.origin(at, given)
		if value.Kind == yaml.SequenceNode {
			value.Style = yaml.FlowStyle
		}
	}
	for i := 0; node.Kind == yaml.SequenceNode && i < len(node.Content); i++ {
		var given *yaml.Node
		if inFile != nil && i < len(inFile.Content) {
			given = inFile.Content[i]
		}
		l.comment(node.Content[i], given, path+"[]")
	}
}

func (l *loaded) origin(path string, given *yaml.Node) string {
	if from := l.from[path]; from != "" {
		return from
	}
	if os.Getenv(envName(path)) != "" {
		return "environment " + envName(path)
	}
	if given != nil {
		return fmt.Sprintf("line %d", given.Line)
	}
	return "default"
}

// child is the value of a key in a mapping, nil if there is none.
func child(node *yaml.Node, name string) *yaml.Node {
	if node == nil || node.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		if node.Content[i].Value == name {
			return node.Content[i+1]
		}
	}
	return nil
}
