package config

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"curfew/internal/files"
	"curfew/scheduler/calendar"
)

// Digest changes when the content of a file does, or that it cannot be read.
func Digest(names []string) string {
	h := sha256.New()
	for _, name := range names {
		_, _ = fmt.Fprintf(h, "%s\n", digestOf(name))
	}
	return hex.EncodeToString(h.Sum(nil))
}

// digestOf is that of one file: its name is no part of it, since a container has the same
// file elsewhere.
func digestOf(name string) string {
	b, err := files.Read(name, max(maxBytes, calendar.MaxICS))
	if err != nil {
		return "unreadable"
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
