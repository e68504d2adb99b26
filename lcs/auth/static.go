package auth

import (
	"context"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
)

// staticLifetime is what is said of a token whose end is not known.
const staticLifetime = time.Hour

// A static account has a token that was made elsewhere.
type static struct {
	source Source
	secret Secret
}

func (s *static) revision(context.Context) (string, error) {
	var err error
	if s.secret, err = s.source.Read(); err != nil {
		return "", err
	}
	return digest(s.secret.Reveal()), nil
}

func (s *static) token(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, *Error) {
	return azcore.AccessToken{Token: s.secret.Reveal(), ExpiresOn: time.Now().Add(staticLifetime)}, nil
}
