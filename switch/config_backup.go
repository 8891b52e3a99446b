package cardswitch

import (
	"path/filepath"
	"strings"
	"time"
)

// BackupConfig says where and when the node's books are copied, and how long copies are kept.
type BackupConfig struct {
	// To is the target: a folder on another machine's disk, or s3://BUCKET/PREFIX. "" is none.
	To      string        `yaml:"to"`
	KeyFile string        `yaml:"key_file"` // seals all that lies there
	Every   time.Duration `yaml:"every"`    // 0: only by command
	// Tail is how often what changed is copied, so that any moment can be brought back; 0: never.
	Tail   time.Duration `yaml:"tail"`
	RateMB int           `yaml:"rate_mb"` // a second, read for a backup; 0: no bound
	Keep   KeepConfig    `yaml:"keep"`
	S3     S3Config      `yaml:"s3"`
}

// S3Config says how a store that speaks S3 is reached.
type S3Config struct {
	Endpoint  string `yaml:"endpoint"` // "": Amazon's
	Region    string `yaml:"region"`
	PathStyle bool   `yaml:"path_style"` // the bucket in the path of an address
	CA        string `yaml:"ca"`         // in PEM; "": those that the machine trusts
	// Credentials is a file as the tools of Amazon have it; "": from the environment, as there.
	Credentials string `yaml:"credentials"`
}

// KeepConfig says which backups a prune leaves: the newest ones, and the last of so many hours,
// days, weeks and months that have one.
type KeepConfig struct {
	Last    int `yaml:"last"`
	Hourly  int `yaml:"hourly"`
	Daily   int `yaml:"daily"`
	Weekly  int `yaml:"weekly"`
	Monthly int `yaml:"monthly"`
	// Tails is for how long any moment can be brought back.
	Tails time.Duration `yaml:"tails"`
}

func (b *BackupConfig) complete(data string) {
	setDefault(&b.KeyFile, filepath.Join(data, "backup.key"))
	if b.Keep == (KeepConfig{}) {
		b.Keep = KeepConfig{Last: 4, Hourly: 24, Daily: 7, Weekly: 5, Monthly: 12}
	}
	setDefault(&b.S3.Region, "us-east-1")
	setDefault(&b.Keep.Tails, 7*24*time.Hour)
}

const leastBackupEvery = time.Minute

func (b *BackupConfig) validate(f *faults, path string) {
	f.required(path+".key_file", b.KeyFile, "name the file of the backup key")
	if b.Every != 0 {
		f.duration(path+".every", b.Every, leastBackupEvery, 7*24*time.Hour)
		f.required(path+".to", b.To, "name the folder, or s3://BUCKET/PREFIX, for backups")
	}
	if b.Tail != 0 {
		f.duration(path+".tail", b.Tail, time.Second, time.Hour)
		if b.Every == 0 {
			f.add(path+".every", "1h, say", "tails go behind backups, and none are made by themselves")
		}
	}
	f.duration(path+".keep.tails", b.Keep.Tails, time.Hour, 3660*24*time.Hour)
	f.between(path+".rate_mb", b.RateMB, 0, 1<<20)
	f.between(path+".keep.last", b.Keep.Last, 1, 10_000)
	f.between(path+".keep.hourly", b.Keep.Hourly, 0, 10_000)
	f.between(path+".keep.daily", b.Keep.Daily, 0, 10_000)
	f.between(path+".keep.weekly", b.Keep.Weekly, 0, 10_000)
	f.between(path+".keep.monthly", b.Keep.Monthly, 0, 10_000)
	if rest, ok := strings.CutPrefix(b.To, "s3://"); ok && (rest == "" || rest[0] == '/') {
		f.add(path+".to", "write s3://BUCKET/PREFIX", "names no bucket")
	}
}
