package signin

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"curfew/scheduler/web/access"
)

// A memory keeps sessions as the database does, without its goroutines.
type memory struct {
	mu     sync.Mutex
	rows   map[string]row
	writes int
}

type row struct {
	data    []byte
	expires time.Time
}

func (m *memory) Session(_ context.Context, hash string, now time.Time) ([]byte, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r, ok := m.rows[hash]
	return r.data, ok && r.data != nil && r.expires.After(now), nil
}

func (m *memory) SaveSession(_ context.Context, hash string, data []byte, expires time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.writes++
	if r, ok := m.rows[hash]; !ok || r.data != nil {
		m.rows[hash] = row{data, expires}
	}
	return nil
}

func (m *memory) EndSession(_ context.Context, hash string) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.rows[hash]
	m.rows[hash] = row{expires: r.expires}
	return r.data != nil, nil
}

// A visit is a browser with a session, in a bubble.
type visit struct {
	t      *testing.T
	signIn *SignIn
	store  *memory
	cookie *http.Cookie
}

func newVisit(t *testing.T) *visit {
	t.Helper()
	address, err := url.Parse(safeAddress)
	if err != nil {
		t.Fatal(err)
	}
	settings := &Settings{"https://login.example", "us", nil}
	v := &visit{t: t, store: &memory{rows: map[string]row{}}}
	v.signIn = New(Options{
		PublicURL: address, Settings: func() *Settings { return settings }, Store: v.store,
		Policy: access.NewPolicy(func() *access.Rules { return &access.Rules{Viewer: []string{"*"}} }),
	})
	rec := httptest.NewRecorder()
	if err := v.signIn.begin(rec, httptest.NewRequest("GET", "/login/callback", nil), user{settings.Issuer, settings.ClientID, access.Claims{Name: "anna"}}); err != nil {
		t.Fatal(err)
	}
	v.cookie = sessionCookie(rec.Result())
	return v
}

// come makes a request, and reports whether the session was good.
func (v *visit) come() bool {
	v.t.Helper()
	r := httptest.NewRequest("GET", "/", nil)
	r.AddCookie(v.cookie)
	rec := httptest.NewRecorder()
	_, ok, err := v.signIn.Identify(rec, r)
	if err != nil {
		v.t.Fatal(err)
	}
	if c := sessionCookie(rec.Result()); c != nil {
		v.cookie = c
	}
	return ok
}

func TestASessionEndsAfterTwelveIdleHours(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newVisit(t)
		for range 3 {
			time.Sleep(12*time.Hour - time.Second)
			if !v.come() {
				t.Fatal("the session has ended after less than 12 h")
			}
		}
		time.Sleep(12 * time.Hour)
		if v.come() {
			t.Error("the session is good after 12 h without a request")
		}
	})
}

func TestASessionEndsAfterSevenDays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newVisit(t)
		for range 7*24 - 1 {
			time.Sleep(time.Hour)
			if !v.come() {
				t.Fatal("the session has ended within 7 days")
			}
		}
		if v.cookie.MaxAge > int((time.Hour + time.Second).Seconds()) {
			t.Errorf("an hour before the end the cookie lasts %d s", v.cookie.MaxAge)
		}
		time.Sleep(time.Hour)
		if v.come() {
			t.Error("the session is good after 7 days")
		}
	})
}

func TestASessionInUseIsWrittenOnceAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newVisit(t)
		before := v.store.writes
		for range 120 {
			time.Sleep(time.Second)
			v.come()
		}
		if got := v.store.writes - before; got != 2 {
			t.Errorf("%d writes in two minutes, want 2", got)
		}
	})
}

func TestARequestUnderWayDoesNotBringAnEndedSessionBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newVisit(t)
		time.Sleep(2 * time.Minute) // the next request writes
		ctx, err := v.signIn.sessions.Load(t.Context(), v.cookie.Value)
		if err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequest("POST", "/logout", nil)
		r.AddCookie(v.cookie)
		v.signIn.opts.Problem = func(http.ResponseWriter, *http.Request, int, string, string) {}
		if err := v.signIn.logout(httptest.NewRecorder(), r, nil); err != nil {
			t.Fatal(err)
		}
		v.signIn.sessions.Put(ctx, keySeen, time.Now().Unix())
		if err := v.signIn.write(ctx, httptest.NewRecorder()); err != nil {
			t.Fatal(err)
		}
		if v.come() {
			t.Error("the session is good again")
		}
	})
}
