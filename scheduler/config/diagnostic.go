package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// A Severity is how bad a problem is.
type Severity string

// A file with an error is refused; one with warnings is used. A note says what is so, and
// asks for nothing.
const (
	Error   Severity = "error"
	Warning Severity = "warning"
	Note    Severity = "note"
)

// A Diagnostic is one problem of a schedule file. Line and Column count from 1; a
// problem of the file as a whole, such as one that cannot be read, is at 1:1.
type Diagnostic struct {
	File     string   `json:"file"`
	Line     int      `json:"line"`
	Column   int      `json:"column"`
	Severity Severity `json:"severity"`
	Message  string   `json:"message"`
	Excerpt  string   `json:"excerpt,omitempty"` // the line, and under it a caret at the column; "" where the line may hold a secret
}

// String writes the problem as file:line:col: message, which editors can follow.
func (d Diagnostic) String() string {
	prefix := ""
	if d.Severity != Error {
		prefix = string(d.Severity) + ": "
	}
	return fmt.Sprintf("%s:%d:%d: %s%s", d.File, d.Line, d.Column, prefix, d.Message)
}

// Text is String, with the excerpt on lines of its own.
func (d Diagnostic) Text() string {
	if d.Excerpt == "" {
		return d.String()
	}
	return d.String() + "\n    " + strings.ReplaceAll(d.Excerpt, "\n", "\n    ")
}

// Diagnostics are all problems of a file, sorted by file, line and column.
type Diagnostics []Diagnostic

// HasErrors reports whether the file must be refused.
func (ds Diagnostics) HasErrors() bool {
	return slices.ContainsFunc(ds, func(d Diagnostic) bool { return d.Severity == Error })
}

// Errors are the problems for which the file is refused.
func (ds Diagnostics) Errors() Diagnostics { return ds.only(Error) }

// Warnings are the problems in spite of which the file is used.
func (ds Diagnostics) Warnings() Diagnostics { return ds.only(Warning) }

func (ds Diagnostics) only(s Severity) Diagnostics {
	var found Diagnostics
	for _, d := range ds {
		if d.Severity == s {
			found = append(found, d)
		}
	}
	return found
}

// sorted orders the problems by place and drops repetitions: what an alias brings
// in several times is one mistake.
func (ds Diagnostics) sorted() Diagnostics {
	slices.SortStableFunc(ds, func(a, b Diagnostic) int {
		return cmp.Or(
			cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column),
			cmp.Compare(a.Severity, b.Severity), cmp.Compare(a.Message, b.Message))
	})
	return slices.Compact(ds)
}
