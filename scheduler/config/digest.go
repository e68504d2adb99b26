package config

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
)

// Digest changes when the content of a file does, or that it cannot be read.
func Digest(files []string) string {
	h := sha256.New()
	for _, name := range files {
		_, _ = fmt.Fprintf(h, "%s\n", digestOf(name))
	}
	return hex.EncodeToString(h.Sum(nil))
}

// digestOf is that of one file: its name is no part of it, since a container has the same
// file elsewhere.
func digestOf(name string) string {
	f, err := os.Open(name)
	if err != nil {
		return "unreadable"
	}
	defer func() { _ = f.Close() }()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "unreadable"
	}
	return hex.EncodeToString(h.Sum(nil))
}
