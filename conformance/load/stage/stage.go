// Package stage sets up a switch for load and crash tests: folder, configuration, routes, process.
package stage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"text/template"
	"time"

	"cardswitch/conformance/load/cards"
	"cardswitch/conformance/load/process"
	"cardswitch/conformance/load/sealed"
	cardswitch "cardswitch/switch"
	"cardswitch/switch/keys"
)

// Institution is the switch's own id on the stage.
const Institution = "99999000001"

// Stage is what a switch is started with. The zero times are the defaults of a benchmark.
type Stage struct {
	Program     string        // the cardswitch program
	Dir         string        // configuration, journal and keys go here
	Merchants   string        // address the merchants' listener gets
	HTTP        string        // address of the metrics
	Issuers     [][]string    // of each issuer the addresses of its links, primary first
	Acquirers   []string      // DE 32 that the merchant center may use
	Connections int           // that the merchant center may open
	Secret      sealed.Secret // of which all keys are made; nil: no link has an envelope

	MerchantTime time.Duration // T1
	IssuerTime   time.Duration // T2
	Repeat       time.Duration // first repeat of an owed advice, and the wait for its answer
	BackOff      time.Duration // the longest time between repeats
	Hold         time.Duration // how long a link that failed rests

	MinFreeMB int      // free space that the switch keeps
	Days      []string // of each issuer who gives its business days, us or peer; nil: there are none
	StandIn   string   // rules by which it decides for issuers that are away; "": never

	From     string   // network that the merchants come from
	Cluster  string   // the section cluster of the configuration; "": the node is alone
	Enrolled bool     // links have envelopes, and the key store is there already
	Codes    bool     // merchants have codes and PINs, issuers PINs, where there are keys
	Shards   []string // of each issuer the shard, all different; nil: there is one journal
	Warm     bool     // nodes that aren't active keep connections to issuers ready
}

// New chooses free ports and fills in the defaults.
func New(program, dir string, issuers [][]string) (*Stage, error) {
	ports, err := Ports(2)
	if err != nil {
		return nil, err
	}
	return &Stage{
		Program: program, Dir: dir, Merchants: ports[0], HTTP: ports[1], Issuers: issuers,
		Connections: 64, MerchantTime: 25 * time.Second, IssuerTime: 20 * time.Second,
		Repeat: 5 * time.Second, BackOff: time.Minute, Hold: 30 * time.Second, MinFreeMB: 256,
		From: "127.0.0.0/8",
	}, nil
}

// Ports are n free addresses of this machine. Another program may take one before it is used,
// rarely.
func Ports(n int) ([]string, error) {
	var addresses []string
	for tries := 0; len(addresses) < n; tries++ {
		port := firstPort + rand.IntN(ephemeralPorts-firstPort)
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		switch {
		case err == nil:
			defer l.Close()
			addresses = append(addresses, l.Addr().String())
		case tries > 100*n:
			return nil, err
		}
	}
	return addresses, nil
}

// Ports are drawn below those that the system gives to whoever dials, for until a part listens on
// its own, a connection of another part or test could have taken it.
const (
	firstPort      = 12_000
	ephemeralPorts = 32_768
)

// Socket is the operators' socket of the switch.
func (s *Stage) Socket() string { return filepath.Join(s.Dir, "admin.sock") }

// Write writes configuration and routes, and the key store if there are envelopes.
func (s *Stage) Write() error {
	if len(s.Issuers) == 0 || len(s.Acquirers) == 0 {
		return errors.New("stage: needs issuers and acquirers")
	}
	var config strings.Builder
	if err := configuration.Execute(&config, s); err != nil {
		return fmt.Errorf("stage: %w", err)
	}
	if err := os.WriteFile(s.File("cardswitch.yaml"), []byte(config.String()), 0o600); err != nil {
		return fmt.Errorf("stage: %w", err)
	}
	var routes strings.Builder
	routes.WriteString("ranges:\n")
	for _, r := range cards.Ranges() {
		fmt.Fprintf(&routes, "  - {prefix: %q, luhn: true, destinations: [issuer-%d]}\n",
			r.Prefix, r.Issuer%len(s.Issuers))
	}
	if err := os.WriteFile(s.File("routes.yaml"), []byte(routes.String()), 0o600); err != nil {
		return fmt.Errorf("stage: %w", err)
	}
	if s.StandIn != "" {
		err := os.WriteFile(s.File("standin.yaml"), []byte(s.StandIn), 0o600)
		if err != nil {
			return fmt.Errorf("stage: %w", err)
		}
	}
	if len(s.Secret) > 0 {
		if err := s.enroll(context.Background()); err != nil {
			return fmt.Errorf("stage: %w", err)
		}
	}
	return nil
}

// Link is the merchants' link, as its keys are named.
const Link = "merchants/a"

// enroll makes the key store that the switch will open, or that of each shard: the merchants' keys
// are the first one's.
func (s *Stage) enroll(ctx context.Context) error {
	merchants := map[string][]string{"merchants": {"a"}}
	issuers := make([]map[string][]string, len(s.Issuers))
	for i, links := range s.Issuers {
		var names []string
		for order := range links {
			names = append(names, fmt.Sprintf("l%d", order))
		}
		issuers[i] = map[string][]string{fmt.Sprintf("issuer-%d", i): names}
	}
	if len(s.Shards) == 0 {
		return s.enrollIn(ctx, s.KeyStores()[0], append(issuers, merchants)...)
	}
	for i, store := range s.KeyStores() {
		centers := issuers[i : i+1]
		if i == 0 {
			centers = append(centers[:1:1], merchants)
		}
		if err := s.enrollIn(ctx, store, centers...); err != nil {
			return err
		}
	}
	return nil
}

