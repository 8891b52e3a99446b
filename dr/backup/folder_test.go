package backup_test

import (
	"path/filepath"
	"testing"

	"cardswitch/dr/backup"
	"cardswitch/dr/backup/targettest"
)

func TestFolder(t *testing.T) {
	targettest.Run(t, backup.Folder(filepath.Join(t.TempDir(), "target")))
}
