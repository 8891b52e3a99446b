package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/spf13/cobra"

	"cardswitch/switch/admin"
)

func newJournalVerifyCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "verify",
		Short: "Check every record against its chain of hashes",
		Args:  cobra.NoArgs,
		RunE:  func(command *cobra.Command, _ []string) error { return verifyJournal(command) },
	}
}

func verifyJournal(command *cobra.Command) error {
	c, err := newClient(command)
	if err != nil {
		return err
	}
	response, err := c.send(command.Context(), http.MethodGet, "/v1/journal/verify", nil, nil)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	verdict, err := readVerdict(command, response.Body)
	if err != nil {
		return c.unreachable(err)
	}
	if wantsJSON(command) {
		err = printJSON(command, verdict)
	} else if verdict.Sound && verdict.Found.Last == 0 {
		_, err = fmt.Fprintln(command.OutOrStdout(), "the journal is empty")
	} else if verdict.Sound {
		head, _ := verdict.Found.Head.MarshalText()
		_, err = fmt.Fprintf(command.OutOrStdout(), "the journal is sound: records %d to %d, head %s\n",
			verdict.Found.First, verdict.Found.Last, head)
	}
	if err == nil && !verdict.Sound {
		return &failure{Code: exitUnhealthy, What: errors.New(verdict.Error), Hint: verdict.Hint}
	}
	return err
}

// readVerdict shows how far it is on standard error, and returns the last line.
func readVerdict(command *cobra.Command, body io.Reader) (*admin.Verdict, error) {
	decoder := json.NewDecoder(body)
	for {
		var line struct {
			admin.Progress
			Verdict json.RawMessage `json:"report"`
		}
		var raw json.RawMessage
		if err := decoder.Decode(&raw); err != nil {
			return nil, err
		}
		if err := json.Unmarshal(raw, &line); err != nil {
			return nil, err
		}
		if line.Verdict == nil {
			fmt.Fprintf(command.ErrOrStderr(), "%d of %d records\n", line.Records, line.Of)
			continue
		}
		verdict := new(admin.Verdict)
		return verdict, json.Unmarshal(raw, verdict)
	}
}
