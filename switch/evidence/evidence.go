// Package evidence keeps the audit log of a node: who did what, and what was done with keys.
//
// Package audit knows how a log is sealed; here is what goes into it, and from where. The log is
// made at the first start. Its first key goes to a file, for the auditor to take away; its public
// key stays beside the log, so that anchors can be checked here too. Whatever can't be recorded
// isn't done: an error of Append or Audit stops what was to be done.
//
// Goroutines: one that records what the path of messages tells (Security), ended by Close.
package evidence

import (
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"

	"cardswitch/hsm/keyring"
	"cardswitch/store/audit"
	cardswitch "cardswitch/switch"
	"cardswitch/switch/txn"
)

// Log is a node's audit log.
type Log struct {
	*audit.Log
	config cardswitch.AuditConfig
	log    *slog.Logger
	events chan cardswitch.SecurityEvent
	lost   atomic.Uint64
	ended  chan struct{}
}

// eventsWaiting is how many events of messages may wait for the disk. More are counted only.
const eventsWaiting = 1024

// Open goes on with the log of a configuration, or makes it.
func Open(c *cardswitch.AuditConfig, log *slog.Logger) (*Log, error) {
	l := &Log{config: *c, log: log, events: make(chan cardswitch.SecurityEvent, eventsWaiting),
		ended: make(chan struct{})}
	o := audit.Options{Dir: c.Dir, Logger: log, Anchored: l.anchored}
	if _, err := os.Stat(l.publicFile()); errors.Is(err, fs.ErrNotExist) {
		if err := l.create(o); err != nil {
			return nil, err
		}
	}
	opened, err := audit.Open(o)
	if err != nil {
		return nil, err
	}
	l.Log = opened
	go l.record()
	return l, nil
}

// publicFile is where the public key is: beside the log, for it is no part of it.
func (l *Log) publicFile() string { return filepath.Clean(l.config.Dir) + ".public" }

// create makes the log, and hands its first key out.
func (l *Log) create(o audit.Options) error {
	if err := os.MkdirAll(filepath.Dir(filepath.Clean(l.config.Dir)), 0o700); err != nil {
		return fmt.Errorf("audit.dir: %w", err)
	}
	return audit.Create(o, func(b audit.Birth) error {
		text, err := b.Export(nil)
		if err != nil {
			return err
		}
		defer clear(text)
		if err := writeNew(l.config.KeyFile, text, 0o600); err != nil {
			return fmt.Errorf("audit.key_file: %w", err)
		}
		l.log.Warn("the audit log is made; its first key is for the auditor",
			"file", l.config.KeyFile, "hint", "`cardswitch audit export-key --remove` takes it away")
		return writeNew(l.publicFile(), []byte(hex.EncodeToString(b.Public)+"\n"), 0o644)
	})
}

// writeNew writes a file durably. One that a creation that came to nothing left is replaced.
func writeNew(name string, text []byte, mode fs.FileMode) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, mode)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Sync(), f.Close())
}

// anchored keeps an anchor where the configuration says.
func (l *Log) anchored(line []byte) {
	if l.config.Anchors == "" {
		return
	}
	f, err := os.OpenFile(l.config.Anchors, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err == nil {
		_, err = f.Write(append(line, '\n'))
		err = errors.Join(err, f.Sync(), f.Close())
	}
	if err != nil {
		l.log.Error("an anchor of the audit log couldn't be kept elsewhere", "error", err,
			"hint", "see audit.anchors")
	}
}

// Public is the key that anchors are checked with.
func (l *Log) Public() (ed25519.PublicKey, error) { return ReadPublic(l.publicFile()) }

// ReadPublic reads a public key's file.
func ReadPublic(name string) (ed25519.PublicKey, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	key, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(key) != ed25519.PublicKeySize {
		return nil, fmt.Errorf("%s holds no public key of an audit log", name)
	}
	return key, nil
}

// Read gives the newest records that a filter takes.
func (l *Log) Read(f audit.Filter) ([]audit.Record, error) { return audit.Read(l.config.Dir, f) }

// Verify checks the log: all records if the first key is still here, else up to the newest anchor.
// It says which.
func (l *Log) Verify() (r audit.Report, whole bool, err error) {
	var c audit.Check
	if c.Public, err = l.Public(); err != nil {
		return r, false, err
	}
	if birth, err := ReadBirth(l.config.KeyFile); err == nil {
		c.Key, whole = birth.Key, true
	}
	r, err = audit.Verify(l.config.Dir, c)
	return r, whole, err
}

// ReadBirth reads the first key of a log.
func ReadBirth(name string) (audit.Birth, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return audit.Birth{}, err
	}
	defer clear(text)
	return audit.ParseBirth(text, nil)
}

