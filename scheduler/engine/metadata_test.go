package engine_test

import (
	"cmp"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"go.uber.org/zap"

	"curfew/internal/longtest"
	"curfew/lcs/lcssim"
	"curfew/scheduler"
)

// A gateway stands before the simulator and answers some requests itself.
type gateway struct {
	next   policy.Transporter
	broken func(*http.Request) bool
	status int        // 503 when zero
	mu     sync.Mutex // guards asked
	asked  []time.Time
}

func (g *gateway) Do(r *http.Request) (*http.Response, error) {
	g.mu.Lock()
	broken := g.broken(r)
	if broken {
		g.asked = append(g.asked, time.Now())
	}
	g.mu.Unlock()
	if broken {
		return &http.Response{StatusCode: cmp.Or(g.status, http.StatusServiceUnavailable), Header: http.Header{}, Body: io.NopCloser(strings.NewReader("busy")), Request: r}, nil
	}
	return g.next.Do(r)
}

// stopping is a world of n environments that run, and are to stop at 19:00 on Monday.
func stopping(t *testing.T, n int, broken func(*http.Request) bool) (*world, *gateway) {
	w := newWorld(t, n, lcssim.Options{})
	for i := range n {
		w.sim.Set(envID(i), lcssim.Finished)
	}
	g := &gateway{next: w.sim.Transport(), broken: broken}
	w.transport = g
	return w, g
}

// calls are the instants at which LCS carried out stops, counted from 19:00, in order.
func (w *world) calls() []time.Duration {
	var list []time.Duration
	for _, r := range w.sim.Requests() {
		if r.Accepted {
			list = append(list, r.At.Sub(monday(19, 0)))
		}
	}
	slices.Sort(list)
	return list
}

func isMetadata(r *http.Request) bool { return r.Method == http.MethodGet }

func TestHourWithoutMetadataStopsEverythingThatLCSAccepts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const n = 10
		w, _ := stopping(t, n, func(r *http.Request) bool {
			return isMetadata(r) && time.Now().After(monday(18, 30)) && time.Now().Before(monday(19, 30))
		})
		until("2000-01-03 18:00:00")
		w.start()
		until("2000-01-03 19:10:00")
		if calls := w.calls(); len(calls) != n || calls[n-1] > 130*time.Second {
			t.Errorf("stops after %v, want %d within two minutes", calls, n)
		}
		for _, r := range w.runs() {
			if r.State != scheduler.Verifying || len(r.Attempts) != 1 || !r.Attempts[0].Unseen {
				t.Errorf("run = %s with attempts %+v, want it to verify after one call without metadata", r.State, r.Attempts)
			}
		}
		if got := w.logs.FilterMessage("run accepted").FilterField(zap.Bool("unseen", true)).Len(); got != n {
			t.Errorf("the log says %d times that a call was made unseen, want %d", got, n)
		}
		until("2000-01-03 19:40:00") // within verify_timeout metadata is back
		for _, r := range w.runs() {
			if r.State != scheduler.Succeeded {
				t.Errorf("run = %s (%s), want succeeded", r.State, r.Message)
			}
		}
		w.stop()
	})
}

func TestCallOfUnknownOutcomeIsNotRepeatedWithoutMetadata(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, _ := stopping(t, 1, func(r *http.Request) bool {
			return isMetadata(r) && time.Now().After(monday(18, 50)) && time.Now().Before(monday(19, 30))
		})
		w.sim.Inject(lcssim.Fault{Kind: lcssim.ResetBeforeAccept, Verb: lcssim.Stop, Times: 1})
		until("2000-01-03 18:00:00")
		w.start()
		until("2000-01-03 19:29:00")
		if n := len(w.only().Attempts); n != 1 {
			t.Errorf("%d calls while the result of the first is unknown, want 1", n)
		}
		w.finished(monday(19, 50))
		if r := w.only(); r.State != scheduler.Succeeded {
			t.Errorf("run = %s (%s), want succeeded once metadata is back", r.State, r.Message)
		}
		w.stop()
	})
}

func TestPageThatFailsHoldsOnlyTheRunsThatNeedIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const n = 20 // three pages
		w, g := stopping(t, n, func(r *http.Request) bool {
			return isMetadata(r) && strings.Contains(r.URL.RawQuery, "page=2") && time.Now().After(monday(18, 40))
		})
		until("2000-01-03 18:00:00")
		w.start()
		until("2000-01-03 19:00:05")
		if calls := w.calls(); len(calls) != 13 {
			t.Errorf("%d stops at once, want the 13 whose pages can be read", len(calls))
		}
		until("2000-01-03 19:02:10")
		if calls := w.calls(); len(calls) != n {
			t.Errorf("%d stops after two minutes, want all %d", len(calls), n)
		}
		until("2000-01-03 19:12:00")
		slices.SortFunc(g.asked, time.Time.Compare)
		last := monday(19, 0)
		for _, at := range g.asked {
			if !at.After(last) {
				continue
			}
			most := 21 * time.Second
			if last.After(monday(19, 1)) {
				most = 40 * time.Second // now the other pages are read as often: three share 6 calls a minute
			}
			if gap := at.Sub(last); gap > most {
				t.Errorf("%v without a try of the failing page until %s, want %v at most", gap, at.Format("15:04:05"), most)
			}
			if gap := at.Sub(last); gap < 20*time.Second && last.After(monday(19, 0)) {
				t.Errorf("the failing page is tried %v after it failed, at %s, want 20 s at least, whoever reads it", gap, at.Format("15:04:05"))
			}
			last = at
		}
		if got := w.sim.Throttled(); got != 0 {
			t.Errorf("LCS answered 429 %d times, want never", got)
		}
		w.stop()
	})
}

