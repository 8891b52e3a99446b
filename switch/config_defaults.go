package cardswitch

import (
	"path/filepath"
	"time"
)

// Defaults is the configuration before a file, the environment or a flag says
// otherwise. It has no centers; Complete fills in theirs.
func Defaults() Config {
	return Config{
		Node: "node-1",
		Data: DataConfig{
			Dir:           "./data",
			CreateKey:     true,
			RetentionDays: 90,
			MinFreeMB:     512,
		},
		Admin: AdminConfig{HTTP: "127.0.0.1:9583"},
		Log:   LogConfig{Level: "info", Format: "json"},
	}
}

// Complete fills what was left out with its default, centers and links too.
// A value that was given is never changed.
func (c *Config) Complete() {
	setDefault(&c.Data.KeyFile, filepath.Join(c.Data.Dir, "data.key"))
	setDefault(&c.Admin.Socket, filepath.Join(c.Data.Dir, "admin.sock"))
	c.Keys.complete(c.Data.Dir)
	c.Audit.complete(c.Data.Dir)
	c.Vault.complete(c.Data.Dir)
	c.Backup.complete(c.Data.Dir)
	c.Checks.complete()
	c.Cluster.complete()
	for i := range c.Centers {
		c.Centers[i].complete()
	}
}

// Path is a file the configuration names, relative to the configuration's
// folder. The data folder and the socket are relative to the working directory.
func (c *Config) Path(name string) string {
	if name == "" || filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(c.Dir, name)
}

func (c *CenterConfig) complete() {
	setDefault(&c.Dialect, "ascii-binary")
	if c.Tokens != nil {
		c.Tokens.complete(c.Name)
	}
	if c.Adjustments == nil {
		c.Adjustments = &AdjustmentsConfig{}
	}
	c.Adjustments.complete(c.Role)
	setDefault(&c.Timezone, "Asia/Tokyo")
	setDefault(&c.KeyChange, KeyChangePeer)
	setDefault(&c.Echo.After, 60*time.Second)
	setDefault(&c.Echo.Wait, 10*time.Second)
	setDefault(&c.Echo.Misses, 3)
	switch c.Role {
	case RoleMerchant:
		c.completeMerchant()
	case RoleIssuer:
		c.completeIssuer()
	}
	if c.Security != nil {
		c.Security.complete()
	}
	if c.Reconciliation != nil {
		c.Reconciliation.complete(c.Role)
	}
	for i := range c.Links {
		c.Links[i].complete(c.Name)
	}
}

func (c *CenterConfig) completeMerchant() {
	setDefault(&c.SignOn, SignOnPeer)
	setDefault(&c.Window, 4096)
	setDefault(&c.AnswerTime, 25*time.Second)
	setDefault(&c.UnknownOriginal, 914)
	if len(c.Messages) == 0 {
		c.Messages = []string{"1100", "1120", "1200", "1220", "1420", "1804"}
	}
}

func (c *CenterConfig) completeIssuer() {
	setDefault(&c.SignOn, SignOnUs)
	setDefault(&c.Window, 8192)
	setDefault(&c.AnswerTime, 20*time.Second)
	if c.Failover == nil {
		c.Failover = &FailoverConfig{}
	}
	if c.SAF == nil {
		c.SAF = &SAFConfig{}
	}
	c.Failover.complete()
	c.SAF.complete()
	if c.StandIn != nil {
		c.StandIn.complete()
	}
	if c.Negative != nil {
		c.Negative.complete()
	}
}

func (f *FailoverConfig) complete() {
	setDefault(&f.Errors, 5)
	setDefault(&f.Within, 10*time.Second)
	setDefault(&f.Slow, 5*time.Second)
	setDefault(&f.Hold, 30*time.Second)
}

func (s *SAFConfig) complete() {
	setDefault(&s.First, 5*time.Second)
	setDefault(&s.Wait, 30*time.Second)
	setDefault(&s.BackoffMax, 10*time.Minute)
	setDefault(&s.AlarmAfter, 6)
	setDefault(&s.InFlight, 32)
	if s.Retry == nil {
		s.Retry = []int{906, 907, 909, 910, 911, 912, 920, 923}
	}
	if s.Shelve == nil {
		s.Shelve = []int{902, 904, 905, 914, 921}
	}
}

func (l *LinkConfig) complete(center string) {
	if l.Listen != "" {
		setDefault(&l.MaxConnections, 64)
	}
	setDefault(&l.Framing.Length, "binary2")
	setDefault(&l.ReadTimeout, 3*time.Minute)
	setDefault(&l.WriteTimeout, 10*time.Second)
	setDefault(&l.MaxFrame, 8192)
	setDefault(&l.QueueMB, 8)
	if e := l.Envelope; e != nil {
		setDefault(&e.ID, center+"/"+l.Name)
		setDefault(&e.Share, ShareNever)
		setDefault(&e.Epoch, time.Hour)
	}
}

// setDefault sets what has its zero value. A switch has no setting whose zero
// is a wish, save booleans, and they all default to false below the top level.
func setDefault[T comparable](value *T, otherwise T) {
	var zero T
	if *value == zero {
		*value = otherwise
	}
}
