package store

import (
	"context"
	"encoding/base64"
	"fmt"
	"time"
)

// Sessions keeps the sessions of people who signed in, by the hash of their token: a copy of
// the database opens none.
type Sessions struct{ *database }

// Session returns the data of a session; found is false when there is none, or it has
// expired or was ended.
func (s *Sessions) Session(ctx context.Context, hash string, now time.Time) (data []byte, found bool, err error) {
	var text string
	found, err = ignoreNoRows(s.read().row(ctx, `SELECT data FROM sessions WHERE hash = ? AND expires_at > ? AND data <> ''`, hash, micros(now)).Scan(&text))
	if err == nil && found {
		data, err = base64.StdEncoding.DecodeString(text)
	}
	if err != nil {
		return nil, false, fmt.Errorf("read a session: %w", err)
	}
	return data, found, nil
}

// SaveSession keeps a session until an instant. One that was ended stays so: a request that
// was under way cannot bring it back.
func (s *Sessions) SaveSession(ctx context.Context, hash string, data []byte, expires time.Time) error {
	err := s.tx(ctx, func(q session) error {
		_, err := q.exec(ctx, `INSERT INTO sessions (hash, data, expires_at) VALUES (?, ?, ?)
			ON CONFLICT (hash) DO UPDATE SET data = excluded.data, expires_at = excluded.expires_at WHERE sessions.data <> ''`,
			hash, base64.StdEncoding.EncodeToString(data), micros(expires))
		return err
	})
	if err != nil {
		return fmt.Errorf("write a session: %w", err)
	}
	return nil
}

// EndSession ends a session. Of several calls at once, one alone returns that it did.
func (s *Sessions) EndSession(ctx context.Context, hash string) (ended bool, err error) {
	err = s.tx(ctx, func(q session) error {
		n, err := q.exec(ctx, `UPDATE sessions SET data = '' WHERE hash = ? AND data <> ''`, hash)
		ended = n > 0
		return err
	})
	if err != nil {
		return false, fmt.Errorf("end a session: %w", err)
	}
	return ended, nil
}
