package main

import (
	"fmt"
	"os"
	"strconv"

	"github.com/spf13/cobra"

	"cardswitch/switch/admin"
)

// shardsMeant are the shards that a command is about that names none, nor a socket; nil: there is
// one journal for all.
func shardsMeant(command *cobra.Command) (*loaded, error) {
	if socket, _ := command.Flags().GetString("socket"); socket != "" ||
		os.Getenv(envName("admin.socket")) != "" {
		return nil, nil
	}
	l, err := load(command.Flags())
	if err != nil || l.one() == nil {
		return nil, err
	}
	return l, nil
}

// shardStatus is one line of `cluster status` where there are several shards.
type shardStatus struct {
	Shard string `json:"shard"`
	admin.ClusterStatus
}

// showShards asks this machine's node of each shard.
func showShards(command *cobra.Command, l *loaded) error {
	var list []shardStatus
	sick := false
	for _, name := range l.Shards() {
		one := shardStatus{Shard: name}
		err := clientOf(l.ShardSocket(name)).get(command.Context(), "/v1/cluster", nil,
			&one.ClusterStatus)
		if err != nil {
			return err
		}
		sick = sick || unhealthy(&one.ClusterStatus)
		list = append(list, one)
	}
	if wantsJSON(command) {
		if err := printJSON(command, list); err != nil {
			return err
		}
	} else if err := printShards(command, list); err != nil {
		return err
	}
	if sick {
		return &failure{Code: exitUnhealthy}
	}
	return nil
}

func printShards(command *cobra.Command, list []shardStatus) error {
	t := newTable(command, "SHARD", "ACTIVE NODE", "THIS NODE", "TERM", "RECORD", "REDUNDANT")
	for i := range list {
		s := &list[i]
		leads := "none"
		if s.Leader != 0 {
			leads = strconv.FormatUint(s.Leader, 10)
		}
		redundant := ""
		if s.State == "active" { // nobody else knows
			redundant = yesNo(s.Redundant)
		}
		t.row(s.Shard, leads, fmt.Sprintf("%d, %s", s.Node, s.State), s.Term, s.LastSeq, redundant)
	}
	return t.flush()
}
