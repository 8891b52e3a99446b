package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"cardswitch/dr/backup"
	"cardswitch/dr/backup/s3"
	cardswitch "cardswitch/switch"
)

// backupTarget is the target that a configuration names.
func backupTarget(c *cardswitch.Config) (backup.Target, error) {
	b := &c.Backup
	if b.To == "" {
		return nil, wrongUsage("no target for backups is named", "set backup.to, or use --target")
	}
	rest, remote := strings.CutPrefix(b.To, "s3://")
	if !remote {
		return backup.Folder(b.To), nil
	}
	bucket, prefix, _ := strings.Cut(rest, "/")
	client, err := storeClient(c)
	if err != nil {
		return nil, err
	}
	credentials, err := storeCredentials(c.Path(b.S3.Credentials))
	if err != nil {
		return nil, err
	}
	target, err := s3.New(s3.Options{Bucket: bucket, Prefix: prefix, Endpoint: b.S3.Endpoint,
		Region: b.S3.Region, PathStyle: b.S3.PathStyle, Credentials: credentials, HTTP: client})
	if err != nil {
		return nil, wrongUsage(err.Error(), "see backup.s3 in `cardswitch config sample`")
	}
	return target, nil
}

// storeClient trusts the authority that the configuration names, or those of the machine.
func storeClient(c *cardswitch.Config) (*http.Client, error) {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	if name := c.Backup.S3.CA; name != "" {
		authority, err := os.ReadFile(c.Path(name))
		if err != nil {
			return nil, fmt.Errorf("backup.s3.ca: %w", err)
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(authority) {
			return nil, fmt.Errorf("backup.s3.ca: %s holds no certificate in PEM", name)
		}
		transport.TLSClientConfig.RootCAs = pool
	}
	return &http.Client{Transport: transport}, nil
}

// storeCredentials come from a file as the tools of Amazon have it, its part [default], or from the
// environment under their names.
func storeCredentials(name string) (s3.Credentials, error) {
	if name == "" {
		c := s3.Credentials{ID: os.Getenv("AWS_ACCESS_KEY_ID"),
			Secret: os.Getenv("AWS_SECRET_ACCESS_KEY"), Token: os.Getenv("AWS_SESSION_TOKEN")}
		if c.ID == "" || c.Secret == "" {
			return c, wrongUsage("there are no credentials for the store of the backups",
				"set backup.s3.credentials, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
		}
		return c, nil
	}
	info, err := os.Stat(name)
	if err == nil && info.Mode().Perm()&0o077 != 0 {
		err = fmt.Errorf("%s is open to others (mode %04o): chmod 600 it, and change the credentials",
			filepath.Base(name), info.Mode().Perm())
	}
	var text []byte
	if err == nil {
		text, err = os.ReadFile(name)
	}
	c := parseCredentials(string(text))
	if err == nil && (c.ID == "" || c.Secret == "") {
		err = errors.New("it has no aws_access_key_id and aws_secret_access_key under [default]")
	}
	if err != nil {
		return c, fmt.Errorf("backup.s3.credentials: %w", err)
	}
	return c, nil
}

func parseCredentials(text string) (c s3.Credentials) {
	section := "default"
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "[") {
			section = strings.Trim(line, "[] \t")
		}
		name, value, ok := strings.Cut(line, "=")
		if !ok || section != "default" || strings.HasPrefix(line, "#") {
			continue
		}
		value = strings.TrimSpace(value)
		switch strings.TrimSpace(name) {
		case "aws_access_key_id":
			c.ID = value
		case "aws_secret_access_key":
			c.Secret = value
		case "aws_session_token":
			c.Token = value
		}
	}
	return c
}