// TestStopsGoThroughFaults has three of ten answers of LCS be errors. The stop of an
// environment takes another call only after LCS's five minutes for one that got lost.
func TestStopsGoThroughFaults(t *testing.T) {
	t.Parallel()
	for seed := range uint64(5) {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				const n = 10
				chance := rand.New(rand.NewPCG(seed, 8))
				tried := map[string]time.Time{}
				w, _ := stopping(t, n, func(r *http.Request) bool {
					if r.Method == http.MethodPost && tried[r.URL.Path].IsZero() {
						tried[r.URL.Path] = time.Now()
					}
					return time.Now().After(monday(18, 50)) && chance.IntN(10) < 3
				})
				until("2000-01-03 18:00:00")
				w.start()
				until("2000-01-03 19:02:20")
				if len(tried) != n {
					t.Errorf("%d of %d environments were called within 140 s", len(tried), n)
				}
				w.finished(monday(21, 0))
				for _, r := range w.runs() {
					if r.State != scheduler.Succeeded {
						t.Errorf("run = %s (%s), want succeeded", r.State, r.Message)
					}
				}
				w.stop()
			})
		})
	}
}

// TestPagesAreReadBeforeAFire has a project whose pages LCS does not let be read at once.
func TestPagesAreReadBeforeAFire(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ environments, accounts int }{{150, 5}, {300, 10}} {
		t.Run(fmt.Sprintf("%d environments", tt.environments), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w, _ := stopping(t, tt.environments, func(*http.Request) bool { return false })
				w.withAccounts(tt.accounts)
				until("2000-01-03 18:00:00")
				w.start()
				until("2000-01-03 19:03:00")
				calls := w.calls()
				if len(calls) != tt.environments || calls[len(calls)-1] > 5*time.Second {
					t.Errorf("%d stops, the last %v after the fire; want %d within 5 s", len(calls), calls[max(0, len(calls)-1)], tt.environments)
				}
				if got := w.sim.Throttled(); got != 0 {
					t.Errorf("LCS answered 429 %d times, want never", got)
				}
				w.stop()
			})
		})
	}
}

func (w *world) withAccounts(n int) {
	w.accounts = nil
	for i := range n {
		w.accounts = append(w.accounts, fmt.Sprintf("account-%d", i))
	}
}

// TestFireIsDoneAsSoonAsTheQuotaAllows holds fires against the optimum under LCS's quota:
// so many calls an account in 30 minutes, the most expensive first.
func TestFireIsDoneAsSoonAsTheQuotaAllows(t *testing.T) {
	t.Parallel()
	tests := []struct{ environments, accounts int }{{100, 2}, {100, 1}, {300, 2}, {300, 10}}
	for _, tt := range tests[:longtest.Or(1, len(tests))] {
		t.Run(fmt.Sprintf("%d stops, %d accounts", tt.environments, tt.accounts), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w, _ := stopping(t, tt.environments, func(*http.Request) bool { return false })
				w.withAccounts(tt.accounts)
				w.setup.Defaults.Deadline = 12 * time.Hour
				until("2000-01-03 18:00:00")
				w.start()
				w.finished(monday(19, 0)) // there is nothing before
				until("2000-01-03 19:00:01")
				w.finished(monday(23, 0).Add(time.Hour))
				var idle, best float64
				var last, optimum time.Duration
				for _, r := range w.sim.Requests() {
					if !r.Accepted {
						continue
					}
					last = max(last, r.At.Sub(monday(19, 0)))
				}
				runs := w.runs()
				slices.SortFunc(runs, func(a, b scheduler.Run) int { return strings.Compare(b.Environment, a.Environment) }) // the most expensive first
				for i, env := range costliestFirst(w.setup.Environments) {
					ideal := time.Duration(i/(30*tt.accounts)) * 30 * time.Minute
					optimum = max(optimum, ideal)
					best += env.CostPerHour * ideal.Hours()
					for _, r := range runs {
						if r.Environment == env.Name {
							idle += env.CostPerHour * r.AcceptedAt.Sub(monday(19, 0)).Hours()
						}
					}
				}
				t.Logf("last call after %v (optimum %v), cost of waiting %.3f of the optimum", last, optimum, idle/max(best, 1e-9))
				if last > optimum+max(optimum/50, 5*time.Second) {
					t.Errorf("the last call is %v after the fire, want within 1.02 of %v", last, optimum)
				}
				if best > 0 && idle/best > 1.02 {
					t.Errorf("waiting costs %.3f of the optimum, want 1.02 at most", idle/best)
				}
				if got := w.sim.Throttled(); got != 0 {
					t.Errorf("LCS answered 429 %d times, want never", got)
				}
				w.stop()
			})
		})
	}
}

func costliestFirst(list []scheduler.Environment) []scheduler.Environment {
	sorted := slices.Clone(list)
	slices.SortFunc(sorted, func(a, b scheduler.Environment) int {
		if a.CostPerHour > b.CostPerHour {
			return -1
		}
		return 1
	})
	return sorted
}
