package cardswitch

import (
	"maps"
	"path/filepath"
	"slices"
	"strings"
)

// KeysConfig says which security module has the keys, and where their blocks are kept.
type KeysConfig struct {
	Module string `yaml:"module"` // soft, pkcs11, payshield
	Store  string `yaml:"store"`  // file of the key blocks
	// Of the soft module: its master key, and the file with the passphrase that opens it.
	Master         string          `yaml:"master"`
	PassphraseFile string          `yaml:"passphrase_file"`
	PKCS11         PKCS11Config    `yaml:"pkcs11"`
	PayShield      PayShieldConfig `yaml:"payshield"`
	// Periods says how long keys serve, by purpose.
	Periods map[string]PeriodConfig `yaml:"periods,omitempty"`
}

// The security modules.
const (
	ModuleSoft      = "soft"
	ModulePKCS11    = "pkcs11"
	ModulePayShield = "payshield"
)

func (k *KeysConfig) complete(data string) {
	setDefault(&k.Module, ModuleSoft)
	setDefault(&k.Store, filepath.Join(data, "keys"))
	if k.Module == ModulePayShield {
		k.PayShield.complete()
	}
	if k.Has(ModuleSoft) {
		setDefault(&k.Master, filepath.Join(data, "master.key"))
	}
}

// Has tells whether a module is used: alone, or beside a payment HSM.
func (k *KeysConfig) Has(module string) bool {
	return k.Module == module || k.Module == ModulePayShield && k.PayShield.Beside == module
}

func (k *KeysConfig) validate(f *faults, path string, production bool) {
	f.oneOf(path+".module", k.Module, ModuleSoft, ModulePKCS11, ModulePayShield)
	k.validatePeriods(f, path+".periods")
	f.required(path+".store", k.Store, "name the file of the key blocks")
	k.PKCS11.validate(f, path+".pkcs11", k.Has(ModulePKCS11))
	k.PayShield.validate(f, path+".payshield", k.Has(ModulePayShield), production)
	if k.Has(ModuleSoft) {
		f.required(path+".master", k.Master, "name the file of the master key")
	} else if k.Master != "" || k.PassphraseFile != "" {
		f.add(path+".master", "leave master and passphrase_file out here",
			"the module %s keeps its own master key", k.Module)
	}
	if k.Store != "" && (k.Store == k.Master || k.Store == k.PassphraseFile) ||
		k.Master != "" && k.Master == k.PassphraseFile {
		f.add(path, "name different files", "two of its files are the same")
	}
}

// AccessConfig says who may do what over the operators' socket. People are known by their login on
// this machine: the socket tells which user stands at the other end.
type AccessConfig struct {
	Roles map[string][]string `yaml:"roles,omitempty"`
}

// The roles of people.
const (
	Viewer        = "viewer"        // sees how the switch does
	Operator      = "operator"      // steers links, decides about the work list
	Administrator = "administrator" // changes the configuration, makes and moves keys
	Custodian     = "custodian"     // has a component of keys
	Approver      = "approver"      // the security officer: activates and destroys keys
	Auditor       = "auditor"       // sees everything, checks it, changes nothing
	Revealer      = "revealer"      // is shown whole card numbers, when another approves
)

// Roles lists the roles that people may have.
func Roles() []string {
	return []string{Viewer, Operator, Administrator, Custodian, Approver, Auditor, Revealer}
}

func (a *AccessConfig) validate(f *faults, path string) {
	for _, name := range slices.Sorted(maps.Keys(a.Roles)) {
		at := path + ".roles." + name
		// The keys of the file come in lower case, so other logins could not be told apart.
		if name == "" || len(name) > 32 || strings.ToLower(name) != name ||
			strings.ContainsAny(name, " :,/\t\n") {
			f.add(at, "use the login on this machine, in lower case", "%q is no login", name)
		}
		roles := a.Roles[name]
		if len(roles) == 0 {
			f.add(at, "name a role, or leave the person out", "has no role")
		}
		f.noTwice(at, roles)
		for _, role := range roles {
			f.oneOf(at, role, Roles()...)
		}
		// Whoever has a component must not be who approves the key (PCI PIN 6, DSS 3.7.6).
		if slices.Contains(roles, Custodian) && slices.Contains(roles, Approver) {
			f.add(at, "give the roles to two people", "is both custodian and approver")
		}
		// Whoever checks what was done must not be who did it.
		if slices.Contains(roles, Auditor) && len(roles) > 1 && !slices.Equal(
			slices.Sorted(slices.Values(roles)), []string{Auditor, Viewer}) {
			f.add(at, "an auditor is at most a viewer too", "is an auditor and more")
		}
	}
}
