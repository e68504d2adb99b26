package auth

import (
	"context"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"curfew/lcs/secret"
)

// A password signs in with a user name and a password, LCS's documented way for
// an account without MFA.
type password struct {
	opts      Options
	transport *recordingTransport
	secret    secret.Secret          // as it was last read
	made      string                 // digest of the secret that inner was made with
	inner     azcore.TokenCredential // nil until the first attempt with a secret
}

func (p *password) revision(context.Context) (string, error) {
	var err error
	if p.secret, err = p.opts.Password.Read(); err != nil {
		return "", err
	}
	return digest(p.opts.entry() + p.secret.Reveal()), nil
}

func (p *password) token(ctx context.Context, o policy.TokenRequestOptions) (azcore.AccessToken, *Error) {
	if now := digest(p.secret.Reveal()); p.inner == nil || p.made != now {
		if err := p.make(); err != nil {
			return azcore.AccessToken{}, &Error{Kind: Configuration, Message: "tenant, client_id or user name is not usable"}
		}
		p.made = now
	}
	p.transport.forget()
	token, err := p.inner.GetToken(ctx, o)
	if err != nil { // its text can be the whole answer, tokens included
		return azcore.AccessToken{}, p.transport.failure()
	}
	return token, nil
}

// make builds azidentity's credential of the secret.
func (p *password) make() (err error) {
	options := &azidentity.UsernamePasswordCredentialOptions{ //nolint:staticcheck // SA1019: deprecated, but LCS's documented way for an account without MFA
		ClientOptions: azcore.ClientOptions{
			Cloud: cloudOf(p.opts.Region, p.opts.Authority), Transport: p.transport,
			Retry: policy.RetryOptions{MaxRetries: -1}, // whether a password is sent again is for the guard to say
		},
		DisableInstanceDiscovery: p.opts.Authority != "",
	}
	p.inner, err = azidentity.NewUsernamePasswordCredential(p.opts.Tenant, p.opts.ClientID, p.opts.Username, p.secret.Reveal(), options)
	return err
}