// KeyFile is the first key as it is for the auditor. Empty is one that was taken away.
func (l *Log) KeyFile() ([]byte, error) {
	text, err := os.ReadFile(l.config.KeyFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return text, err
}

// RemoveKey takes the first key from this machine.
func (l *Log) RemoveKey() error {
	f, err := os.OpenFile(l.config.KeyFile, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err == nil {
		_, err = f.WriteAt(make([]byte, info.Size()), 0)
	}
	return errors.Join(err, f.Sync(), f.Close(), os.Remove(l.config.KeyFile))
}

// Audit records what was done with a key, or in a ceremony, or was to be done and wasn't.
func (l *Log) Audit(ctx context.Context, e keyring.Event) error {
	entry := audit.Entry{Actor: e.Who, Role: e.Role, Event: eventOf(e.What), Object: e.Key,
		Reason: e.Why, Result: audit.Done}
	if entry.Actor == "" {
		entry.Actor = "(nobody)"
	}
	if e.What != entry.Event.String() && entry.Event != audit.AccessDenied {
		entry.Object = strings.TrimSpace(e.What + " " + e.Key)
	}
	if e.Err != nil {
		entry.Result = audit.Refused
		entry.Reason = strings.TrimSpace(entry.Reason + " (" + e.Err.Error() + ")")
	}
	_, err := l.Append(ctx, entry)
	return err
}

// eventOf is the kind of what a key ring, or a ceremony, says that it did.
func eventOf(what string) audit.Event {
	switch what {
	case "access":
		return audit.AccessDenied
	case "generate", "form", "form in clear":
		return audit.KeyGenerated
	case "import", "adopt":
		return audit.KeyImported
	case "export", "reveal":
		return audit.KeyExported
	case "retire":
		return audit.KeyRetired
	case "destroy":
		return audit.KeyDestroyed
	case "confirm", "exchange":
		return audit.KeyExchanged
	case "ceremony.component":
		return audit.KeyComponent
	case "ceremony.approve":
		return audit.KeyApproved
	case "ceremony.start", "ceremony.cancel":
		return audit.KeyRequested
	}
	return audit.KeyActivated // activate, send, serve
}

// Security takes what concerns the security of messages. It returns at once.
func (l *Log) Security(e cardswitch.SecurityEvent) {
	select {
	case l.events <- e:
	default:
		if l.lost.Add(1) == 1 {
			l.log.Error("the audit log is too slow for what messages tell; some is counted only",
				"hint", "see cardswitch_security_events_total")
		}
	}
}

// record writes what Security took. It ends when the events do.
func (l *Log) record() {
	defer close(l.ended)
	for e := range l.events {
		entry := audit.Entry{Actor: e.Center, Role: "center", Source: e.Link,
			Event: audit.MessageRefused, Object: strings.TrimSpace(messageOf(&e)),
			Reason: e.Reason.String(), Result: audit.Refused}
		if e.Reason == txn.CardSuspect {
			entry.Event, entry.Result = audit.TerminalSuspected, audit.Done
		}
		if entry.Actor == "" {
			entry.Actor = "(nobody)"
		}
		if _, err := l.Append(context.Background(), entry); err != nil {
			l.log.Error("an event couldn't be recorded", "event", e.Reason.String(), "error", err)
		}
	}
}

func messageOf(e *cardswitch.SecurityEvent) string {
	var parts []string
	if e.MTI != 0 {
		parts = append(parts, "message "+e.MTI.String())
	}
	if e.Terminal != "" {
		parts = append(parts, "terminal "+e.Terminal)
	}
	if e.Key != (keyring.Slot{}) {
		parts = append(parts, "key "+e.Key.String())
	}
	return strings.Join(parts, ", ")
}

// Close records that the log stops. Nobody may tell it anything any more.
func (l *Log) Close() error {
	close(l.events)
	<-l.ended
	return l.Log.Close()
}
