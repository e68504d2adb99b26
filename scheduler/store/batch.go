package store

import (
	"context"
	"database/sql"
	"math/bits"
	"slices"
	"strings"
)

// most is how many rows one statement takes.
const most = 256

// sizes cuts a list into parts of one statement each. SQLite has them in lengths of
// powers of two, the longest first, so that each statement is parsed once and kept; for
// PostgreSQL parsing costs less than going there once more.
func sizes[T any](q session, list []T, f func(part []T) error) error {
	for len(list) > 0 {
		n := min(len(list), most)
		if !q.postgres {
			n = 1 << (bits.Len(uint(n)) - 1)
		}
		if err := f(list[:n:n]); err != nil {
			return err
		}
		list = list[n:]
	}
	return nil
}

// padded cuts a list into parts of at most most, and repeats the last of each up to
// the next power of two: for conditions and updates, in which a value may be twice.
func padded[T any](list []T, f func(part []T) error) error {
	for part := range slices.Chunk(list, most) {
		n := 1
		for n < len(part) {
			n *= 2
		}
		full := make([]T, 0, n)
		full = append(full, part...)
		for len(full) < n {
			full = append(full, part[len(part)-1])
		}
		if err := f(full); err != nil {
			return err
		}
	}
	return nil
}

// placeholders returns n of them; for none it returns one that matches nothing.
func placeholders(n int) string {
	if n == 0 {
		return "NULL"
	}
	return "?" + strings.Repeat(", ?", n-1)
}

// rowsOf returns n rows of width placeholders, for VALUES.
func rowsOf(n, width int) string {
	row := "(" + placeholders(width) + ")"
	return row + strings.Repeat(", "+row, n-1)
}

// typedRows returns n rows of placeholders of these types, for VALUES that are no
// INSERT's: PostgreSQL takes the types from the first row.
func (d *database) typedRows(n int, types ...string) string {
	if !d.postgres {
		return rowsOf(n, len(types))
	}
	var b strings.Builder
	for i, t := range types {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString("CAST(? AS " + t + ")")
	}
	return "(" + b.String() + ")" + strings.Repeat(", ("+placeholders(len(types))+")", n-1)
}

// toAny makes arguments of a list.
func toAny[T any](list []T) []any {
	out := make([]any, len(list))
	for i, v := range list {
		out[i] = v
	}
	return out
}

// column returns the first column of a query's rows.
func column(ctx context.Context, q session, query string, args ...any) ([]string, error) {
	var list []string
	rows, err := q.query(ctx, query, args...)
	err = eachRow(rows, err, func(rows *sql.Rows) error {
		var id string
		err := rows.Scan(&id)
		list = append(list, id)
		return err
	})
	return list, err
}

// sorted returns the different values of a list, sorted.
func sorted(list []string) []string {
	list = slices.Clone(list)
	slices.Sort(list)
	return slices.Compact(list)
}
