package store_test

import (
	"errors"
	"fmt"
	"testing"

	"curfew/scheduler"
)

func TestCalendarKeysAreOfTheirOwner(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		ctx := t.Context()
		rita, vera := scheduler.Actor{Name: "rita", Via: "user"}, scheduler.Actor{Name: "vera", Via: "user"}
		event := scheduler.Event{Kind: scheduler.EventKey, At: t0, Change: scheduler.Change{Action: scheduler.ChangeMakeKey}}
		emit := func(scheduler.CalendarKey) scheduler.Event { return event }
		key := scheduler.CalendarKey{ID: "k1", Hash: "h1", Owner: rita, Claims: []byte(`{"name":"rita"}`), CreatedAt: t0}
		if err := b.CalendarKeys.AddKey(ctx, key, event); err != nil {
			t.Fatal(err)
		}
		b.reopen()
		got, err := b.CalendarKeys.KeyOf(ctx, "h1")
		if err != nil || got.ID != "k1" || got.Owner != rita || string(got.Claims) != `{"name":"rita"}` || !got.CreatedAt.Equal(t0) {
			t.Errorf("KeyOf = %+v, %v", got, err)
		}
		if _, err := b.CalendarKeys.KeyOf(ctx, "k1"); !errors.Is(err, scheduler.ErrNoCalendarKey) {
			t.Errorf("a key by its id = %v, want ErrNoCalendarKey", err)
		}
		for _, tt := range []struct {
			of   scheduler.Actor
			want int
		}{{rita, 1}, {vera, 0}, {scheduler.Actor{Name: "rita", Via: "token"}, 0}, {scheduler.Actor{}, 1}} {
			if list, err := b.CalendarKeys.CalendarKeys(ctx, tt.of); err != nil || len(list) != tt.want {
				t.Errorf("keys of %+v = %+v, %v; want %d", tt.of, list, err, tt.want)
			}
		}
		if err := b.CalendarKeys.RevokeKey(ctx, "k1", vera, emit); !errors.Is(err, scheduler.ErrNoCalendarKey) {
			t.Errorf("somebody else revokes it: %v, want ErrNoCalendarKey", err)
		}
		for i, want := range []error{nil, scheduler.ErrNoCalendarKey} {
			if err := b.CalendarKeys.RevokeKey(ctx, "k1", scheduler.Actor{}, emit); !errors.Is(err, want) {
				t.Errorf("revoking it, time %d: %v, want %v", i+1, err, want)
			}
		}
		if _, err := b.CalendarKeys.KeyOf(ctx, "h1"); !errors.Is(err, scheduler.ErrNoCalendarKey) {
			t.Errorf("after its end: %v, want ErrNoCalendarKey", err)
		}
		if events := b.count(`SELECT COUNT(*) FROM events WHERE change <> ''`); events != 2 {
			t.Errorf("%d changes are audited, want the making and the end", events)
		}
		for i := range scheduler.MostCalendarKeys + 1 {
			key.ID, key.Hash = fmt.Sprint("n", i), fmt.Sprint("m", i)
			err := b.CalendarKeys.AddKey(ctx, key, event)
			if _, tooMany := errors.AsType[*scheduler.InvalidError](err); tooMany != (i == scheduler.MostCalendarKeys) || !tooMany && err != nil {
				t.Errorf("key number %d: %v", i+1, err)
			}
		}
	})
}
