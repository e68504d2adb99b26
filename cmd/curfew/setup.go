package main

import (
	"cmp"
	"fmt"
	"sync"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"go.uber.org/zap"

	"curfew/lcs"
	"curfew/lcs/auth"
	"curfew/lcs/secret"
	"curfew/scheduler"
	"curfew/scheduler/config"
	"curfew/scheduler/plan"
)

// clients makes LCS clients, one for each project and account, on one credential
// for each account and cloud: a second one would try a bad password again.
type clients struct {
	env     env
	cfg     *config.Config
	log     *zap.Logger
	limiter func() lcs.Limiter // nil: the caller accounts for its calls
	logins  auth.Logins        // of accounts that people sign in to

	transport policy.Transporter // to LCS, shared: its connections are used again

	credentials map[string]*auth.Credential // by everything that they are made of
	limiters    map[string]lcs.Limiter
	mu          sync.Mutex // guards eol, which calls write
	eol         map[string]bool
}

func newClients(e env, cfg *config.Config, log *zap.Logger) *clients {
	return &clients{env: e, cfg: cfg, log: log, transport: lcs.NewTransport(), credentials: map[string]*auth.Credential{}, limiters: map[string]lcs.Limiter{}, eol: map[string]bool{}}
}

// with returns clients of another file that sign in with the same credentials, where
// the accounts are the same: a new one would try a bad password again.
func (c *clients) with(cfg *config.Config) *clients {
	next := newClients(c.env, cfg, c.log)
	next.credentials, next.limiter, next.logins, next.transport = c.credentials, c.limiter, c.logins, c.transport
	return next
}

// of returns the client of a project's account, and what it signs in with.
func (c *clients) of(p config.Project, account string) (*lcs.Client, *auth.Credential, error) {
	a, err := c.account(account)
	if err != nil {
		return nil, nil, err
	}
	cred, err := c.credential(a, p)
	if err != nil {
		return nil, nil, err
	}
	opts := &lcs.ClientOptions{Scope: scopeOf(p, a), Transport: c.transport, Version: version, Logger: c.log.With(zap.String("account", account)), OnVersionEOL: c.ends}
	if c.limiter != nil {
		if c.limiters[account] == nil {
			c.limiters[account] = c.limiter()
		}
		opts.Limiter = c.limiters[account]
	}
	client, err := lcs.NewClient(p.Endpoint, cred, opts)
	if err != nil {
		return nil, nil, fmt.Errorf("use project %s: %w", p.Name, err)
	}
	return client, cred, nil
}

func (c *clients) account(name string) (config.Account, error) {
	for _, a := range c.cfg.Accounts {
		if a.Name == name {
			return a, nil
		}
	}
	return config.Account{}, fmt.Errorf("use account %s: it is not in %s", name, c.cfg.Path)
}

// scopeOf is what a token for a project is asked for.
func scopeOf(p config.Project, a config.Account) string {
	return cmp.Or(p.Scope, a.Scope, lcs.DefaultScope(p.Endpoint))
}

