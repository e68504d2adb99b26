package auth_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"curfew/lcs/auth"
	"curfew/lcs/secret"
)

// rows keeps logins in memory.
type rows map[string][]byte

func (r rows) Check(context.Context, string) error { return nil }

func (r rows) Load(_ context.Context, account string) ([]byte, string, error) {
	return r[account], "1", nil
}

func (r rows) Save(_ context.Context, account string, data []byte, _ *string) (string, error) {
	r[account] = data
	return "1", nil
}

func keyOf(b byte) string {
	return base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{b}, 32))
}

func sealed(r rows, keys ...string) auth.Sealed {
	return auth.Sealed{Logins: r, Keys: func() (secret.Secret, error) { return secret.New(strings.Join(keys, "\n")), nil }}
}

func TestWhatIsSealedOpensAgainAndShowsNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		data := rapid.SliceOfN(rapid.Byte(), 8, 4000).Draw(t, "data")
		account := rapid.StringMatching(`[a-z]{1,9}`).Draw(t, "account")
		kept := rows{}
		s := sealed(kept, keyOf(1))
		if _, err := s.Save(context.Background(), account, data, nil); err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(kept[account], data) {
			t.Fatal("it is kept in clear")
		}
		if got, _, err := s.Load(context.Background(), account); err != nil || !bytes.Equal(got, data) {
			t.Fatalf("Load = %q, %v; want %q", got, err, data)
		}
		spoilt := bytes.Clone(kept[account])
		spoilt[rapid.IntRange(0, len(spoilt)-1).Draw(t, "at")] ^= byte(rapid.IntRange(1, 255).Draw(t, "flip"))
		kept[account] = spoilt
		if got, _, err := s.Load(context.Background(), account); err == nil {
			t.Fatalf("spoilt, it opens as %q", got)
		}
	})
}

func TestSealedLoginOpensWithItsKeyAndAccountOnly(t *testing.T) {
	kept := rows{}
	if _, err := sealed(kept, keyOf(1)).Save(t.Context(), "main", []byte("secret"), nil); err != nil {
		t.Fatal(err)
	}
	kept["second"] = kept["main"]
	tests := []struct {
		name    string
		keys    []string
		account string
		says    string // "" when it opens
	}{
		{"its key", []string{keyOf(1)}, "main", ""},
		{"its key in hex", []string{hex.EncodeToString(bytes.Repeat([]byte{1}, 32))}, "main", ""},
		{"a new key before the old one", []string{keyOf(2), keyOf(1)}, "main", ""},
		{"another key", []string{keyOf(2)}, "main", "curfew login main"},
		{"another account's row", []string{keyOf(1)}, "second", "curfew login second"},
		{"no key", nil, "main", "openssl rand -base64 32"},
		{"a key that is too short", []string{"c2hvcnQ="}, "main", "32 random bytes"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, _, err := sealed(kept, tt.keys...).Load(t.Context(), tt.account)
			if tt.says == "" && (err != nil || string(got) != "secret") {
				t.Errorf("Load = %q, %v", got, err)
			}
			if tt.says != "" && (err == nil || !strings.Contains(err.Error(), tt.says) || strings.Contains(err.Error(), "c2hvcnQ")) {
				t.Errorf("Load = %v, want one that says %q and shows no key", err, tt.says)
			}
		})
	}
	if data, _, err := sealed(kept, keyOf(1)).Load(t.Context(), "nobody"); err != nil || data != nil {
		t.Errorf("Load of none = %q, %v", data, err)
	}
}

func TestChangedKeySealsWithTheFirst(t *testing.T) {
	kept := rows{}
	if _, err := sealed(kept, keyOf(2), keyOf(1)).Save(t.Context(), "main", []byte("secret"), nil); err != nil {
		t.Fatal(err)
	}
	if _, _, err := sealed(kept, keyOf(2)).Load(t.Context(), "main"); err != nil {
		t.Error(err)
	}
}

func TestUnreadableKeyIsAnErrorAndNotNoLogin(t *testing.T) {
	kept := rows{"main": []byte{1, 2, 3}}
	noKey := errors.New("no key file")
	s := auth.Sealed{Logins: kept, Keys: func() (secret.Secret, error) { return secret.Secret{}, noKey }}
	if _, _, err := s.Load(t.Context(), "main"); !errors.Is(err, noKey) {
		t.Errorf("Load = %v, want the reason", err)
	}
	if _, err := s.Save(t.Context(), "main", []byte("secret"), nil); !errors.Is(err, noKey) || len(kept["main"]) != 3 {
		t.Errorf("Save = %v and left %v; want the reason, and what was there", err, kept["main"])
	}
}
