package lcs

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// A CallKind is a kind of call with limits of its own.
type CallKind string

// The kinds of calls.
const (
	CallStart    CallKind = "start"
	CallStop     CallKind = "stop"
	CallMetadata CallKind = "metadata"
	CallHistory  CallKind = "history"
)

// A Call says what a request is for.
type Call struct {
	Kind        CallKind
	Project     int64
	Environment string // "" for a page of metadata
}

// A Limiter blocks until a call may be sent, or returns an error and it is not.
type Limiter interface {
	Wait(ctx context.Context, c Call) error
}

// A window is a limit and what its calls are counted by.
type window struct {
	scope string
	limit Limit
}

// windowsOf returns the documented limits that a call of one account counts against.
func windowsOf(c Call) []window {
	project := fmt.Sprintf("%s/%d", c.Kind, c.Project)
	environment := fmt.Sprintf("%s/%s", project, NormalizeID(c.Environment))
	switch c.Kind {
	case CallMetadata:
		return []window{{project, MetadataPerProject}}
	case CallHistory:
		return []window{{project, HistoryPerProject}, {environment, HistoryPerEnvironment}}
	default:
		return []window{{string(c.Kind), OperationsPerAccount}, {environment, OperationsPerEnvironment}}
	}
}

// A WindowLimiter keeps the calls of one account within LCS's documented limits,
// in memory, for callers without a ledger of their own.
type WindowLimiter struct {
	mu   sync.Mutex // guards made
	made map[string][]time.Time
}

// NewLimiter returns a limiter that has counted no call.
func NewLimiter() *WindowLimiter { return &WindowLimiter{made: map[string][]time.Time{}} }

// Wait blocks until the call is within every limit, then counts it.
func (l *WindowLimiter) Wait(ctx context.Context, c Call) error {
	for {
		wait := l.take(windowsOf(c), time.Now())
		if wait <= 0 {
			return nil
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return fmt.Errorf("wait %s for LCS's limit of %s calls: %w", wait.Round(time.Second), c.Kind, context.Cause(ctx))
		}
	}
}

// take counts the call if it is within every limit, and returns how long to wait otherwise.
func (l *WindowLimiter) take(windows []window, now time.Time) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	var wait time.Duration
	for _, w := range windows {
		made := l.made[w.scope]
		for len(made) > 0 && now.Sub(made[0]) >= w.limit.Window+guard {
			made = made[1:]
		}
		l.made[w.scope] = made
		if len(made) >= w.limit.Calls {
			wait = max(wait, made[len(made)-w.limit.Calls].Add(w.limit.Window+guard).Sub(now))
		}
	}
	if wait > 0 {
		return wait
	}
	for _, w := range windows {
		l.made[w.scope] = append(l.made[w.scope], now)
	}
	return 0
}
