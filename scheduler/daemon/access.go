package daemon

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync/atomic"

	"go.uber.org/zap"

	"curfew/lcs/remote"
	"curfew/lcs/secret"
	"curfew/scheduler/config"
	"curfew/scheduler/store"
	"curfew/scheduler/web/access"
	"curfew/scheduler/web/signin"
)

// ParsePublicURL reads the address that people use; "" is nil. An error is a *SettingError.
func ParsePublicURL(s string) (*url.URL, error) {
	if s == "" {
		return nil, nil
	}
	u, fault := remote.Address(s)
	if fault == "" && u.Path != "" {
		fault = "it has a path"
	}
	if fault != "" {
		return nil, &SettingError{fmt.Errorf("--public-url or CURFEW_PUBLIC_URL cannot be used: %s; want %s, such as https://curfew.contoso.com", fault, remote.Want)}
	}
	return &url.URL{Scheme: u.Scheme, Host: u.Host}, nil
}

// errNoPublicURL means that people could sign in, and there is no address to send them back to.
var errNoPublicURL = errors.New("the schedule file has access, and the address that people use is not known; set --public-url or CURFEW_PUBLIC_URL of serve, such as https://curfew.contoso.com")

// accessOf is what the active schedule file says of who may do what.
type accessOf struct {
	publicURL *url.URL
	getenv    func(string) string
	log       *zap.Logger
	active    atomic.Pointer[activeAccess]
}

type activeAccess struct {
	rules    *access.Rules
	settings *signin.Settings
}

// check refuses a file that needs the address that people use.
func (a *accessOf) check(cfg *config.Config) error {
	if cfg.Access != nil && a.publicURL == nil {
		return errNoPublicURL
	}
	return nil
}

// set makes a file the active one. A secret that cannot be read stops nothing: it is read
// again at each sign-in.
func (a *accessOf) set(cfg *config.Config) {
	if cfg.Access == nil {
		a.active.Store(&activeAccess{})
		return
	}
	next := &activeAccess{
		&access.Rules{Viewer: cfg.Access.Viewer, Operator: cfg.Access.Operator},
		&signin.Settings{Issuer: cfg.Access.Issuer, ClientID: cfg.Access.ClientID},
	}
	for _, r := range cfg.Access.Requester {
		next.rules.Requester = append(next.rules.Requester, access.Grant(r))
	}
	if ref := cfg.Access.ClientSecret; ref != nil {
		source := secret.Source{File: ref.File, Env: ref.Env, Getenv: a.getenv}
		next.settings.Secret = source.Read
		if _, err := source.Read(); err != nil {
			a.log.Warn("nobody can sign in until client_secret of the access section can be read", zap.Error(err))
		}
	}
	a.active.Store(next)
}

func (a *accessOf) rules() *access.Rules { return a.active.Load().rules }

func (a *accessOf) settings() *signin.Settings { return a.active.Load().settings }

// enabled reports whether the active schedule file says who may sign in.
func (a *accessOf) enabled() bool { return a.settings() != nil }

// address is the address that people use, "" when it is not known.
func (a *accessOf) address() string {
	if a.publicURL == nil {
		return ""
	}
	return a.publicURL.String()
}

// signIn makes the sign-in, nil without the address that people use.
func (a *accessOf) signIn(st *store.Store, problem func(w http.ResponseWriter, r *http.Request, status int, what, next string), readOnly bool) *signin.SignIn {
	if a.publicURL == nil {
		return nil
	}
	return signin.New(signin.Options{
		PublicURL: a.publicURL, Settings: a.settings, Policy: access.NewPolicy(a.rules), Store: st.Sessions, Problem: problem, ReadOnly: readOnly, Logger: a.log,
	})
}
