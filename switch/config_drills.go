package cardswitch

import (
	"fmt"
	"time"
)

// DrillsConfig says which failures are practised how often (`cardswitch drill`).
type DrillsConfig struct {
	// Scratch is the folder into which a backup is brought back for a drill; "": the data folder.
	Scratch  string      `yaml:"scratch,omitempty"`
	Calendar []DrillRule `yaml:"calendar,omitempty"`
}

// DrillRule is how often one kind of drill is due.
type DrillRule struct {
	Kind string `yaml:"kind"`
	Days int    `yaml:"days"`
}

// Every is the same as a time.
func (r *DrillRule) Every() time.Duration { return time.Duration(r.Days) * 24 * time.Hour }

func (d *DrillsConfig) validate(f *faults, path string) {
	var kinds []string
	for i, rule := range d.Calendar {
		at := fmt.Sprintf("%s.calendar[%d]", path, i)
		f.oneOf(at+".kind", rule.Kind, "node", "link", "restore", "network", "disk", "site")
		f.between(at+".days", rule.Days, 1, 3660)
		kinds = append(kinds, rule.Kind)
	}
	f.noTwice(path+".calendar", kinds)
}
