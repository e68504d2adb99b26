package store

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"unicode"

	"github.com/jackc/pgx/v5"
	"go.uber.org/zap"
)

// Shared reports whether a DSN is of a database that replicas share, PostgreSQL.
func Shared(dsn string) bool {
	_, ok := postgresURL(dsn)
	return ok
}

// postgresURL returns what follows the scheme of the URL of a PostgreSQL database.
func postgresURL(dsn string) (rest string, ok bool) {
	scheme, rest, isURL := strings.Cut(dsn, "://")
	return rest, isURL && (scheme == "postgres" || scheme == "postgresql")
}

var (
	// keywords is how a connection string of keywords begins, such as host=db.
	keywords = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_ ]*=`)
	// otherScheme is that of another kind of database.
	otherScheme = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]{1,20}://`)
	// prefixed is how an address begins, or a user and a password.
	prefixed = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+._-]*:`)
	// credentialed is a password before an @, wherever it stands.
	credentialed = regexp.MustCompile(`:[^/]*@`)
)

// CheckDSN refuses what is neither the path of a SQLite file nor the postgres:// URL of a
// database: taken as a file, each replica would have one of its own, with the password in its
// name. An error repeats nothing of the DSN.
func CheckDSN(dsn string) error {
	fault := ""
	rest, shared := postgresURL(dsn)
	switch {
	case dsn == "":
		fault = "it is empty"
	case strings.TrimSpace(dsn) != dsn || strings.ContainsFunc(dsn, unicode.IsControl):
		fault = "it begins or ends with a blank, or has characters that cannot be seen"
	case shared:
		fault = addressFault(rest)
	case keywords.MatchString(dsn):
		fault = "it is a connection string of keywords, such as host=…"
	case otherScheme.MatchString(dsn):
		fault = otherScheme.FindString(dsn) + " is not supported"
	case prefixed.MatchString(strings.TrimPrefix(dsn, filepath.VolumeName(dsn))), strings.Contains(dsn, "://"):
		fault = "it begins as an address does, and not with postgres://"
	case credentialed.MatchString(dsn):
		fault = "it seems to hold a password, and does not begin with postgres://"
	case strings.Contains(dsn, "?"):
		fault = "a file takes no options after a question mark"
	}
	if fault == "" {
		return nil
	}
	return fmt.Errorf("the database cannot be used: %s; want the path of a SQLite file, or postgres://USER:PASSWORD@HOST/DATABASE", fault)
}

// addressFault refuses an @ that pgx would take for the end of the password: half of it would
// become part of the host's name.
func addressFault(rest string) string {
	_, rest = userOf(rest)
	rest, query, _ := strings.Cut(rest, "?")
	if strings.Contains(rest, "@") {
		return "there is an @ after the one before the host; one in the password is written %40, and a slash %2F"
	}
	for pair := range strings.SplitSeq(query, "&") {
		if name, _, _ := strings.Cut(pair, "="); strings.Contains(name, "@") {
			return "there is an @ in the name of a parameter; one in the password is written %40, and a slash %2F"
		}
	}
	return ""
}

// userOf takes the user and the password off an address as pgx does: a question mark may be
// in the password.
func userOf(rest string) (user, host string) {
	if i := strings.IndexAny(rest, "@/"); i >= 0 && rest[i] == '@' {
		return rest[:i], rest[i+1:]
	}
	return "", rest
}

// Place returns a DSN without its password, for logs and errors.
func Place(dsn string) string {
	rest, shared := postgresURL(dsn)
	switch {
	case !shared && CheckDSN(dsn) != nil:
		return "a database whose address cannot be read"
	case !shared:
		return dsn
	}
	scheme, _, _ := strings.Cut(dsn, "://")
	user, host := userOf(rest)
	if i := strings.LastIndex(host, "@"); i >= 0 && addressFault(rest) != "" { // the password has an @ or a slash
		user, host = rest, host[i+1:]
	}
	host, _, _ = strings.Cut(host, "?") // parameters may carry a password too
	if user == "" {
		return scheme + "://" + host
	}
	user, _, _ = strings.Cut(user, ":")
	return scheme + "://" + user + ":REDACTED@" + host
}

// Passwords returns what must not be shown of a DSN: all of it when it cannot be used.
func Passwords(dsn string) []string {
	rest, shared := postgresURL(dsn)
	switch {
	case CheckDSN(dsn) != nil:
		return []string{dsn}
	case !shared:
		return nil
	}
	var list []string
	add := func(text string) {
		list = append(list, text)
		if plain, err := url.PathUnescape(text); err == nil {
			list = append(list, plain)
		}
	}
	user, host := userOf(rest)
	_, password, _ := strings.Cut(user, ":")
	add(password)
	_, query, _ := strings.Cut(host, "?")
	for pair := range strings.SplitSeq(query, "&") {
		if name, value, _ := strings.Cut(pair, "="); strings.HasSuffix(name, "password") {
			add(value)
		}
	}
	return list
}

// credentials are the user and the password for new connections to PostgreSQL.
type credentials struct {
	renew func() (dsn string, err error)
	log   *zap.Logger

	mu             sync.Mutex // guards what follows; written before each new connection
	user, password string
}

// beforeConnect puts the newest user and password into a connection's configuration,
// and the last good ones when there is no DSN: the address and all else stay as they
// were.
func (c *credentials) beforeConnect(_ context.Context, cfg *pgx.ConnConfig) error {
	user, password, err := c.read()
	if err != nil {
		c.log.Warn("reading the user and the password of the database again failed; the last ones are used", zap.Error(err))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err == nil {
		c.user, c.password = user, password
	}
	cfg.User, cfg.Password = c.user, c.password
	return nil
}

// errNoURL is a DSN that is read again and is of no shared database any more.
var errNoURL = errors.New("the DSN is no postgres:// URL; a password in it must be percent-encoded")

func (c *credentials) read() (user, password string, err error) {
	dsn, err := c.renew()
	switch {
	case err != nil:
		return "", "", err
	case !Shared(dsn):
		return "", "", errNoURL
	}
	cfg, err := parsePostgres(dsn)
	if err != nil {
		return "", "", err
	}
	return cfg.User, cfg.Password, nil
}

// parsePostgres reads the URL of a database. Of pgx's words those are kept that say what is
// wrong: before them it repeats the URL, and perhaps half of a password.
func parsePostgres(dsn string) (*pgx.ConnConfig, error) {
	if err := CheckDSN(dsn); err != nil {
		return nil, err
	}
	cfg, err := pgx.ParseConfig(dsn)
	if err == nil {
		return cfg, nil
	}
	words := err.Error()
	if i := strings.LastIndex(words, "`: "); i >= 0 {
		words = words[i+3:]
	}
	words, _, _ = strings.Cut(words, " (strconv.")
	return nil, fmt.Errorf("the URL cannot be used: %s; want postgres://USER:PASSWORD@HOST/DATABASE, what is no letter or digit in the password percent-encoded, or the password in PGPASSWORD or a passfile", words)
}
