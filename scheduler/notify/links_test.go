package notify

import (
	"context"
	"encoding/base64"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"curfew/scheduler"
	"curfew/scheduler/store"
)

// acted is what links did.
type acted struct{ followed []scheduler.LinkUse }

func (a *acted) Standing(_ context.Context, u scheduler.LinkUse) ([]scheduler.PlannedStop, error) {
	return u.Stops, nil
}

func (a *acted) Follow(_ context.Context, u scheduler.LinkUse) ([]scheduler.Override, error) {
	a.followed = append(a.followed, u)
	return nil, nil
}

// kept is where links and their deliveries are kept.
type kept struct {
	*store.Links
	*store.Deliveries
}

// warnedOf returns the store with one delivery, a warning of three stops.
func warnedOf(t *testing.T) (kept, scheduler.Delivery) {
	t.Helper()
	s, err := store.Open(t.Context(), store.Options{DSN: filepath.Join(t.TempDir(), "curfew.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	for _, name := range []string{"dev-02", "dev-01", "dev-03"} {
		if err := s.Events.Append(t.Context(), scheduler.Event{Kind: scheduler.EventStopping, Environment: name, FireAt: at, At: at.Add(-30 * time.Minute)}); err != nil {
			t.Fatal(err)
		}
	}
	f := File{Zone: time.UTC, Receivers: []Receiver{receiver("ops", scheduler.EventWarning)}}
	if _, err := s.Deliveries.Address(t.Context(), at, f.route); err != nil {
		t.Fatal(err)
	}
	d, err := s.Deliveries.Claim(t.Context(), "ops", at)
	if err != nil || d == nil {
		t.Fatalf("no delivery: %v", err)
	}
	return kept{s.Links, s.Deliveries}, *d
}

func token(b Button) string { return b.URL[strings.LastIndex(b.URL, "/")+1:] }

func TestLinkSaysWhatItDoesToWhat(t *testing.T) {
	store, d := warnedOf(t)
	a := &acted{}
	l, err := NewLinks(t.Context(), store, a, "https://curfew.example.com/")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		environment string
		want        []string
	}{{"dev-01", []string{"dev-01"}}, {"dev-03", []string{"dev-03"}}, {"", []string{"dev-01", "dev-02", "dev-03"}}} {
		for i, b := range l.buttons(d, tt.environment, time.UTC) {
			if !strings.HasPrefix(b.URL, "https://curfew.example.com/link/") {
				t.Errorf("the link is %s", b.URL)
			}
			u, err := l.Link(t.Context(), token(b))
			if err != nil {
				t.Fatal(err)
			}
			var names []string
			for _, s := range u.Stops {
				names = append(names, s.Environment)
				if !s.At.Equal(at) {
					t.Errorf("the stop is at %v, want %v", s.At, at)
				}
			}
			slices.Sort(names)
			if !slices.Equal(names, tt.want) || u.Choice != choices[i] || u.Environment != tt.environment || u.By.String() != "link:ops" {
				t.Errorf("link %d of %q is %+v, want %v of %q by link:ops", i, tt.environment, u, choices[i], tt.want)
			}
			if _, err := l.Follow(t.Context(), token(b), "10.0.0.1"); err != nil || a.followed[len(a.followed)-1].By.From != "10.0.0.1" {
				t.Errorf("Follow = %v, by %+v", err, a.followed)
			}
		}
	}
	if len(a.followed) != 9 {
		t.Errorf("%d links were followed, want 9", len(a.followed))
	}
	if b := l.buttons(d, "dev-09", time.UTC); b != nil {
		t.Errorf("an environment that is not in the warning has links: %v", b)
	}
	again, err := NewLinks(t.Context(), store, a, "https://curfew.example.com")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := again.Link(t.Context(), token(l.buttons(d, "", time.UTC)[0])); err != nil {
		t.Errorf("a link of an earlier process = %v, want it to work", err)
	}
}

func TestLinkThatNobodySignedDoesNothing(t *testing.T) {
	kept, d := warnedOf(t)
	l, err := NewLinks(t.Context(), kept, &acted{}, "https://curfew.example.com")
	if err != nil {
		t.Fatal(err)
	}
	good := token(l.buttons(d, "dev-01", time.UTC)[0])
	raw, err := base64.RawURLEncoding.DecodeString(good)
	if err != nil {
		t.Fatal(err)
	}
	bad := []string{"", "x", good[:len(good)-1], good + "A", strings.Repeat("A", len(good))}
	for i := range raw {
		changed := slices.Clone(raw)
		changed[i] ^= 1
		bad = append(bad, base64.RawURLEncoding.EncodeToString(changed))
	}
	for _, b := range bad {
		if _, err := l.Link(t.Context(), b); !errors.Is(err, scheduler.ErrNoLink) {
			t.Errorf("Link(%q) = %v, want ErrNoLink", b, err)
		}
		if _, err := l.Follow(t.Context(), b, ""); !errors.Is(err, scheduler.ErrNoLink) {
			t.Errorf("Follow(%q) = %v, want ErrNoLink", b, err)
		}
	}
	other, _ := warnedOf(t) // another database has another key
	stranger, err := NewLinks(t.Context(), other, &acted{}, "https://curfew.example.com")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stranger.Link(t.Context(), good); !errors.Is(err, scheduler.ErrNoLink) {
		t.Errorf("a link of another daemon = %v, want ErrNoLink", err)
	}
}

func TestLinkOfADeliveryThatIsNotKeptIsVoid(t *testing.T) {
	kept, d := warnedOf(t)
	l, err := NewLinks(t.Context(), kept, &acted{}, "https://curfew.example.com")
	if err != nil {
		t.Fatal(err)
	}
	gone := d
	gone.ID = exampleID
	if _, err := l.Link(t.Context(), token(l.buttons(gone, "dev-01", time.UTC)[0])); !errors.Is(err, scheduler.ErrLinkVoid) {
		t.Errorf("Link = %v, want ErrLinkVoid", err)
	}
}

func FuzzLinkToken(f *testing.F) {
	l := &Links{key: []byte("a key for tests")}
	f.Add("AZNLL3wacACAAAAAAAAAAQD__5HhOMDUzU4p4GRKFRvV1VA")
	f.Add("")
	f.Fuzz(func(t *testing.T, token string) {
		if _, err := l.read(t.Context(), token); err == nil {
			t.Errorf("%q is taken", token)
		}
	})
}
