package main

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestDatabaseAuthIsCheckedBeforeAnythingIsOpened(t *testing.T) {
	tests := []struct{ name, database, auth, want string }{
		{"an unknown way", "curfew.db", "kerberos", `--database-auth: unknown way "kerberos" to sign in to the database; want password or entra`},
		{"no letters of ours", "curfew.db", "Entra", "want password or entra"},
		{"SQLite has no password", "curfew.db", "entra", "SQLite has no password"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			code, _, errs := command(t, map[string]string{"CURFEW_DATABASE_AUTH": tt.auth}, "--config", filepath.Join("..", "..", "schedules.yaml"), "serve", "--database", filepath.Join(t.TempDir(), tt.database))
			if code != exitUsage || !strings.Contains(errs, tt.want) {
				t.Errorf("curfew serve exited %d: %s", code, errs)
			}
		})
	}
}
