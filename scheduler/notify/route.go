package notify

import (
	"strconv"
	"time"

	"curfew/scheduler"
)

const (
	// fireWait is how long the first message about a fire waits for more of its events.
	fireWait = 30 * time.Second
	// shortWait is that of what happens apart from fires.
	shortWait = 5 * time.Second
	// untilDone is longer than any fire takes: its message is sent when it is done.
	untilDone = 24 * time.Hour
)

// route addresses events to the receivers that want them.
func (f File) route(events []scheduler.Event) []scheduler.Addressed {
	var list []scheduler.Addressed
	for _, e := range events {
		a := topicOf(e)
		a.Event = e.ID
		for _, r := range f.Receivers {
			if r.wants(e) {
				a.Receiver = r.Name
				list = append(list, a)
			}
		}
	}
	return list
}

// topicOf says which events go in one message, and how long it waits for them. A fire is
// two messages at most: what happened within 30 s of the first failure, and the rest once
// it is done.
func topicOf(e scheduler.Event) scheduler.Addressed {
	at := strconv.FormatInt(e.FireAt.Unix(), 10)
	switch e.Kind {
	case scheduler.EventMissed: // found all at once, of many fires
		return scheduler.Addressed{Topic: "missed " + strconv.FormatInt(e.At.UnixMicro(), 10), Wait: time.Second, Again: time.Second}
	case scheduler.EventStopping:
		return scheduler.Addressed{Topic: "stopping " + at, Wait: 0, Again: 0}
	case scheduler.EventApproval:
		return scheduler.Addressed{Topic: "approval " + string(e.Action) + " " + at, Wait: time.Second, Again: time.Second}
	case scheduler.EventSucceeded, scheduler.EventFailed, scheduler.EventThrottled, scheduler.EventWarning:
		if e.Schedule == "" { // no fire: by hand, or of no run
			break
		}
		a := scheduler.Addressed{Topic: "fire " + string(e.Action) + " " + at, Fire: scheduler.Fire{Action: e.Action, At: e.FireAt}, Wait: fireWait, Again: untilDone}
		if e.Kind == scheduler.EventSucceeded {
			a.Wait = untilDone
		}
		return a
	case scheduler.EventDrift:
		return scheduler.Addressed{Topic: string(e.Kind), Wait: fireWait, Again: fireWait}
	default:
	}
	if e.Run != "" { // asked for by hand, perhaps one call for each of many
		return scheduler.Addressed{Topic: "by hand", Wait: fireWait, Again: fireWait}
	}
	return scheduler.Addressed{Topic: string(listed(e.Kind)), Wait: shortWait, Again: shortWait}
}
