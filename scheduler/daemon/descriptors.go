package daemon

import "curfew/lcs"

const (
	// ownFiles is how many descriptors are left for the database, the log, files that are
	// read, notices and sign-ins.
	ownFiles = 48
	// leastShare is what each has, however few descriptors there are.
	leastShare = 8
	mostShare  = 1024
	// mostListeners is how many connections server-sent events take at most.
	mostListeners = 200
)

// descriptors are the files and connections that the process may have open, shared out:
// no side of the daemon can take those that another needs.
type descriptors struct {
	http      int // connections of the HTTP server
	listeners int // of these, for server-sent events
	calls     int // connections to LCS that are in use
}

// shareOut shares out so many descriptors: of what curfew itself does not need, half are
// for calls, and a quarter for HTTP.
func shareOut(files int) descriptors {
	left := files - ownFiles - lcs.IdleConnections
	d := descriptors{http: clamp(left / 4), calls: clamp(left / 2)}
	d.listeners = min(mostListeners, d.http/2)
	return d
}

func clamp(n int) int { return min(max(n, leastShare), mostShare) }
