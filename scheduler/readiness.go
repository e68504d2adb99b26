package scheduler

// Reasons why the daemon cannot work. Everybody may read them: they name no host and no file.
const (
	UnreadyStarting   = "the daemon is starting"
	UnreadyDatabase   = "the database does not answer"
	UnreadyConnection = "there is no connection to the database"
	UnreadyLocked     = "another process has locked the database"
	UnreadyMoved      = "the file of the database was deleted or replaced"
	UnreadyDisk       = "the disk of the database is full"
	UnreadyWrite      = "the last write to the database failed"
	UnreadyQueue      = "the queue does not run"
	UnreadyNoTick     = "the last tick is older than 60 s"
	UnreadyClock      = "the clock of this machine differs from the database's"
	UnreadyFuture     = "the last tick lies in the future"
)

// An UnreadyError says why the daemon cannot work.
type UnreadyError struct {
	Reason string // one of those above
	Err    error  // the details, for the log; nil when there are none
}

func (e *UnreadyError) Error() string {
	if e.Err == nil {
		return e.Reason
	}
	return e.Reason + ": " + e.Err.Error()
}

func (e *UnreadyError) Unwrap() error { return e.Err }
