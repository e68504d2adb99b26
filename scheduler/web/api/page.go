package api

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
)

// limitOf returns how many items a page may have: otherwise, when the request does not say.
func limitOf(q url.Values, otherwise int) (int, error) {
	s := q.Get("limit")
	if s == "" {
		return otherwise, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 || n > MaxPage {
		return 0, &badParameter{"limit", fmt.Sprintf("a number from 1 to %d", MaxPage)}
	}
	return n, nil
}

// page returns the page that a request asks for, of a list that is found whole. The cursor of a
// page is the id of its last item.
func page[F, T any](r *http.Request, find func(context.Context) ([]F, error), id func(F) string, form func(F) T) (any, error) {
	q, err := query(r, "limit", "cursor")
	if err != nil {
		return nil, err
	}
	most, err := limitOf(q, MaxPage)
	if err != nil {
		return nil, err
	}
	found, err := find(r.Context())
	if err != nil {
		return nil, err
	}
	if after := q.Get("cursor"); after != "" {
		i := slices.IndexFunc(found, func(f F) bool { return id(f) == after })
		if i < 0 {
			return nil, &badParameter{"cursor", "the next_cursor of the page before; the list has changed since, so begin with its first page"}
		}
		found = found[i+1:]
	}
	next := ""
	if len(found) > most {
		found = found[:most]
		next = id(found[most-1])
	}
	return list(items(found, form), next), nil
}
