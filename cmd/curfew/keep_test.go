package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"curfew/scheduler/web/api"
)

// TestTimesWithoutOffsetAreOfTheFilesZone asks a daemon that only writes down what it
// is sent.
func TestTimesWithoutOffsetAreOfTheDaemonsOrTheFilesZone(t *testing.T) {
	var sent api.OverrideRequest
	var since, daemons string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/api/v1/file" && daemons != "" {
			_ = json.NewEncoder(w).Encode(api.File{Digest: "d1", Timezone: daemons})
			return
		}
		if strings.HasSuffix(r.URL.Path, "/runs") {
			since = r.URL.Query().Get("since")
			_, _ = w.Write([]byte(`{"items":[],"next_cursor":null}`))
			return
		}
		if r.Method == http.MethodPost {
			if err := json.NewDecoder(r.Body).Decode(&sent); err != nil {
				t.Error(err)
			}
			_, _ = w.Write([]byte(`{"id":"k3f9x2ab"}`))
			return
		}
		_, _ = w.Write([]byte(`{"items":[{"name":"b"}],"next_cursor":null}`))
	}))
	defer server.Close()
	file := filepath.Join(t.TempDir(), "schedules.yaml")
	if err := os.WriteFile(file, []byte(mixedFile), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, daemons, args, from, until, since string
	}{
		{"a day", "", "keep b --running --until 2027-12-01", "0001-01-01T00:00:00Z", "2027-12-01T00:00:00+01:00", ""},
		{"a local time", "", "keep b --running --from 2027-07-01T18:00 --until 2027-07-02T06:30", "2027-07-01T18:00:00+02:00", "2027-07-02T06:30:00+02:00", ""},
		{"an offset", "", "keep b --running --until 2027-12-01T00:00:00-05:00", "0001-01-01T00:00:00Z", "2027-12-01T00:00:00-05:00", ""},
		{"history since a day", "", "history --since 2027-12-01", "", "", "2027-12-01T00:00:00+01:00"},
		{"a time after --from", "", "keep b --running --from 2027-07-01T18:00 --until 06:30", "2027-07-01T18:00:00+02:00", "2027-07-02T06:30:00+02:00", ""},
		{"the daemon's zone comes first", "America/New_York", "keep b --running --from 2027-07-01T18:00 --until 06:30", "2027-07-01T18:00:00-04:00", "2027-07-02T06:30:00-04:00", ""},
		{"in history too", "America/New_York", "history --since 2027-12-01", "", "", "2027-12-01T00:00:00-05:00"},
	}
	for _, tt := range tests {
		sent, since, daemons = api.OverrideRequest{}, "", tt.daemons
		args := append([]string{"--config", file}, strings.Fields(tt.args)...)
		if code, _, errs := command(t, nil, append(args, "--server", server.URL)...); code != 0 {
			t.Errorf("%s: exit %d: %s", tt.name, code, errs)
			continue
		}
		if since != tt.since {
			t.Errorf("%s: since %q, want %q", tt.name, since, tt.since)
		}
		const layout = "2006-01-02T15:04:05Z07:00"
		if tt.until != "" && (sent.Until.Format(layout) != tt.until || sent.From.Format(layout) != tt.from) {
			t.Errorf("%s: from %s until %s, want %s and %s", tt.name, sent.From.Format(layout), sent.Until.Format(layout), tt.from, tt.until)
		}
	}
}
