package main

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	"cardswitch/dr/replica/wire"
	"cardswitch/hsm/keyring/master"
	cardswitch "cardswitch/switch"
)

func newClusterInitCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "init --out DIR NODE=ADDRESS[,ROLE]...",
		Short: "Make the certificates and settings of all nodes of a new cluster",
		Long: "Makes a folder for each node with what it needs beside the usual configuration: its\n" +
			"certificate, the data key that all nodes share, and cluster.yaml, the part `cluster`\n" +
			"of its configuration. A test installation's master key comes too; in production a\n" +
			"ceremony on each data node makes the same one. Who has the folder authority makes\n" +
			"nodes: keep it apart.\n\n" +
			"  cardswitch cluster init --out nodes 1=10.0.0.1:7400 2=10.0.0.2:7400 \\\n" +
			"    3=10.0.0.3:7400,witness",
		Args: cobra.MinimumNArgs(1),
		RunE: initCluster,
	}
	command.Flags().String("out", "", "folder to make")
	command.Flags().String("name", cardswitch.DefaultCluster, "name of the cluster")
	command.Flags().Bool("production", false, "without a test installation's master key")
	_ = command.MarkFlagRequired("out") // fails only for a flag that isn't there
	return command
}

func newClusterCertifyCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "certify NODE --authority DIR --out DIR",
		Short: "Make the certificate of one more node",
		Long: "Makes the certificate of a node that is to join, or a new one of a node that is there,\n" +
			"with the authority that `cluster init` made.",
		Args: cobra.ExactArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			node, err := nodeNumber(args)
			if err != nil {
				return err
			}
			from, _ := command.Flags().GetString("authority")
			out, _ := command.Flags().GetString("out")
			name, _ := command.Flags().GetString("name")
			authority, err := readAuthority(from)
			if err != nil {
				return err
			}
			if name == "" {
				name = authority.Cluster()
			}
			if err := writeIdentity(authority, name, node, out); err != nil {
				return err
			}
			_, err = fmt.Fprintf(command.OutOrStdout(), "certificate of node %d in %s; a new node "+
				"also needs another one's data.key and master.key,\nand a section cluster without "+
				"members: start it, then at the active node `cardswitch cluster join %d ADDRESS`\n",
				node, out, node)
			return err
		},
	}
	command.Flags().String("authority", "", "folder of the authority")
	command.Flags().String("out", "", "folder to write to")
	command.Flags().String("name", "", "name of the cluster (default that of the authority)")
	for _, name := range []string{"authority", "out"} {
		_ = command.MarkFlagRequired(name) // fails only for a flag that isn't there
	}
	return command
}

func initCluster(command *cobra.Command, args []string) error {
	out, _ := command.Flags().GetString("out")
	name, _ := command.Flags().GetString("name")
	production, _ := command.Flags().GetBool("production")
	var members []cardswitch.MemberConfig
	for _, arg := range args {
		m, err := parseMember(arg)
		if err != nil {
			return err
		}
		members = append(members, m)
	}
	var parts [][]byte
	for i := range members {
		text, err := clusterPart(name, members, i)
		if err != nil {
			return err
		}
		parts = append(parts, text)
	}
	if err := os.Mkdir(out, 0o700); err != nil {
		return failed(err, "name a folder that isn't there yet")
	}
	authority, err := wire.NewAuthority(name)
	if err != nil {
		return err
	}
	cert, key, err := authority.PEM()
	if err != nil {
		return err
	}
	if err := writeSecrets(filepath.Join(out, "authority"), map[string][]byte{"ca.pem": cert,
		"ca.key": key}); err != nil {
		return err
	}
	shared, err := sharedKeys(out, production)
	if err != nil {
		return err
	}
	for i := range members {
		dir := filepath.Join(out, fmt.Sprintf("node-%d", members[i].Node))
		if err := writeIdentity(authority, name, members[i].Node, dir); err != nil {
			return err
		}
		files := map[string][]byte{"cluster.yaml": parts[i]}
		if members[i].Role != cardswitch.NodeWitness { // it keeps the log, and can't read it
			maps.Copy(files, shared)
		}
		if err := writeSecrets(dir, files); err != nil {
			return err
		}
	}
	_, err = fmt.Fprintf(command.OutOrStdout(), "%s in %s: bring each folder to its machine, "+
		"add its cluster.yaml to\nthe configuration, name its keys there (data.key_file, keys.master), "+
		"and start the nodes.\nKeep %s apart.\n", many(len(members), "node"), out,
		filepath.Join(out, "authority"))
	return err
}

// parseMember reads NODE=ADDRESS[,ROLE].
func parseMember(arg string) (m cardswitch.MemberConfig, err error) {
	number, rest, ok := strings.Cut(arg, "=")
	if m.Node, err = nodeNumber([]string{number}); err != nil || !ok {
		return m, wrongUsage(fmt.Sprintf("%q is no node", arg), "write 1=10.0.0.1:7400 or "+
			"3=10.0.0.3:7400,witness")
	}
	m.Address, m.Role, _ = strings.Cut(rest, ",")
	if m.Role == "" {
		m.Role = cardswitch.NodeData
	}
	return m, nil
}

// clusterPart is the part of a node's configuration, checked.
func clusterPart(name string, members []cardswitch.MemberConfig, of int) ([]byte, error) {
	own := members[of]
	c := cardswitch.Defaults()
	c.Cluster = &cardswitch.ClusterConfig{Name: name, Node: own.Node, Role: own.Role,
		Listen: own.Address, Members: members, Cert: "node.pem", Key: "node.key", CA: "ca.pem"}
	c.Complete()
	if err := c.Cluster.Validate(); err != nil {
		return nil, &failure{Code: exitUsage, What: err}
	}
	return yaml.Marshal(map[string]any{"cluster": c.Cluster})
}

// sharedKeys are those that all data nodes have.
func sharedKeys(out string, production bool) (map[string][]byte, error) {
	var key [32]byte
	rand.Read(key[:]) // never fails
	shared := map[string][]byte{"data.key": []byte(hex.EncodeToString(key[:]) + "\n")}
	if production {
		return shared, nil
	}
	path := filepath.Join(out, "authority", "master.key")
	made, err := master.Create(master.Options{Path: path})
	if err != nil {
		return nil, err
	}
	made.Wipe()
	shared["master.key"], err = os.ReadFile(path)
	return shared, errors.Join(err, os.Remove(path))
}

func writeIdentity(a *wire.Authority, cluster string, node uint64, dir string) error {
	cert, key, err := a.Issue(cluster, node)
	if err != nil {
		return err
	}
	ca, _, err := a.PEM()
	if err != nil {
		return err
	}
	return writeSecrets(dir, map[string][]byte{"node.pem": cert, "node.key": key, "ca.pem": ca})
}

func readAuthority(dir string) (*wire.Authority, error) {
	cert, errCert := os.ReadFile(filepath.Join(dir, "ca.pem"))
	key, errKey := os.ReadFile(filepath.Join(dir, "ca.key"))
	if err := errors.Join(errCert, errKey); err != nil {
		return nil, failed(err, "name the folder authority that `cluster init` made")
	}
	a, err := wire.ParseAuthority(cert, key)
	if err != nil {
		return nil, failed(err, "name the folder authority that `cluster init` made")
	}
	return a, nil
}

// writeSecrets writes files that only their owner may read.
func writeSecrets(dir string, files map[string][]byte) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			return err
		}
	}
	return nil
}