// KeyStores are the files of the key stores, the first shard's first.
func (s *Stage) KeyStores() []string {
	if len(s.Shards) == 0 {
		return []string{"data/keys"}
	}
	var files []string
	for _, shard := range s.Shards {
		files = append(files, "data/"+shard+"/keys")
	}
	return files
}

// enrollIn makes one key store: of each center the links.
func (s *Stage) enrollIn(ctx context.Context, store string, centers ...map[string][]string) (
	err error) {
	c := cardswitch.Defaults()
	c.Data.Dir = s.File("data")
	c.Keys.Store, c.Keys.Master = s.File(store), s.File("data/master.key")
	c.Complete()
	if err := os.MkdirAll(filepath.Dir(c.Keys.Store), 0o700); err != nil {
		return err
	}
	k, err := keys.Open(ctx, &c, keys.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, k.Close()) }()
	for _, some := range centers {
		for center, names := range some {
			if err := s.Secret.EnrollCenter(ctx, k.Ring, center); err != nil {
				return err
			}
			if s.Codes {
				if err := s.Secret.EnrollZone(ctx, k.Ring, center); err != nil {
					return err
				}
			}
			for _, name := range names {
				if err := s.Secret.Enroll(ctx, k.Ring, center+"/"+name); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// File is a file of the stage.
func (s *Stage) File(name string) string { return filepath.Join(s.Dir, name) }

// Start starts the switch on what Write wrote.
func (s *Stage) Start(ctx context.Context, flags ...string) (*process.Child, error) {
	args := append([]string{"start", "--config", s.File("cardswitch.yaml")}, flags...)
	return process.Start(ctx, "the switch", s.Program, args...)
}

// VerifyJournal asks the running switch to prove its journal whole, by the operators' own command.
func (s *Stage) VerifyJournal(ctx context.Context) error {
	_, err := s.Operate(ctx, "journal", "verify")
	return err
}

// Operate runs an operator's command against the running switch, and gives what it prints.
func (s *Stage) Operate(ctx context.Context, words ...string) ([]byte, error) {
	command := exec.CommandContext(ctx, s.Program,
		append(words, "--config", s.File("cardswitch.yaml"))...)
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C is for the test alone
	var output, faults bytes.Buffer
	command.Stdout, command.Stderr = &output, &faults
	if err := command.Run(); err != nil {
		return nil, fmt.Errorf("%s: %w: %s", strings.Join(words, " "), err,
			strings.TrimSpace(output.String()+faults.String()))
	}
	return output.Bytes(), nil
}

var configuration = template.Must(template.New("").Funcs(template.FuncMap{
	"quoted": func(list []string) string { return `"` + strings.Join(list, `", "`) + `"` },
}).Parse(`node: stage
institution: "` + Institution + `"
data:
  dir: {{printf "%q" (.File "data")}}
  key_file: {{printf "%q" (.File "data.key")}}
  create_key: true
  retention_days: 90
  min_free_mb: {{.MinFreeMB}}
keys:
  module: soft
  store: {{printf "%q" (.File "data/keys")}}
  master: {{printf "%q" (.File "data/master.key")}}
admin: {socket: {{printf "%q" .Socket}}, http: "{{.HTTP}}"}
log: {level: warn, format: text}
{{.Cluster}}
routing: {files: [routes.yaml]}
centers:
  - name: merchants
    role: merchant
    dialect: ascii-binary
    acquirers: [{{quoted .Acquirers}}]
    timezone: Asia/Tokyo
    key_change: us
    window: 65536
    answer_time: {{.MerchantTime}}
    unknown_original: 400
    sign_on: peer
{{- if .Codes}}
    security: {generations: true, mac: {algorithm: cmac}, pin: {format: 0}}
{{- end}}
    links:
      - name: a
        listen: "{{.Merchants}}"
        from: ["{{.From}}"]
        max_connections: {{.Connections}}
        framing: {length: binary2}
{{- if or .Secret .Enrolled}}
        envelope: {}
{{- end}}
{{- $stage := . }}
{{- range $i, $links := .Issuers}}
  - name: issuer-{{$i}}
    role: issuer
    dialect: ascii-binary
    timezone: Asia/Tokyo
    key_change: us
    window: 65536
    forwarding_id: true
    answer_time: {{$stage.IssuerTime}}
    sign_on: us
    failover: {errors: 5, within: 10s, slow: 5s, hold: {{$stage.Hold}}}
    saf:
      first: {{$stage.Repeat}}
      wait: {{$stage.Repeat}}
      backoff_max: {{$stage.BackOff}}
{{- if $stage.Days}}
    reconciliation:
      date: {{index $stage.Days $i}}
      announce: {{eq (index $stage.Days $i) "us"}}
      after: 5s
{{- end}}
{{- if $stage.Codes}}
    security: {generations: true, pin: {format: 0}}
{{- end}}
{{- if $stage.StandIn}}
    standin: {rules: standin.yaml, back: 1s, unanswered: true, report_declines: true}
{{- end}}
    links:
{{- range $order, $address := $links}}
      - name: l{{$order}}
        order: {{$order}}
        dial: "{{$address}}"
        framing: {length: binary2}
{{- if $stage.Warm}}
        warm: true
        sign_on_early: true
{{- end}}
{{- if or $stage.Secret $stage.Enrolled}}
        envelope: {}
{{- end}}
{{- end}}
{{- end}}
`))
