package cardswitch

import "path/filepath"

// AuditConfig says where the audit log is: what people did, and what was done with keys.
type AuditConfig struct {
	Dir string `yaml:"dir"` // its folder
	// KeyFile gets the log's first key when the log is made. Whoever has it can check every record;
	// it is for the auditor and should leave the machine.
	KeyFile string `yaml:"key_file"`
	// Anchors is a file, best on another machine's disk, that gets the signed anchors of the log; ""
	// keeps none elsewhere.
	Anchors string `yaml:"anchors"`
}

func (a *AuditConfig) complete(data string) {
	setDefault(&a.Dir, filepath.Join(data, "audit"))
	setDefault(&a.KeyFile, filepath.Join(data, "audit.key"))
}

func (a *AuditConfig) validate(f *faults, path string) {
	f.required(path+".dir", a.Dir, "name the folder of the audit log")
	f.required(path+".key_file", a.KeyFile, "name the file of its first key")
}
