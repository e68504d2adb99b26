// Package ratelimit slows down who fails: so many tries at once for each network address,
// then one now and then.
package ratelimit

import (
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// most bounds how many addresses are remembered. Beyond it all are forgotten: each has its
// tries again, and memory is bounded whoever asks.
const most = 10_000

// A Limiter counts the tries of addresses.
type Limiter struct {
	every time.Duration
	burst int

	mu    sync.Mutex // guards tries
	tries map[string]*rate.Limiter
}

// New makes a limiter of burst tries at once, and one more each time every has passed.
func New(every time.Duration, burst int) *Limiter {
	return &Limiter{every: every, burst: burst, tries: map[string]*rate.Limiter{}}
}

// Take counts a try of an address, and reports whether it had one left.
func (l *Limiter) Take(remote string, now time.Time) bool {
	return l.of(remote).AllowN(now, 1)
}

// Wait returns how long it takes until the address has a try again; 0 when it has one.
func (l *Limiter) Wait(remote string, now time.Time) time.Duration {
	missing := 1 - l.of(remote).TokensAt(now)
	if missing <= 0 {
		return 0
	}
	return time.Duration(missing * float64(l.every))
}

func (l *Limiter) of(remote string) *rate.Limiter {
	who := network(remote)
	l.mu.Lock()
	defer l.mu.Unlock()
	found := l.tries[who]
	if found == nil {
		if len(l.tries) >= most {
			clear(l.tries)
		}
		found = rate.NewLimiter(rate.Every(l.every), l.burst)
		l.tries[who] = found
	}
	return found
}

// network is what counts as one address: the address, of IPv6 the network that one
// subscriber has.
func network(remote string) string {
	const subscriber = 64
	at, err := netip.ParseAddrPort(remote)
	if err != nil {
		return remote
	}
	addr := at.Addr().Unmap().WithZone("")
	if addr.Is6() {
		if p, err := addr.Prefix(subscriber); err == nil {
			return p.String()
		}
	}
	return addr.String()
}
