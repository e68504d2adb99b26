package store

import "strconv"

// NextSchema is the schema that the next version of curfew will have.
func NextSchema() string { return strconv.Itoa(len(migrations) + 1) }
