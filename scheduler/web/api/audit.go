package api

import (
	"net/http"
	"time"

	"github.com/google/uuid"

	"curfew/scheduler"
)

// An AuditEntry is one change that somebody made.
type AuditEntry struct {
	ID           string    `json:"id"`
	At           time.Time `json:"at"`
	By           string    `json:"by"`
	From         string    `json:"from"` // the address that the request came from
	Action       string    `json:"action"`
	Environments []string  `json:"environments"`
	Run          *string   `json:"run"`
	Override     *string   `json:"override"`
	Before       *string   `json:"before"`
	After        *string   `json:"after"`
}

func (a *API) audit(r *http.Request) (any, error) {
	q, err := query(r, "since", "limit", "cursor")
	if err != nil {
		return nil, err
	}
	since, err := instant(q, "since", time.Time{})
	if err != nil {
		return nil, err
	}
	limit, err := limitOf(q, MaxPage)
	if err != nil {
		return nil, err
	}
	cursor := q.Get("cursor")
	if cursor != "" && uuid.Validate(cursor) != nil {
		return nil, &badParameter{"cursor", "the next_cursor of the page before"}
	}
	found, err := a.opts.Reports.Audit(r.Context(), since, cursor, limit+1)
	if err != nil {
		return nil, err
	}
	zone, _ := a.opts.Reports.Place()
	next := ""
	if len(found) > limit {
		found = found[:limit]
		next = found[limit-1].ID
	}
	return list(items(found, func(e scheduler.Event) AuditEntry { return auditOf(e, zone) }), next), nil
}

func auditOf(e scheduler.Event, zone *time.Location) AuditEntry {
	out := AuditEntry{
		ID: e.ID, At: e.At.In(zone), By: e.By.String(), From: e.By.From, Action: string(e.Change.Action), Environments: e.Change.Names(),
		Run: orNil(e.Run), Override: orNil(e.Override), Before: orNil(e.Change.Before), After: orNil(e.Change.After),
	}
	if out.Environments == nil {
		out.Environments = []string{}
	}
	return out
}
