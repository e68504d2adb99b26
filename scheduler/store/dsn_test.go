package store_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
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
		{"a password with a slash and a question mark", "postgres://curfew:s/e?c@ret@db/curfew", "postgres://curfew:REDACTED@db/curfew"},
		{"a password of digits and a slash", "postgres://curfew:12/3@db", "postgres://curfew:REDACTED@db"},
		{"a connection string", "host=db password=known-password", "a database whose address cannot be read"},
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

// What is no path and no address must not become a file, whose name would be the password.
func TestDatabaseThatCannotBeReadIsRefused(t *testing.T) {
	refused := []struct{ name, dsn string }{
		{"nothing", ""},
		{"keywords", "host=db.internal user=curfew password=known-password dbname=curfew"},
		{"keywords, the password first", "password=known-password host=db"},
		{"keywords with blanks", "Data Source = db; Password = known-password"},
		{"one slash", "postgres:/u:known-password@db/curfew"},
		{"no slash", "postgresql:u:known-password@db/curfew"},
		{"no colon", "postgres//u:known-password@db/curfew"},
		{"capitals", "POSTGRES://u:known-password@db/curfew"},
		{"another kind", "mysql://u:known-password@db/curfew"},
		{"no scheme", "u:known-password@db/curfew"},
		{"no scheme after slashes", "//u:known-password@db/curfew"},
		{"a blank before", " postgres://u:known-password@db/curfew"},
		{"a line after", "postgres://u:known-password@db/curfew\nx"},
		{"a path with options", "curfew.db?_pragma=x"},
		{"SQLite's own form", "file:curfew.db"},
		{"memory", "file::memory:"},
		{"an at sign in the password", "postgres://u:known@password@db/curfew"},
		{"a slash and an at sign in the password", "postgres://u:12/known-password@db/curfew"},
		{"a question mark and an at sign in the password", "postgres://u:12/x?known-password@db/curfew"},
	}
	for _, tt := range refused {
		t.Run(tt.name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			st, err := store.Open(t.Context(), store.Options{DSN: tt.dsn})
			if err == nil {
				_ = st.Close()
				t.Fatal("it was opened")
			}
			for _, err := range []error{err, store.CheckDSN(tt.dsn)} {
				if err == nil || !strings.Contains(err.Error(), "want the path of a SQLite file, or postgres://") || strings.Contains(err.Error(), "known") || strings.Contains(err.Error(), "password@") {
					t.Errorf("Open = %v, want what is wanted and nothing of the password", err)
				}
			}
			if files, err := os.ReadDir("."); err != nil || len(files) > 0 {
				t.Errorf("it left %v, %v", files, err)
			}
			if got := store.Place(tt.dsn); strings.Contains(got, "known") || strings.Contains(got, "password@") {
				t.Errorf("Place = %q", got)
			}
		})
	}
	for _, dsn := range []string{
		"curfew.db", "./host=db.db", filepath.Join(t.TempDir(), "curfew.db"), "data/curfew 2.db", "postgres://db/curfew", "postgres://u:p?w@db/curfew", "postgresql://u:p%40w@a,b:5433/curfew?sslmode=require",
		"postgres:///curfew?host=/run/postgresql&password=a@b",
	} {
		if err := store.CheckDSN(dsn); err != nil {
			t.Errorf("CheckDSN(%q) = %v, want it accepted", dsn, err)
		}
	}
}

// What pgx says of a URL is shown without the URL.
func TestBrokenURLIsReportedWithoutItsPassword(t *testing.T) {
	for _, tt := range []struct{ dsn, says string }{
		{"postgres://u:known-password@db:x/curfew", "invalid port"},
		{"postgres://u:known-password@db:99999/curfew", "invalid port"},
		{"postgres://u:known-password@db/curfew?sslmode=maybe", "sslmode is invalid"},
		{"postgres://u:known password@db/curfew", "unexpected spaces"},
		{"postgres://u:known%zzpassword@db/curfew", "percent-encoded"},
		{"postgres://db/curfew?password=known-password&connect_timeout=x", "invalid connect_timeout;"},
		{"postgres://u:known-password@db/curfew?pool_max_conns=x", "its settings of a pool"},
	} {
		_, err := store.Open(t.Context(), store.Options{DSN: tt.dsn})
		if err == nil || !strings.Contains(err.Error(), tt.says) || strings.Contains(err.Error(), "known") || strings.Contains(err.Error(), "strconv") {
			t.Errorf("Open(%q) = %v, want %q and no password", tt.dsn, err, tt.says)
		}
	}
}

func TestPasswordsOfADatabase(t *testing.T) {
	for dsn, want := range map[string][]string{
		"curfew.db":                               nil,
		"postgres://curfew:p%40w@db/curfew":       {"p%40w", "p@w"},
		"postgres://db/curfew?user=u&password=ab": {"", "", "ab", "ab"},
		"host=db password=known-password":         {"host=db password=known-password"},
	} {
		if got := store.Passwords(dsn); !slices.Equal(got, want) {
			t.Errorf("Passwords(%q) = %q, want %q", dsn, got, want)
		}
	}
}

// Whatever the password is: it is in the list, or the DSN is refused; and it is never shown.
func FuzzPasswordOfADatabase(f *testing.F) {
	for _, p := range []string{"known@password", "12/known-pw", "a?b@c/known", "p%40w", "#known", "=known="} {
		f.Add(p)
	}
	f.Fuzz(func(t *testing.T, password string) {
		if len(password) < 4 || strings.ContainsAny(password, ":") || strings.Contains("postgres://curfew:REDACTED@db/name a database whose address cannot be read", password) {
			t.Skip()
		}
		dsn := "postgres://curfew:" + password + "@db/name"
		if err := store.CheckDSN(dsn); err == nil && !slices.Contains(store.Passwords(dsn), password) {
			t.Errorf("%q is accepted, and its passwords are %q", dsn, store.Passwords(dsn))
		}
		if got := store.Place(dsn); strings.Contains(got, password) {
			t.Errorf("Place(%q) = %q", dsn, got)
		}
	})
}
