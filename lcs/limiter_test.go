package lcs_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"curfew/lcs"
	"curfew/lcs/lcssim"
)

func TestReadsAreRetriedWithinTheLimitsOfALimiter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := newSim(lcssim.Options{})
		sim.Inject(lcssim.Fault{Kind: lcssim.Error503, Verb: lcssim.Metadata, Times: 2})
		c := newClient(t, sim, lcs.ClientOptions{Limiter: lcs.NewLimiter()})
		for range 8 {
			if _, err := c.EnvironmentsPage(t.Context(), project, 1); err != nil {
				t.Fatal(err)
			}
		}
		if n := len(sim.Requests()); n != 10 {
			t.Errorf("%d requests, want 8 and 2 retries", n)
		}
		if n := sim.Throttled(); n != 0 {
			t.Errorf("LCS answered 429 %d times, want never", n)
		}
		plain := newClient(t, sim, lcs.ClientOptions{})
		time.Sleep(2 * time.Minute)
		sim.Inject(lcssim.Fault{Kind: lcssim.Error503, Verb: lcssim.Metadata, Times: 1})
		if _, err := plain.EnvironmentsPage(t.Context(), project, 1); kindOf(err) != lcs.Ambiguous {
			t.Errorf("without a limiter = %v, want no retry: its caller accounts for every request", err)
		}
	})
}

func TestWaitForTheLimiterIsNoTimeOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := newSim(lcssim.Options{StopTime: time.Second})
		c := newClient(t, sim, lcs.ClientOptions{Limiter: lcs.NewLimiter()})
		for range 2 {
			if _, err := c.Stop(t.Context(), project, dashed); err != nil {
				t.Fatalf("Stop = %v, want the second one to wait five minutes and go", err)
			}
			sim.Set(dashed, lcssim.Finished)
		}
		if n := sim.Throttled(); n != 0 {
			t.Errorf("LCS answered 429 %d times, want never", n)
		}
	})
}

func TestLimiterEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := newSim(lcssim.Options{})
		c := newClient(t, sim, lcs.ClientOptions{Limiter: lcs.NewLimiter()})
		if _, err := c.Stop(t.Context(), project, dashed); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, err := c.Stop(ctx, project, dashed); kindOf(err) != lcs.NotSent || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a second stop within five minutes = %v, want not sent", err)
		}
	})
}
