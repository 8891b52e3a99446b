package admin

import (
	"context"
	"errors"
	"net/http"

	"cardswitch/store"
	"cardswitch/store/audit"
	cardswitch "cardswitch/switch"
)

// BackupOrder asks for a backup.
type BackupOrder struct {
	Whole bool   `json:"whole,omitempty"` // everything anew
	Why   string `json:"why,omitempty"`
}

// BackupProgress is a line of `backup create` on its way.
type BackupProgress struct {
	Progress any `json:"progress"`
}

// BackupMade is its last line.
type BackupMade struct {
	Error  string `json:"error,omitempty"`
	Hint   string `json:"hint,omitempty"`
	ID     string `json:"id,omitempty"`
	Last   uint64 `json:"last"` // the newest record in it
	Files  int    `json:"files"`
	Bytes  int64  `json:"bytes"`
	Copied int64  `json:"copied"` // of these, what wasn't at the target before
	Stored int64  `json:"stored"` // written to the target for it
	MS     int64  `json:"ms"`
}

// Backup makes a backup of the node and tells how far it is.
type Backup func(ctx context.Context, o BackupOrder, progress func(any)) (*BackupMade, error)

func (s *Server) backupRoutes() []route {
	order := []string{cardswitch.Operator, cardswitch.Administrator}
	return []route{{"POST /v1/backup", s.backup, order, false, audit.BackupTaken}}
}

// backup may take long, and says how far it is.
func (s *Server) backup(w http.ResponseWriter, r *http.Request) {
	var order BackupOrder
	if err := body(w, r, &order); err != nil {
		refuse(w, err)
		return
	}
	out := newLines(w)
	defer out.close()
	made, err := s.Backup(r.Context(), order, func(p any) { _ = out.write(BackupProgress{p}) })
	if err != nil {
		made = &BackupMade{Error: err.Error()}
		var failed *store.Error
		if errors.As(err, &failed) {
			made.Error, made.Hint = failed.Op+": "+failed.Err.Error(), failed.Hint
		}
	}
	_ = out.write(made)
}
