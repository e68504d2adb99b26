package scheduler

import "time"

// An Upkeep is what the daemon shows of its own work.
type Upkeep struct {
	LastTick time.Time // zero before the first one
	Quotas   []QuotaStatus
	Holds    []Hold
	Replicas []string // those that live, on a shared database; empty on SQLite
}

// A QuotaStatus is how many calls of a kind an account made in LCS's window, and how many
// it may still make in it.
type QuotaStatus struct {
	Account    string
	Kind       CallKind
	Used, Free int
}

// A FileStatus is what the schedule file is. Problems are those of the file as it is now,
// each as file:line:col: message; there are none when it is active.
type FileStatus struct {
	Path        string
	ActiveSince time.Time
	RefusedAt   time.Time
	Problems    []string
}
