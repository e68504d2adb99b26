package auth

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"curfew/lcs/secret"
)

// Sealed keeps logins where others can read them, encrypted: AES-256-GCM, each
// bound to its account. It knows nothing of the place.
type Sealed struct {
	Logins Logins
	// Keys returns the text of the keys, read at each use: the first seals, all open.
	Keys func() (secret.Secret, error)
}

var _ Logins = Sealed{}

const sealedForm = 1 // the first byte of what is sealed

// Check reports whether there is a key to seal with.
func (s Sealed) Check(ctx context.Context, account string) error {
	if _, err := s.keys(); err != nil {
		return err
	}
	return s.Logins.Check(ctx, account)
}

// Load opens an account's login.
func (s Sealed) Load(ctx context.Context, account string) (data []byte, revision string, err error) {
	box, revision, err := s.Logins.Load(ctx, account)
	if err != nil || len(box) == 0 {
		return nil, revision, err
	}
	keys, err := s.keys()
	if err != nil {
		return nil, "", err
	}
	for _, k := range keys {
		if box[0] != sealedForm {
			break
		}
		if data, err := k.Open(nil, nil, box[1:], bound(account)); err == nil {
			return data, revision, nil
		}
	}
	return nil, "", fmt.Errorf("open the login of account %s: CURFEW_SECRET_KEY is not the key that it was sealed with; "+
		"set that key, or run: curfew login %s", account, account)
}

// Save seals an account's login.
func (s Sealed) Save(ctx context.Context, account string, data []byte, basedOn *string) (string, error) {
	keys, err := s.keys()
	if err != nil {
		return "", err
	}
	return s.Logins.Save(ctx, account, keys[0].Seal([]byte{sealedForm}, nil, data, bound(account)), basedOn) //nolint:gosec // G407: the nonce is random; nil asks for it
}

// bound is the additional data of a seal: one account's login cannot be put in
// another's place.
func bound(account string) []byte { return []byte("curfew login " + account) }

func (s Sealed) keys() ([]cipher.AEAD, error) {
	text, err := s.Keys()
	if err != nil {
		return nil, err
	}
	return ParseKeys(text)
}

const (
	keyLength = 32
	wantKey   = "CURFEW_SECRET_KEY: want 32 random bytes in base64 (openssl rand -base64 32); to change the key, the new one first and the old one after it"
)

// ParseKeys reads keys, one or more with white space between: 32 bytes each, in
// base64 or hex.
func ParseKeys(text secret.Secret) ([]cipher.AEAD, error) {
	var keys []cipher.AEAD
	for word := range strings.FieldsSeq(text.Reveal()) {
		key, err := hex.DecodeString(word)
		if err != nil || len(key) != keyLength {
			key, err = base64.StdEncoding.DecodeString(word)
		}
		if err != nil || len(key) != keyLength {
			return nil, errors.New(wantKey)
		}
		aead, err := newAEAD(key)
		if err != nil {
			return nil, err
		}
		keys = append(keys, aead)
	}
	if len(keys) == 0 {
		return nil, errors.New(wantKey)
	}
	return keys, nil
}

func newAEAD(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, errors.New(wantKey)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, errors.New(wantKey)
	}
	return aead, nil
}
