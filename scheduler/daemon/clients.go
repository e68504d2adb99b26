package daemon

import (
	"cmp"
	"fmt"
	"sync"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"go.uber.org/zap"

	"curfew/lcs"
	"curfew/lcs/auth"
	"curfew/lcs/secret"
	"curfew/scheduler/config"
)

// ClientOptions are what clients are made of.
type ClientOptions struct {
	Getenv  func(string) string
	Logger  *zap.Logger
	Version string
	Limiter func() lcs.Limiter // nil: the caller accounts for its calls
	Logins  auth.Logins        // of accounts that people sign in to

	transport policy.Transporter // to LCS, shared: its connections are used again
}

// Clients makes LCS clients, one for each project and account, on one credential
// for each account and cloud: a second one would try a bad password again.
type Clients struct {
	ClientOptions
	Config *config.Config

	credentials map[string]*auth.Credential // by everything that they are made of
	limiters    map[string]lcs.Limiter
	mu          sync.Mutex // guards eol, which calls write
	eol         map[string]bool
}

// NewClients makes the clients of a schedule file.
func NewClients(cfg *config.Config, o ClientOptions) *Clients {
	if o.transport == nil {
		o.transport = lcs.NewTransport()
	}
	return &Clients{ClientOptions: o, Config: cfg, credentials: map[string]*auth.Credential{}, limiters: map[string]lcs.Limiter{}, eol: map[string]bool{}}
}

// with returns clients of another file that sign in with the same credentials, where
// the accounts are the same: a new one would try a bad password again.
func (c *Clients) with(cfg *config.Config) *Clients {
	next := NewClients(cfg, c.ClientOptions)
	next.credentials = c.credentials
	return next
}

// Alone returns clients that share no credential with these: what one region refuses is
// not held against the next.
func (c *Clients) Alone() *Clients {
	o := c.ClientOptions
	o.Limiter = nil
	return NewClients(c.Config, o)
}

// Of returns the client of a project's account, and what it signs in with.
func (c *Clients) Of(p config.Project, account string) (*lcs.Client, *auth.Credential, error) {
	a, err := c.account(account)
	if err != nil {
		return nil, nil, err
	}
	cred, err := c.Credential(a, p)
	if err != nil {
		return nil, nil, err
	}
	opts := &lcs.ClientOptions{Scope: ScopeOf(p, a), Transport: c.transport, Version: c.Version, Logger: c.Logger.With(zap.String("account", account)), OnVersionEOL: c.ends}
	if c.Limiter != nil {
		if c.limiters[account] == nil {
			c.limiters[account] = c.Limiter()
		}
		opts.Limiter = c.limiters[account]
	}
	client, err := lcs.NewClient(p.Endpoint, cred, opts)
	if err != nil {
		return nil, nil, fmt.Errorf("use project %s: %w", p.Name, err)
	}
	return client, cred, nil
}

func (c *Clients) account(name string) (config.Account, error) {
	for _, a := range c.Config.Accounts {
		if a.Name == name {
			return a, nil
		}
	}
	return config.Account{}, fmt.Errorf("use account %s: it is not in %s", name, c.Config.Path)
}

// ScopeOf is what a token for a project is asked for.
func ScopeOf(p config.Project, a config.Account) string {
	return cmp.Or(p.Scope, a.Scope, lcs.DefaultScope(p.Endpoint))
}

// Credential returns what an account signs in with for a project.
func (c *Clients) Credential(a config.Account, p config.Project) (*auth.Credential, error) {
	key := fmt.Sprintf("%s %q %q %q %q %q %q %+v %+v", lcs.Cloud(p.Region), a.Name, a.Mode, a.Tenant, a.ClientID, a.Username, a.Authority,
		place(a.Password), place(a.Token))
	if cred := c.credentials[key]; cred != nil {
		return cred, nil
	}
	cred, err := auth.New(auth.Options{
		Account: a.Name, Mode: a.Mode, Tenant: a.Tenant, ClientID: a.ClientID, Username: a.Username,
		Password: c.source(a.Password), Token: c.source(a.Token), Logins: c.Logins,
		Scope: ScopeOf(p, a), Region: p.Region, Authority: a.Authority, Logger: c.Logger,
	})
	if err != nil {
		return nil, err
	}
	c.credentials[key] = cred
	return cred, nil
}

// place says where a secret is kept.
func place(ref *config.SecretRef) config.SecretRef {
	if ref == nil {
		return config.SecretRef{}
	}
	return *ref
}

func (c *Clients) source(ref *config.SecretRef) secret.Source {
	if ref == nil {
		return secret.Source{}
	}
	return secret.Source{File: ref.File, Env: ref.Env, Getenv: c.Getenv}
}

// ends warns once for each date on which LCS says that its API ends.
func (c *Clients) ends(date string) {
	c.mu.Lock()
	known := c.eol[date]
	c.eol[date] = true
	c.mu.Unlock()
	if !known {
		c.Logger.Warn("LCS announces the end of this API version; get a newer curfew", zap.String("version_eol", date))
	}
}
