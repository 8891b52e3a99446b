package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"cardswitch/dr/replica/wire"
	"cardswitch/store"
	"cardswitch/switch/admin"
)

// build is what `version` tells of the binary.
type build struct {
	Version  string `json:"version"`
	Revision string `json:"revision,omitempty"`
	Time     string `json:"time,omitempty"`
	Modified bool   `json:"modified,omitempty"` // built from a changed tree
	Go       string `json:"go"`
	Platform string `json:"platform"`
	Forms    forms  `json:"forms"`
}

// forms are the versions of what is kept and sent, see store.Reads.
type forms struct {
	Reads      uint8        `json:"journal_reads"`  // the newest level of a journal that it can read
	Raises     uint8        `json:"journal_raises"` // the one that it raises a cluster to
	Journal    []store.Form `json:"journal"`
	NodeOldest int          `json:"nodes_oldest"` // of the protocol between nodes
	NodeNewest int          `json:"nodes_newest"`
	Operators  string       `json:"operators"` // of the operators' interface
}

// name is the program as other nodes are told it.
func (b *build) name() string {
	if b.Revision == "" {
		return b.Version
	}
	return b.Version + " " + b.Revision[:min(len(b.Revision), 12)] +
		map[bool]string{true: "+"}[b.Modified]
}

func newVersionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Say what was built, from what",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			b := buildInfo()
			if wantsJSON(command) {
				return printJSON(command, b)
			}
			table := newTable(command)
			table.row("version", b.Version)
			if b.Revision != "" {
				table.row("revision", b.Revision+map[bool]string{true: " (changed)"}[b.Modified])
				table.row("time", b.Time)
			}
			table.row("go", b.Go)
			table.row("platform", b.Platform)
			f := &b.Forms
			table.row("journal", fmt.Sprintf("reads levels 1 to %d, raises to %d", f.Reads, f.Raises))
			for _, form := range f.Journal {
				table.row("  "+form.Name, form.Version)
			}
			table.row("between nodes", fmt.Sprintf("%d to %d", f.NodeOldest, f.NodeNewest))
			table.row("operators", f.Operators)
			return table.flush()
		},
	}
}

func buildInfo() *build {
	b := &build{Version: "devel", Go: runtime.Version(),
		Platform: runtime.GOOS + "/" + runtime.GOARCH, Forms: forms{Reads: store.Reads,
			Raises: store.Raises, Journal: store.Forms(), Operators: admin.Version}}
	b.Forms.NodeOldest, b.Forms.NodeNewest = wire.Versions()
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	if info.Main.Version != "" && info.Main.Version != "(devel)" {
		b.Version = info.Main.Version
	}
	for _, setting := range info.Settings {
		switch setting.Key {
		case "vcs.revision":
			b.Revision = setting.Value
		case "vcs.time":
			b.Time = setting.Value
		case "vcs.modified":
			b.Modified = setting.Value == "true"
		}
	}
	return b
}
