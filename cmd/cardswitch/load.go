package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"time"

	"github.com/go-viper/mapstructure/v2"
	"github.com/spf13/pflag"
	"github.com/spf13/viper"
	"go.yaml.in/yaml/v3"

	cardswitch "cardswitch/switch"
)

// defaultFile is read when no other is named, if it is there.
const defaultFile = "cardswitch.yaml"

// envPrefix begins the names of the environment: CARDSWITCH_LOG_LEVEL.
const envPrefix = "CARDSWITCH"

// settings are the flags of `start` and `config` that stand over the file.
var settings = []struct{ flag, key, usage string }{
	{"node", "node", "name of this node"},
	{"data", "data.dir", "folder of the journal"},
	{"http", "admin.http", "address of /metrics, /livez and /readyz"},
	{"log-level", "log.level", "debug, info, warn or error"},
	{"log-format", "log.format", "json or text"},
}

func addSettings(flags *pflag.FlagSet) {
	for _, s := range settings {
		flags.String(s.flag, "", s.usage)
	}
}

// loaded is a configuration with what `config show` tells of its origin.
type loaded struct {
	cardswitch.Config
	file string     // "" if there is none
	tree *yaml.Node // of the file, to find lines
	from map[string]string
}

// load reads file, environment and flags, in rising rank, into one completed
// configuration. It refuses every name it doesn't know. Whether the values make
// sense is for Validate.
func load(flags *pflag.FlagSet) (*loaded, error) {
	l, err := read(flags)
	if err != nil {
		return nil, err
	}
	return l, l.choose(flags)
}

// read is load without the choice of a shard.
func read(flags *pflag.FlagSet) (*loaded, error) {
	file, text, err := readConfig(flags)
	if err != nil {
		return nil, err
	}
	return assemble(flags, file, text)
}

// choose takes the shard that is meant.
func (l *loaded) choose(flags *pflag.FlagSet) error {
	name, _ := flags.GetString("shard")
	if name == "" {
		return nil
	}
	config, ok := l.Shard(name)
	if !ok {
		return wrongUsage(fmt.Sprintf("there is no shard %q", name), l.shardsHint())
	}
	l.Config = config
	return nil
}

// one says that a shard must be named, where there are several.
func (l *loaded) one() error {
	if len(l.Shards()) == 0 || l.Cluster.Shard != "" {
		return nil
	}
	return wrongUsage("there are several shards, each with a journal of its own", l.shardsHint())
}

func (l *loaded) shardsHint() string {
	if len(l.Shards()) == 0 {
		return "leave --shard out: the configuration has no cluster.shards"
	}
	return "name one with --shard: " + strings.Join(l.Shards(), ", ")
}

// assemble puts the environment and the flags over the text of the file.
func assemble(flags *pflag.FlagSet, file string, text []byte) (*loaded, error) {
	l := &loaded{Config: cardswitch.Defaults(), file: file, from: map[string]string{}}
	var err error
	if l.tree, err = parseYAML(file, text); err != nil {
		return nil, err
	}
	known := knownKeys()
	if err := errors.Join(known.check(file, l.tree), known.checkEnv(os.Environ())); err != nil {
		return nil, &failure{Code: exitUsage, What: err,
			Hint: "`cardswitch config sample` prints every key with its meaning"}
	}
	if err := l.merge(flags, text); err != nil {
		return nil, &failure{Code: exitUsage, What: fmt.Errorf("%s: %w", file, err),
			Hint: "`cardswitch config sample` shows how each value is written"}
	}
	l.Dir = filepath.Dir(file)
	if file != "" {
		l.File = filepath.Base(file)
	}
	l.Complete()
	return l, nil
}

// readConfig finds the file: the flag, then the environment, then the default
// name. Only a file that was asked for must be there.
func readConfig(flags *pflag.FlagSet) (name string, text []byte, err error) {
	name, _ = flags.GetString("config")
	if name == "" {
		name = os.Getenv(envPrefix + "_CONFIG")
	}
	asked := name != ""
	if !asked {
		name = defaultFile
	}
	text, err = os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) && !asked {
		return "", nil, nil
	}
	if err != nil {
		return "", nil, &failure{Code: exitUsage, What: fmt.Errorf("configuration: %w", err),
			Hint: "name the file with --config"}
	}
	return name, text, nil
}

// merge lets viper put the sources over each other. Its traps are known: it
// reads no environment for keys that only the struct has unless told to bind
// them, it turns numbers into text, and it takes any word for a key; the last
// was refused before, the others are set right here.
func (l *loaded) merge(flags *pflag.FlagSet, text []byte) error {
	v := viper.NewWithOptions(
		viper.ExperimentalBindStruct(),
		viper.EnvKeyReplacer(strings.NewReplacer(".", "_")),
	)
	v.SetEnvPrefix(envPrefix)
	v.AutomaticEnv()
	v.SetConfigType("yaml")
	if err := v.ReadConfig(strings.NewReader(string(text))); err != nil {
		return err
	}
	for _, s := range settings {
		flag := flags.Lookup(s.flag)
		if flag != nil && flag.Changed {
			v.Set(s.key, flag.Value.String())
			l.from[s.key] = "flag --" + s.flag
		}
	}
	if flag := flags.Lookup("socket"); flag != nil && flag.Changed {
		v.Set("admin.socket", flag.Value.String())
		l.from["admin.socket"] = "flag --socket"
	}
	return v.UnmarshalExact(&l.Config, decoding)
}

func decoding(c *mapstructure.DecoderConfig) {
	c.TagName = "yaml"
	c.DecodeHook = mapstructure.ComposeDecodeHookFunc(
		refuseNumbers,
		mapstructure.StringToTimeDurationHookFunc(),
		mapstructure.StringToSliceHookFunc(","),
	)
}

// refuseNumbers stops YAML from eating the leading zeros of identifiers, and
// times without a unit from becoming nanoseconds.
func refuseNumbers(from, to reflect.Type, value any) (any, error) {
	number := from.Kind() >= reflect.Int && from.Kind() <= reflect.Float64
	switch {
	case number && to.Kind() == reflect.String:
		return nil, fmt.Errorf(`%v is a number; write it in quotes`, value)
	case number && to == reflect.TypeFor[time.Duration]():
		return nil, fmt.Errorf(`%v has no unit; write it as %vs or %vms`, value, value, value)
	}
	return value, nil
}

// loadValid is load for commands that need a configuration without faults.
func loadValid(flags *pflag.FlagSet) (*loaded, error) {
	l, err := read(flags)
	if err != nil {
		return nil, err
	}
	if l.file == "" && len(l.Centers) == 0 {
		return nil, wrongUsage("there is no configuration",
			"name a file with --config; `cardswitch config sample` prints one")
	}
	if err := l.Validate(); err != nil {
		return nil, &failure{Code: exitUsage, What: fmt.Errorf("%s is not valid:\n%w", l.file, err)}
	}
	return l, l.choose(flags)
}
