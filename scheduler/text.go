package scheduler

import (
	"strings"
	"unicode/utf8"
)

// ValidText reports whether a text can be kept by every database: UTF-8 without NUL, which
// PostgreSQL refuses and SQLite cuts off.
func ValidText(s string) bool { return utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 }
