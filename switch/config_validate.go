package cardswitch

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ConfigError is one fault in the configuration: which key, what is wrong with
// it, and what the operator can do.
type ConfigError struct{ Path, What, Hint string }

func (e *ConfigError) Error() string {
	if e.Hint == "" {
		return e.Path + ": " + e.What
	}
	return e.Path + ": " + e.What + "; " + e.Hint
}

// faults collects what Validate finds, so that an operator sees all at once.
type faults []error

func (f *faults) add(path, hint, what string, args ...any) {
	*f = append(*f, &ConfigError{Path: path, What: fmt.Sprintf(what, args...), Hint: hint})
}

// Validate returns every fault of a completed configuration, joined. It looks
// at values alone and opens no file.
func (c *Config) Validate() error {
	var f faults
	f.name("node", c.Node)
	f.digits("institution", c.Institution, 11)
	c.validateTop(&f)
	if len(c.Centers) == 0 {
		f.add("centers", "add at least one merchant center and one issuer center", "there are none")
	}
	seen := map[string]int{}
	for i := range c.Centers {
		center := &c.Centers[i]
		path := fmt.Sprintf("centers[%d]", i)
		if center.Name != "" {
			path += "(" + center.Name + ")"
		}
		if first, ok := seen[center.Name]; ok && center.Name != "" {
			f.add(path+".name", "give each center its own name",
				"is also the name of centers[%d]", first)
		}
		seen[center.Name] = i
		if center.Name == checksName {
			f.add(path+".name", "choose another", "is the switch's own name when it asks about cards")
		}
		center.validate(&f, path, c.Production)
	}
	c.validateAnswerTimes(&f)
	c.validateListeners(&f)
	c.validateFees(&f)
	c.validateEnvelopes(&f)
	c.validateShards(&f)
	c.validateWarm(&f)
	return errors.Join(f...)
}

// mostSocket is the kernel's limit for a unix socket's name, 108 bytes with its end.
const mostSocket = 107

func (c *Config) validateTop(f *faults) {
	f.required("data.dir", c.Data.Dir, "name the folder of the journal")
	f.required("data.key_file", c.Data.KeyFile, "name the file of the data key")
	f.between("data.retention_days", c.Data.RetentionDays, 1, 3660)
	f.between("data.min_free_mb", c.Data.MinFreeMB, 0, 1<<20)
	f.required("admin.socket", c.Admin.Socket, "name the operators' unix socket")
	if len(c.Admin.Socket) > mostSocket {
		f.add("admin.socket", "choose a path of at most 107 bytes", "is too long for a unix socket")
	}
	if c.Admin.HTTP != "" {
		f.address("admin.http", c.Admin.HTTP)
	}
	c.Access.validate(f, "access")
	c.Keys.validate(f, "keys", c.Production)
	c.Audit.validate(f, "audit")
	c.Backup.validate(f, "backup")
	c.Vault.validate(f, "vault")
	c.Checks.validate(f, "checks")
	c.Drills.validate(f, "drills")
	c.Cluster.validate(f, "cluster")
	f.oneOf("log.level", c.Log.Level, "debug", "info", "warn", "error")
	f.oneOf("log.format", c.Log.Format, "json", "text")
	if len(c.Routing.Files) == 0 {
		f.add("routing.files", "name at least one routing file", "there are none")
	}
	f.noTwice("routing.files", c.Routing.Files)
	f.noTwice("dialects", c.Dialects)
}

// validateAnswerTimes holds T1 > T2: a merchant that gave up before its issuer
// did would never hear an answer that came in time.
func (c *Config) validateAnswerTimes(f *faults) {
	var slowest *CenterConfig
	for i := range c.Centers {
		center := &c.Centers[i]
		slower := slowest == nil || center.AnswerTime > slowest.AnswerTime
		if center.Role == RoleIssuer && slower {
			slowest = center
		}
	}
	if slowest == nil {
		return
	}
	for i := range c.Centers {
		center := &c.Centers[i]
		if center.Role == RoleMerchant && center.AnswerTime <= slowest.AnswerTime {
			f.add(fmt.Sprintf("centers[%d](%s).answer_time", i, center.Name),
				"a merchant's time must be longer than every issuer's",
				"%s is not longer than %s of %s",
				center.AnswerTime, slowest.AnswerTime, slowest.Name)
		}
	}
}

func (f *faults) required(path, value, hint string) {
	if value == "" {
		f.add(path, hint, "is missing")
	}
}

// name holds names lower case, because they are keys in files, metric labels
// and file names, some of which don't tell A from a.
func (f *faults) name(path, value string) {
	const hint = "use 1 to 32 of a-z, 0-9 and -, a letter or digit first"
	if value == "" {
		f.add(path, hint, "is missing")
		return
	}
	outside := strings.TrimLeft(value, "abcdefghijklmnopqrstuvwxyz0123456789-") != ""
	if outside || value[0] == '-' || len(value) > 32 {
		f.add(path, hint, "%q is not a name", value)
	}
}

func (f *faults) digits(path, value string, most int) {
	if value == "" || len(value) > most || strings.Trim(value, "0123456789") != "" {
		f.add(path, fmt.Sprintf("write 1 to %d digits in quotes", most),
			"%q is not an identification code", value)
	}
}

func (f *faults) oneOf(path, value string, allowed ...string) {
	if !slices.Contains(allowed, value) {
		f.add(path, "use "+strings.Join(allowed, ", "), "%q is unknown", value)
	}
}

func (f *faults) between(path string, value, least, most int) {
	if value < least || value > most {
		f.add(path, fmt.Sprintf("use %d to %d", least, most), "%d is out of range", value)
	}
}

func (f *faults) duration(path string, value, least, most time.Duration) {
	if value < least || value > most {
		f.add(path, fmt.Sprintf("use %s to %s", least, most), "%s is out of range", value)
	}
}

func (f *faults) noTwice(path string, values []string) {
	for i, value := range values {
		if slices.Contains(values[:i], value) {
			f.add(path, "name it once", "%q is there twice", value)
		}
	}
}

func (f *faults) address(path, value string) {
	const hint = `write host:port, as "127.0.0.1:7101"`
	_, port, err := net.SplitHostPort(value)
	if err != nil {
		f.add(path, hint, "%q is not an address", value)
		return
	}
	if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		f.add(path, hint, "%q has no valid port", value)
	}
}
