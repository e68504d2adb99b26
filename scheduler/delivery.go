package scheduler

import (
	"time"

	"curfew/scheduler/plan"
)

// A Delivery is one message to one receiver, about the events of one topic. It is kept
// until it has arrived, or was given up.
type Delivery struct {
	ID       string // sorts by the instant it was written
	Receiver string
	Topic    string
	Events   []Event   // oldest first
	At       time.Time // when it was written; of a summary, the instant it is for
	FirstTry time.Time // zero before the first
	Tries    int       // with the one under way
}

// A DeliveryResult is how one try of a delivery ended.
type DeliveryResult string

// The results of a try.
const (
	Delivered DeliveryResult = "delivered"
	Retried   DeliveryResult = "retried"  // it did not arrive and is tried again
	GivenUp   DeliveryResult = "given_up" // it did not arrive within an hour
	Dropped   DeliveryResult = "dropped"  // its receiver is gone, or it came too late to be of use
)

// DeliveryResults lists how a try can end.
func DeliveryResults() []DeliveryResult {
	return []DeliveryResult{Delivered, Retried, GivenUp, Dropped}
}

// An Addressed event goes to a receiver, in the message of its topic that is not sent yet.
type Addressed struct {
	Event    string // its id
	Receiver string
	Topic    string
	Fire     Fire          // send as soon as it is done, too; zero for none
	Wait     time.Duration // send after so long at the latest
	// Again is Wait where a message of the topic was sent before.
	Again time.Duration
}

// A Fire is an instant at which schedules ask for an action. It is done when none of its
// runs is unfinished.
type Fire struct {
	Action plan.Action
	At     time.Time
}

// A Backlog is what waits for a receiver.
type Backlog struct {
	Receiver string
	Pending  int
	Failing  time.Time // when the oldest that did not arrive was tried first; zero when there is none
	Message  string    // why it did not arrive
}

// A ReceiverStatus is how deliveries to a receiver of the schedule file go.
type ReceiverStatus struct {
	Name    string
	Pending int
	Failing time.Time // since when it takes nothing; zero when it does, or was never asked
	Message string    // why
}

// A PlannedStop is a stop that is to come.
type PlannedStop struct {
	Environment string
	At          time.Time
}

// A LinkChoice is what a link of a notice does.
type LinkChoice string

// The choices of a warning.
const (
	LinkKeep1 LinkChoice = "keep-1h"
	LinkKeep2 LinkChoice = "keep-2h"
	LinkSkip  LinkChoice = "skip"
)

// A LinkUse is a link that somebody follows.
type LinkUse struct {
	Delivery    string
	Choice      LinkChoice
	Environment string        // "" for all of the delivery
	Stops       []PlannedStop // that it is about
	By          Actor
}
