package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cardswitch/dr/backup/s3"
	cardswitch "cardswitch/switch"
)

func TestBackupTargets(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "credentials")
	text := "# ours\n[other]\naws_access_key_id = no\n[default]\naws_access_key_id = ours\n" +
		"aws_secret_access_key=a=b\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c := cardswitch.Config{Dir: dir, Backup: cardswitch.BackupConfig{To: "s3://bucket/tokyo/1",
		S3: cardswitch.S3Config{Endpoint: "https://store.example.com", Credentials: "credentials"}}}
	target, err := backupTarget(&c)
	if err != nil || target.String() != "s3://bucket/tokyo/1 at bucket.store.example.com" {
		t.Fatalf("%v, %v", target, err)
	}
	if got := parseCredentials(text); got != (s3.Credentials{ID: "ours", Secret: "a=b"}) {
		t.Errorf("%+v", got)
	}
	if err := os.Chmod(file, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err = backupTarget(&c); err == nil || !strings.Contains(err.Error(), "open to others") {
		t.Errorf("%v", err)
	}
	c.Backup.S3.Credentials = ""
	t.Setenv("AWS_ACCESS_KEY_ID", "")
	if _, err = backupTarget(&c); err == nil || !strings.Contains(err.Error(), "no credentials") {
		t.Errorf("%v", err)
	}
	t.Setenv("AWS_ACCESS_KEY_ID", "ours")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	if _, err = backupTarget(&c); err != nil {
		t.Error(err)
	}
	c.Backup.S3.CA = "credentials"
	if _, err = backupTarget(&c); err == nil || !strings.Contains(err.Error(), "no certificate") {
		t.Errorf("%v", err)
	}
}
