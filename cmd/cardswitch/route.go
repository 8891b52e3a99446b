package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"cardswitch/routing"
	cardswitch "cardswitch/switch"
)

func newRouteCommand() *cobra.Command {
	return group("route", "See where messages go", newRouteExplainCommand())
}

func newRouteExplainCommand() *cobra.Command {
	var q cardswitch.Question
	var at string
	command := &cobra.Command{
		Use:   "explain CARD-DIGITS",
		Short: "Say which rule takes a message, and why the others don't",
		Long: "Say which rule takes a message, and why the others don't. The leading six to\n" +
			"twelve digits of a card are enough. The running switch is asked; with --offline\n" +
			"the configuration is read instead.",
		Example: "  cardswitch route explain 352800 --mti 1200 --amount 5000\n" +
			"  cardswitch route explain 45391234 --offline -c new.yaml",
		Args: cobra.ExactArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			q.PAN = args[0]
			if at != "" {
				when, err := time.Parse(time.RFC3339, at)
				if err != nil {
					return wrongUsage(err.Error(), "write --at as 2026-04-01T09:00:00+09:00")
				}
				q.At = when
			}
			return explainRoute(command, q)
		},
	}
	flags := command.Flags()
	flags.StringVar(&q.MTI, "mti", "1200", "message type")
	flags.StringVar(&q.Processing, "processing", "", "processing code, DE 3")
	flags.Uint64Var(&q.Amount, "amount", 0, "amount, DE 4")
	flags.StringVar(&q.Category, "category", "", "merchant category, DE 26")
	flags.StringVar(&q.Acquirer, "acquirer", "", "acquirer, DE 32")
	flags.StringVar(&q.Company, "company", "", "company code 会社コード")
	flags.StringVar(&q.KID, "kid", "", "KID")
	flags.StringVar(&q.Center, "center", "", "merchant center that asks")
	flags.StringVar(&at, "at", "", "time of the message (default now)")
	flags.Bool("offline", false, "read the configuration, ask no switch")
	completeFlag(command, "center", completeCenters())
	return command
}

func explainRoute(command *cobra.Command, q cardswitch.Question) error {
	var explanation routing.Explanation
	var err error
	if offline, _ := command.Flags().GetBool("offline"); offline {
		explanation, err = explainOffline(command, q)
	} else {
		var c *client
		if c, err = newClient(command); err == nil {
			err = c.post(command.Context(), "/v1/route/explain", q, &explanation)
		}
	}
	if err != nil {
		return err
	}
	if wantsJSON(command) {
		return printJSON(command, explanation)
	}
	_, err = fmt.Fprint(command.OutOrStdout(), explanation)
	return err
}

func explainOffline(command *cobra.Command, q cardswitch.Question) (routing.Explanation, error) {
	l, err := loadValid(command.Flags())
	if err != nil {
		return routing.Explanation{}, err
	}
	table, err := l.Routes()
	if err != nil {
		return routing.Explanation{}, &failure{Code: exitUsage, What: err}
	}
	query, err := q.Query(l.Merchants())
	if err != nil {
		return routing.Explanation{}, wrongUsage(err.Error(), "see `cardswitch route explain --help`")
	}
	return table.Explain(&query), nil
}
