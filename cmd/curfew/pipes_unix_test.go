//go:build unix

package main

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestNamedPipeInPlaceOfAFileHoldsNothingUp puts a pipe that nobody writes to where the daemon
// reads a file.
func TestNamedPipeInPlaceOfAFileHoldsNothingUp(t *testing.T) {
	t.Parallel()
	tests := []struct {
		file   string
		status int    // of a reload
		says   string // the answer to it
		reads  int    // the status of reading after it
	}{
		{"schedules.yaml", http.StatusUnprocessableEntity, "is no regular file", http.StatusOK},
		{"days.ics", http.StatusUnprocessableEntity, "is no regular file", http.StatusOK},
		{"api-token", http.StatusUnauthorized, "a token is needed", http.StatusOK},
		{"token", http.StatusOK, "reloaded", http.StatusOK},
	}
	for _, tt := range tests {
		t.Run(tt.file, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, "  - {name: evening, environments: [dev-00], uptime: mon-fri 07:00-19:00, calendar: days}\ncalendars: [{name: days, ics: days.ics}]\n")
			s.write("days.ics", "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:test\r\nEND:VCALENDAR\r\n")
			s.write("api-token", e2eAPI)
			s.env = []string{"CURFEW_API_TOKEN=", "CURFEW_API_TOKEN_FILE=" + filepath.Join(s.dir, "api-token")}
			s.start()
			pipe := filepath.Join(s.dir, "pipe")
			if err := syscall.Mkfifo(pipe, 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Rename(pipe, filepath.Join(s.dir, tt.file)); err != nil {
				t.Fatal(err)
			}
			if status, said := s.within("POST", "/api/v1/reload"); status != tt.status || !strings.Contains(said, tt.says) {
				t.Errorf("reload = %d %s, want %d and %q", status, said, tt.status, tt.says)
			}
			if status, said := s.within("GET", "/api/v1/environments"); status != tt.reads {
				t.Errorf("environments = %d %s, want %d", status, said, tt.reads)
			}
			s.stop()
		})
	}
}
