// Package identity signs the daemon itself in to Azure, as the managed identity of where it
// runs or the workload identity of its pod: there is no password to keep.
package identity

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"regexp"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
)

const (
	// databases is what Azure Database for PostgreSQL accepts tokens for.
	databases = "https://ossrdbms-aad.database.windows.net/.default"
	// patience bounds one sign-in, retries included; a connection waits for it.
	patience = 20 * time.Second
)

// Options say which identity to use.
type Options struct {
	// Getenv reads AZURE_FEDERATED_TOKEN_FILE, which a workload identity has, AZURE_TENANT_ID,
	// and AZURE_CLIENT_ID, which names one of several managed identities.
	Getenv func(string) string
	// Transport sends the requests; nil for the default.
	Transport policy.Transporter
	// Authority is not asked whether it is one of Microsoft's when it is known: for tests.
	KnownAuthority bool
}

// An Identity is safe for concurrent use.
type Identity struct {
	credential azcore.TokenCredential
	kind       string // in words
}

// New returns the identity that the variables describe. Nothing is sent.
func New(o Options) (*Identity, error) {
	client, file := o.Getenv("AZURE_CLIENT_ID"), o.Getenv("AZURE_FEDERATED_TOKEN_FILE")
	sending := azcore.ClientOptions{Transport: o.Transport}
	if file == "" {
		options := &azidentity.ManagedIdentityCredentialOptions{ClientOptions: sending}
		if client != "" {
			options.ID = azidentity.ClientID(client)
		}
		c, err := azidentity.NewManagedIdentityCredential(options)
		if err != nil {
			return nil, errors.New("the managed identity cannot be used: AZURE_CLIENT_ID names one of several, and this machine has one at most; unset it")
		}
		return &Identity{c, "managed identity"}, nil
	}
	c, err := azidentity.NewWorkloadIdentityCredential(&azidentity.WorkloadIdentityCredentialOptions{
		ClientOptions: sending, ClientID: client, TenantID: o.Getenv("AZURE_TENANT_ID"), TokenFilePath: file, DisableInstanceDiscovery: o.KnownAuthority,
	})
	if err != nil {
		return nil, errors.New("the workload identity cannot be used: AZURE_FEDERATED_TOKEN_FILE is set, and AZURE_CLIENT_ID or AZURE_TENANT_ID is not, or is not valid; see that the pod's service account has the annotation azure.workload.identity/client-id")
	}
	return &Identity{c, "workload identity"}, nil
}

// DatabaseToken returns a token that PostgreSQL accepts as the password. It is kept until
// shortly before it ends.
func (i *Identity) DatabaseToken(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	token, err := i.credential.GetToken(ctx, policy.TokenRequestOptions{Scopes: []string{databases}})
	if err != nil {
		return "", fmt.Errorf("sign in to the database with the %s: %w", i.kind, reason(ctx, err))
	}
	return token.Token, nil
}

var number = regexp.MustCompile(`AADSTS\d+`)

// reason says what went wrong in words of ours: the answer of a sign-in may hold what must not
// be shown.
func reason(ctx context.Context, err error) error {
	var failed *azidentity.AuthenticationFailedError
	var path *fs.PathError
	code := number.FindString(err.Error())
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("no answer within %v; see that Azure's identity endpoint can be reached", patience)
	case code != "":
		return fmt.Errorf("it is refused by Microsoft Entra ID (%s); see that the identity exists, and that its federated credential names this service account", code)
	case errors.As(err, &path):
		return errors.New("the token of the service account cannot be read; see that the pod has the label azure.workload.identity/use")
	case errors.As(err, &failed) && failed.RawResponse != nil && failed.RawResponse.StatusCode != http.StatusOK:
		return fmt.Errorf("the identity endpoint answers %d; see that the identity is assigned to this app or machine, and AZURE_CLIENT_ID is its client id", failed.RawResponse.StatusCode)
	}
	return errors.New("the identity endpoint cannot be reached, or does not answer with a token; see that this runs in Azure and has an identity")
}
