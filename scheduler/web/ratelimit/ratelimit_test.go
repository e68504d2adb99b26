package ratelimit_test

import (
	"fmt"
	"testing"
	"time"

	"curfew/scheduler/web/ratelimit"
)

var start = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func TestTriesComeBackOneByOne(t *testing.T) {
	l := ratelimit.New(10*time.Second, 3)
	for i, want := range []bool{true, true, true, false} {
		if got := l.Take("192.0.2.1:1000", start); got != want {
			t.Errorf("try %d = %v, want %v", i+1, got, want)
		}
	}
	if got := l.Wait("192.0.2.1:1000", start.Add(4*time.Second)); got != 6*time.Second {
		t.Errorf("wait = %v, want 6s", got)
	}
	if got := l.Wait("192.0.2.1:1000", start.Add(10*time.Second)); got != 0 {
		t.Errorf("wait after 10 s = %v, want none", got)
	}
}

func TestWhoSharesTries(t *testing.T) {
	for _, tt := range []struct {
		name, first, second string
		shared              bool
	}{
		{"another port of one address", "192.0.2.1:1000", "192.0.2.1:2000", true},
		{"another address", "192.0.2.1:1000", "192.0.2.2:1000", false},
		{"IPv4 written as IPv6", "192.0.2.1:1000", "[::ffff:192.0.2.1]:1000", true},
		{"IPv6 of one subscriber", "[2001:db8:1:2:3::1]:1000", "[2001:db8:1:2:ffff::9]:1000", true},
		{"IPv6 of two subscribers", "[2001:db8:1:2::1]:1000", "[2001:db8:1:3::1]:1000", false},
		{"no addresses", "@", "@", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := ratelimit.New(time.Hour, 1)
			l.Take(tt.first, start)
			if got := !l.Take(tt.second, start); got != tt.shared {
				t.Errorf("%s and %s share tries: %v, want %v", tt.first, tt.second, got, tt.shared)
			}
		})
	}
}

func TestMemoryIsBounded(t *testing.T) {
	l := ratelimit.New(time.Hour, 1)
	for i := range 25_000 {
		if !l.Take(fmt.Sprintf("10.%d.%d.%d:1", i>>16, i>>8&255, i&255), start) {
			t.Fatalf("address %d has no try", i)
		}
	}
	if got := ratelimit.Remembered(l); got > 10_000 {
		t.Errorf("%d addresses are remembered, want 10,000 at most", got)
	}
}
