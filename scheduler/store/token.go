package store

import (
	"context"
	"errors"
	"net"

	"github.com/jackc/pgx/v5"
	"go.uber.org/zap"
)

type beforeConnect func(context.Context, *pgx.ConnConfig) error

// beforeConnect returns what a new connection to PostgreSQL takes from elsewhere than the DSN,
// nil for nothing: the user and the password of a DSN that is read again, a token as password.
func (o Options) beforeConnect(log *zap.Logger, cfg *pgx.ConnConfig) (beforeConnect, error) {
	var renew beforeConnect
	if o.Renew != nil {
		renew = (&credentials{renew: o.Renew, log: log, user: cfg.User, password: cfg.Password}).beforeConnect
	}
	if o.Token == nil {
		return renew, nil
	}
	if !keepsToken(cfg) {
		return nil, errors.New("a token is sent over TLS to a server that proves its name, and nowhere else; add ?sslmode=verify-full to the URL")
	}
	return func(ctx context.Context, cfg *pgx.ConnConfig) error {
		if renew != nil {
			if err := renew(ctx, cfg); err != nil {
				return err
			}
		}
		token, err := o.Token(ctx)
		cfg.Password = token
		return err
	}, nil
}

// keepsToken reports whether a token reaches only the server that is named, on each address
// that is tried.
func keepsToken(cfg *pgx.ConnConfig) bool {
	safe := cfg.TLSConfig != nil && !cfg.TLSConfig.InsecureSkipVerify || loopback(cfg.Host)
	for _, f := range cfg.Fallbacks {
		safe = safe && (f.TLSConfig != nil && !f.TLSConfig.InsecureSkipVerify || loopback(f.Host))
	}
	return safe
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
