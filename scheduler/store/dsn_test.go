package store_test

import (
	"testing"

	"curfew/scheduler/store"
)

func TestPlaceShowsNoPassword(t *testing.T) {
	tests := []struct{ name, dsn, want string }{
		{"a file", "/var/lib/curfew.db", "/var/lib/curfew.db"},
		{"a URL without a password", "postgres://db:5432/curfew", "postgres://db:5432/curfew"},
		{"a password", "postgres://curfew:secret@db/curfew?sslmode=require", "postgres://curfew:REDACTED@db/curfew"},
		{"a password with a question mark", "postgres://curfew:sec?ret@db/curfew?sslmode=require", "postgres://curfew:REDACTED@db/curfew"},
		{"a password with a slash", "postgres://curfew:sec/ret@db/curfew", "postgres://curfew:REDACTED@db/curfew"},
		{"a password with an at sign", "postgres://curfew:sec@ret@db/curfew", "postgres://curfew:REDACTED@db/curfew"},
		{"a password among the parameters", "postgres://db/curfew?user=curfew&password=sec@ret", "postgres://db/curfew"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := store.Place(tt.dsn); got != tt.want {
				t.Errorf("Place(%q) = %q, want %q", tt.dsn, got, tt.want)
			}
		})
	}
}
