// Package notify notifies people of what happened: it groups events into messages, and brings
// each message to its receivers once, whatever is down or restarted meanwhile.
package notify

import (
	"slices"
	"time"

	"curfew/lcs/secret"
	"curfew/scheduler"
)

// A Receiver is who is notified, and of what.
type Receiver struct {
	Name string
	URL  secret.Source // read again for each message
	On   []scheduler.EventKind
	// Environments are those that it wants to hear of, nil for all; Projects and Accounts
	// are those that these belong to.
	Environments, Projects, Accounts map[string]bool
	SummaryAt                        int // minute of the day
}

// wants reports whether an event is for the receiver.
func (r Receiver) wants(e scheduler.Event) bool {
	if !slices.Contains(r.On, listed(e.Kind)) {
		return false
	}
	if r.Environments == nil {
		return true
	}
	names := e.Change.Names()
	switch {
	case e.Environment != "":
		return r.Environments[e.Environment]
	case len(names) > 0:
		return slices.ContainsFunc(names, func(name string) bool { return r.Environments[name] })
	case e.Project != "":
		return r.Projects[e.Project]
	case e.Account != "":
		return r.Accounts[e.Account]
	}
	return true // it concerns all of the file
}

// listed is the word of the schedule file under which a kind of events is asked for.
func listed(k scheduler.EventKind) scheduler.EventKind {
	switch k {
	case scheduler.EventReachable:
		return scheduler.EventUnreachable
	case scheduler.EventStopping:
		return scheduler.EventWarning
	default:
		return k
	}
}

// A File is what a schedule file says of notices.
type File struct {
	Receivers []Receiver
	Zone      *time.Location // of the instants in messages
}

func (f File) receiver(name string) (Receiver, bool) {
	for _, r := range f.Receivers {
		if r.Name == name {
			return r, true
		}
	}
	return Receiver{}, false
}
