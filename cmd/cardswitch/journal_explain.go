package main

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"cardswitch/store"
	cardswitch "cardswitch/switch"
	"cardswitch/switch/admin"
	"cardswitch/switch/explain"
)

func newJournalExplainCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "explain [SEQ]",
		Short: "Tell in words what happened to a transaction, why, and what is still owed",
		Long: "Tells of the transaction of a record, or of those found by --rrn, --stan, --last4 or\n" +
			"--card: how it ended, why this issuer was asked (by the routing table of that time),\n" +
			"each change with its reason and time, the messages with what differs between them, and\n" +
			"what was owed to whom and when it was paid. Card data is masked.\n\n" +
			"With --card the card number is read from standard input, where no history keeps it; that\n" +
			"is recorded, with the reason. With --offline the data folder of the configuration is read\n" +
			"while no switch runs on it, with --dir another one, such as a copy.",
		Example: "  cardswitch journal explain 4711\n" +
			"  cardswitch journal explain --card --why 'call of the issuer'\n" +
			"  cardswitch journal explain --rrn 632612000123 --dir /mnt/copy/data --key data.key",
		Args: cobra.MaximumNArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			w, err := wantedOf(command, args)
			if err != nil {
				return err
			}
			list, err := w.explained(command)
			if err != nil {
				return err
			}
			return printExplained(command, list, w.seq == "")
		},
	}
	flags := command.Flags()
	flags.String("rrn", "", "retrieval reference number, DE 37")
	flags.String("stan", "", "our trace number on the issuer's leg, DE 11")
	flags.String("last4", "", "last four digits of the card")
	flags.Bool("card", false, "read a card number from standard input")
	flags.String("why", "", "the reason of --card, kept in the audit log")
	flags.Bool("full", false, "show every element of every message, not only what differs")
	flags.Bool("offline", false, "read the data folder, ask no switch")
	flags.String("dir", "", "data folder to read instead, such as a copy")
	flags.String("key", "", "file of its data key (default: the configuration's)")
	return command
}

// wanted is what is to be explained: one record's transaction, or what is found.
type wanted struct {
	seq     string
	by      admin.Search
	why     string
	offline bool
}

func wantedOf(command *cobra.Command, args []string) (wanted, error) {
	flags := command.Flags()
	var w wanted
	w.by.RRN, _ = flags.GetString("rrn")
	w.by.STAN, _ = flags.GetString("stan")
	w.by.Last4, _ = flags.GetString("last4")
	ways := len(args)
	for _, name := range []string{"rrn", "stan", "last4", "card"} {
		if flags.Lookup(name).Changed {
			ways++
		}
	}
	if card, _ := flags.GetBool("card"); card && len(args) > 0 {
		return w, wrongUsage("--card takes no number on the command line, where histories keep it",
			"type it on standard input, after the command")
	}
	if ways != 1 {
		return w, wrongUsage("say a sequence number, or one of --rrn, --stan, --last4 and --card",
			"`cardswitch journal tail` shows sequence numbers")
	}
	if len(args) == 1 {
		w.seq = args[0]
	}
	w.offline, _ = flags.GetBool("offline")
	w.offline = w.offline || flags.Lookup("dir").Changed
	if card, _ := flags.GetBool("card"); card {
		var err error
		if w.why, err = whyOf(command); err != nil && !w.offline {
			return w, err
		}
		line, err := bufio.NewReader(command.InOrStdin()).ReadString('\n')
		if w.by.PAN = strings.TrimSpace(line); w.by.PAN == "" {
			return w, wrongUsage("there is no card number on standard input", "type one")
		} else if err != nil && line == "" {
			return w, err
		}
	}
	return w, nil
}

// explained asks the switch, or reads the folder itself.
func (w *wanted) explained(command *cobra.Command) ([]*explain.Explanation, error) {
	if w.offline {
		return w.fromFolder(command)
	}
	c, err := newClient(command)
	if err != nil {
		return nil, err
	}
	var list []*explain.Explanation
	switch {
	case w.seq != "":
		list = []*explain.Explanation{new(explain.Explanation)}
		err = c.get(command.Context(), "/v1/transactions/"+url.PathEscape(w.seq)+"/explain", nil,
			list[0])
	case w.by.PAN != "":
		err = c.do(command.Context(), http.MethodPost, "/v1/explain", nil,
			admin.CardSearch{PAN: w.by.PAN, Why: w.why}, &list)
	default:
		query := url.Values{"rrn": {w.by.RRN}, "stan": {w.by.STAN}, "last4": {w.by.Last4}}
		err = c.get(command.Context(), "/v1/explain", query, &list)
	}
	return list, err
}

// fromFolder opens the journal as a switch would, and answers as one.
func (w *wanted) fromFolder(command *cobra.Command) (list []*explain.Explanation, err error) {
	books, err := openFolder(command)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, books.Close()) }()
	server := admin.New(admin.Options{Journal: books, Names: books.Registry()})
	var txns []uint64
	if w.seq != "" {
		seq, err := strconv.ParseUint(w.seq, 10, 64)
		if err != nil {
			return nil, wrongUsage(strconv.Quote(w.seq)+" is not a number", "give a record's number")
		}
		txns = []uint64{seq}
	} else if txns, err = server.FindTransactions(w.by); err != nil {
		return nil, err
	}
	for _, txn := range txns {
		told, err := server.Explain(txn)
		if err != nil {
			return nil, err
		}
		list = append(list, told)
	}
	return list, nil
}

// openFolder opens the journal of a data folder that no switch runs on. It drops nothing of it.
func openFolder(command *cobra.Command) (*store.Store, error) {
	dir, _ := command.Flags().GetString("dir")
	key, _ := command.Flags().GetString("key")
	if dir == "" || key == "" {
		l, err := load(command.Flags())
		if err != nil {
			return nil, err
		}
		if err := l.one(); err != nil {
			return nil, err
		}
		defaults := cardswitch.Defaults()
		l.Data.Dir = orElse(l.Data.Dir, defaults.Data.Dir)
		l.Data.KeyFile = orElse(l.Data.KeyFile, defaults.Data.KeyFile)
		dir, key = orElse(dir, l.Data.Dir), orElse(key, l.Data.KeyFile)
	}
	if _, err := os.Stat(filepath.Join(dir, "journal")); errors.Is(err, fs.ErrNotExist) {
		return nil, wrongUsage(fmt.Sprintf("there is no journal in %s", dir),
			"name the data folder of a switch with --dir")
	}
	return store.Open(store.Options{Dir: dir, KeyFile: key})
}

func orElse(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}
