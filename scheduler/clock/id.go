package clock

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/google/uuid"
)

const (
	fraction = 12 // bits of an id that tell the part of a millisecond
	millis   = 48 // bits of an id before its version
)

// NewID returns an id, a UUID of version 7, that sorts by the shared time at which it was
// made: no id of a process is less than one that it made, or was shown, before.
func (c *Clock) NewID() (string, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return "", fmt.Errorf("make an id: %w", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	micros := uint64(c.now(time.Now()).UnixMicro())
	c.lastID = max(c.lastID+1, micros/1000<<fraction|micros%1000<<2)
	binary.BigEndian.PutUint64(id[:8], c.lastID>>fraction<<(64-millis)|7<<fraction|c.lastID&(1<<fraction-1))
	return id.String(), nil
}

// After has the ids to come sort after one that is there already; one of another form
// changes nothing.
func (c *Clock) After(id string) {
	old, err := uuid.Parse(id)
	if err != nil || old.Version() != 7 {
		return
	}
	n := binary.BigEndian.Uint64(old[:8])
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lastID = max(c.lastID, n>>(64-millis)<<fraction|n&(1<<fraction-1))
}