func (c *clients) credential(a config.Account, p config.Project) (*auth.Credential, error) {
	key := fmt.Sprintf("%s %q %q %q %q %q %q %+v %+v", lcs.Cloud(p.Region), a.Name, a.Mode, a.Tenant, a.ClientID, a.Username, a.Authority,
		place(a.Password), place(a.Token))
	if cred := c.credentials[key]; cred != nil {
		return cred, nil
	}
	cred, err := auth.New(auth.Options{
		Account: a.Name, Mode: a.Mode, Tenant: a.Tenant, ClientID: a.ClientID, Username: a.Username,
		Password: c.source(a.Password), Token: c.source(a.Token), Logins: c.logins,
		Scope: scopeOf(p, a), Region: p.Region, Authority: a.Authority, Logger: c.log,
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

func (c *clients) source(ref *config.SecretRef) secret.Source {
	if ref == nil {
		return secret.Source{}
	}
	return secret.Source{File: ref.File, Env: ref.Env, Getenv: c.env.getenv}
}

// ends warns once for each date on which LCS says that its API ends.
func (c *clients) ends(date string) {
	c.mu.Lock()
	known := c.eol[date]
	c.eol[date] = true
	c.mu.Unlock()
	if !known {
		c.log.Warn("LCS announces the end of this API version; get a newer curfew", zap.String("version_eol", date))
	}
}

// newSetup returns the engine's side of a schedule file.
func newSetup(cfg *config.Config, p *plan.Plan, c *clients) (*scheduler.Setup, error) {
	s := &scheduler.Setup{
		Plan: p, Rules: rulesOf(cfg, p), Location: cfg.Location, Currency: cfg.Currency, Leads: map[string]scheduler.Lead{}, Enforced: map[string]string{},
		Defaults: scheduler.Defaults{
			CatchUp: cfg.Defaults.CatchUp, Deadline: cfg.Defaults.Deadline, VerifyTimeout: cfg.Defaults.VerifyTimeout, Order: cfg.Defaults.Order,
			MaxStops: cfg.Defaults.MaxStopsPerFire,
		},
	}
	for _, sched := range cfg.Schedules {
		if sched.Lead != (config.Lead{}) {
			s.Leads[sched.Name] = scheduler.Lead(sched.Lead)
		}
		for _, name := range sched.Environments {
			if sched.Enabled && sched.Enforce == config.EnforceAlways {
				s.Enforced[name] = sched.Name
			}
		}
	}
	for _, e := range cfg.Environments {
		s.Environments = append(s.Environments, scheduler.Environment{Name: e.Name, Project: e.Project, ID: e.ID, Tags: e.Tags, CostPerHour: e.CostPerHour})
	}
	for _, p := range cfg.Projects {
		project := scheduler.Project{Name: p.Name, ID: p.ID, Endpoint: p.Endpoint}
		for _, name := range p.Accounts {
			client, cred, err := c.of(p, name)
			if err != nil {
				return nil, err
			}
			project.Accounts = append(project.Accounts, scheduler.Account{Name: name, Client: client, Credential: cred})
		}
		s.Projects = append(s.Projects, project)
	}
	return s, nil
}

// rulesOf lists which schedule or exception holds which environment.
func rulesOf(cfg *config.Config, p *plan.Plan) []scheduler.Rule {
	var rules []scheduler.Rule
	add := func(name string, environments []string) {
		for _, e := range environments {
			rules = append(rules, scheduler.Rule{Name: name, Environment: e, Fingerprint: p.Fingerprint(name)})
		}
	}
	for _, s := range cfg.Spec.Schedules {
		add(s.Name, s.Environments)
	}
	for _, x := range cfg.Spec.Exceptions {
		add(x.Name, x.Environments)
	}
	return rules
}

// sourceOf says where the secret of a variable is: in the variable, or in the file
// that NAME_FILE names. Both set is an error; neither makes a source that holds nothing.
func sourceOf(e env, name string) (secret.Source, error) {
	value, file := e.getenv(name), e.getenv(name+"_FILE")
	switch {
	case value != "" && file != "":
		return secret.Source{}, usage("%s and %s_FILE are both set; unset one of them", name, name)
	case file != "":
		return secret.Source{File: file}, nil
	default:
		return secret.Source{Env: name, Getenv: e.getenv}, nil
	}
}

// secretOf reads the secret of a variable; it is empty when none is set.
func secretOf(e env, name string) (secret.Secret, error) {
	s, err := rotatingOf(e, name)
	if err != nil {
		return secret.Secret{}, err
	}
	return s.Current(), nil
}

// rotatingOf returns the secret of a variable, which a daemon reads again at each use.
func rotatingOf(e env, name string) (*secret.Rotating, error) {
	source, err := sourceOf(e, name)
	if err != nil {
		return nil, err
	}
	if source.File == "" && e.getenv(name) == "" {
		return &secret.Rotating{}, nil
	}
	s, err := secret.NewRotating(source)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return s, nil
}
