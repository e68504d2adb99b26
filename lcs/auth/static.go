package auth

import (
	"context"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"curfew/lcs/secret"
)

// staticLifetime is what is said of a token whose end is not known.
const staticLifetime = time.Hour

// A static account has a token that was made elsewhere.
type static struct {
	opts   Options
	secret secret.Secret
}

func (s *static) revision(context.Context) (string, error) {
	var err error
	if s.secret, err = s.opts.Token.Read(); err != nil {
		return "", err
	}
	return digest(s.opts.entry() + s.secret.Reveal()), nil
}

func (s *static) token(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, *Error) {
	return azcore.AccessToken{Token: s.secret.Reveal(), ExpiresOn: time.Now().Add(staticLifetime)}, nil
}
