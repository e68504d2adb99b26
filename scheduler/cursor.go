package scheduler

import (
	"slices"
	"time"
)

const (
	// FileSilent is how long the replicas with the newest schedule file may make no tick
	// until those with an older one do.
	FileSilent = time.Minute
	// FileRollout is how long replicas may take until all have the same schedule file.
	FileRollout = 10 * time.Minute
)

// A Cursor is how far the fires are written.
type Cursor struct {
	At        time.Time  // the last recorded tick, zero when there was none
	Revision  int64      // changes with the overrides
	Overrides []Override // that end at At or later, in the order they were made; earlier, where a file's fires are written to an earlier instant
	Files     []FileTick // newest first
	File      string     // the digest of the file whose fires a tick writes
}

// A FileTick is how far the fires of one schedule file are written. Replicas may have
// different ones for a while.
type FileTick struct {
	Digest   string
	LoadedAt time.Time // when a replica had it first, or again
	TickedAt time.Time // the last tick by it; zero when there was none
	HeldAt   time.Time // when a replica that has it last left the ticks to those with a newer one
}

// Since returns the instant up to which the fires of a file are written. Where ticks by
// another file came between, that may be earlier than the last tick: what only this file
// has is not written yet.
func (c Cursor) Since(file string) time.Time {
	i := slices.IndexFunc(c.Files, func(f FileTick) bool { return f.Digest == file })
	if i < 0 || c.Files[i].TickedAt.IsZero() || c.At.Sub(c.Files[i].TickedAt) > FileRollout || c.Files[i].TickedAt.After(c.At) {
		return c.At
	}
	return c.Files[i].TickedAt
}

// Newer returns the file that is newer than one and by which ticks are made.
func (c Cursor) Newer(file string, now time.Time) (FileTick, bool) {
	if len(c.Files) == 0 || c.Files[0].Digest == file || c.Files[0].silent(now) {
		return FileTick{}, false
	}
	return c.Files[0], true
}

// Older returns the newest of the files that replicas have next to the newest one.
func (c Cursor) Older(now time.Time) (FileTick, bool) {
	for _, f := range c.Files[min(1, len(c.Files)):] {
		if !f.HeldAt.IsZero() && now.Sub(f.HeldAt) <= FileSilent {
			return f, true
		}
	}
	return FileTick{}, false
}

// silent reports whether no replica ticks by the file. One that was loaded just now has
// not ticked yet.
func (f FileTick) silent(now time.Time) bool {
	last := f.TickedAt
	if f.LoadedAt.After(last) {
		last = f.LoadedAt
	}
	return now.Sub(last) > FileSilent
}

// A Loading is a schedule file that becomes active in a process.
type Loading struct {
	At     time.Time
	File   string // its digest
	Before string // that of the file that was active in the process, "" at its start
	Rules  []Rule
}

// BroughtBack is what became of what a clock that was ahead had written.
type BroughtBack struct {
	Withdrawn []Run // whose fires are to come; they are written again then
	Reopened  []Run // that those had superseded
	Tickets   []Ticket
}
