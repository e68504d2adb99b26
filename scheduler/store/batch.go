package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"math/bits"
	"slices"
	"strconv"
	"strings"
)

// most returns how many rows one statement takes: for PostgreSQL they are one argument
// for each column, whatever their number, and a placeholder each for SQLite.
func (d *database) most() int {
	if d.postgres {
		return 5000
	}
	return 256
}

// sizes cuts a list into parts of one statement each. SQLite has them in lengths of
// powers of two, the longest first, so that each statement is parsed once and kept.
func sizes[T any](q session, list []T, f func(part []T) error) error {
	for len(list) > 0 {
		n := min(len(list), q.most())
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

// padded cuts a list into parts of one statement each, and for SQLite repeats the last
// value of each up to the next power of two: for updates, in which a row may be twice.
func padded[T any](q session, list []T, f func(part []T) error) error {
	for part := range slices.Chunk(list, q.most()) {
		if !q.postgres {
			part = slices.Clip(part)
			for n := 1 << bits.Len(uint(len(part)-1)); len(part) < n; {
				part = append(part, part[len(part)-1])
			}
		}
		if err := f(part); err != nil {
			return err
		}
	}
	return nil
}

// placeholders returns n of them.
func placeholders(n int) string { return "?" + strings.Repeat(", ?", n-1) }

// values returns rows for a statement and its arguments for them, after INSERT INTO or
// as what a WITH selects: strings, int64s and float64s, one row after the other. For
// PostgreSQL they are an array for each column, so that the statement is the same
// however many there are, and is parsed and planned once on each connection.
func (d *database) values(width int, cells []any) (string, []any) {
	if !d.postgres {
		row := "(" + placeholders(width) + ")"
		return "VALUES " + row + strings.Repeat(", "+row, len(cells)/width-1), cells
	}
	types, arrays := make([]string, width), make([]any, width)
	for i := range width {
		switch cells[i].(type) {
		case string:
			types[i], arrays[i] = "?::text[]", every[string](cells[i:], width)
		case int64:
			types[i], arrays[i] = "?::bigint[]", every[int64](cells[i:], width)
		case float64:
			types[i], arrays[i] = "?::float8[]", every[float64](cells[i:], width)
		default:
			panic("column " + strconv.Itoa(i) + " is of a type that no statement has") // each statement names its cells
		}
	}
	return "SELECT * FROM unnest(" + strings.Join(types, ", ") + ")", arrays
}

// every returns the first of each n cells.
func every[T any](cells []any, n int) []T {
	list := make([]T, 0, len(cells)/n+1)
	for i := 0; i < len(cells); i += n {
		list = append(list, cells[i].(T))
	}
	return list
}

// in returns the condition that what stands before it is one of a list's values, and its
// argument. The statement is the same however many there are.
func in[T int64 | string](q session, list []T) (condition string, arg any) {
	if q.postgres {
		return ` = ANY(?)`, list
	}
	return ` IN (SELECT value FROM json_each(?))`, jsonOf(list)
}

// each returns the values of a list as a table v with a column value, and its argument.
func (d *database) each(list []string) (table string, arg any) {
	if d.postgres {
		return `unnest(?::text[]) AS v (value)`, list
	}
	return `json_each(?) AS v`, jsonOf(list)
}

func jsonOf[T int64 | string](list []T) string {
	text, _ := json.Marshal(list) // strings and numbers always can be
	return string(text)
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
