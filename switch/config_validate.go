package cardswitch

import "errors"

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

func (f *faults) add(path, what, hint string) {
	*f = append(*f, &ConfigError{Path: path, What: what, Hint: hint})
}

// Validate returns every fault of a completed configuration, joined.
func (c *Config) Validate() error {
	var f faults
	return errors.Join(f...)
}
