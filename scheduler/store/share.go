package store

import "fmt"

// refuseShare refuses the path of a database on a file system that several machines share, or
// that a program serves: their locks may be held by two processes at a time.
func refuseShare(path string) error {
	return shareError(path, shareOf(path))
}

func shareError(path, kind string) error {
	if kind == "" {
		return nil
	}
	return fmt.Errorf("open database %s: it is on a network share or a file system that a program serves (%s), whose locks cannot be trusted: two daemons could use it at a time and damage it; "+
		"give --database a file on a local disk, or the postgres:// URL of a PostgreSQL database", path, kind)
}
