package pages

import (
	"fmt"
	"io"
	"net/http"
	"strings"
)

// maxPasted bounds a pasted file.
const maxPasted = 4 << 20

// PlanPage is the form for a file, and what it would do.
type PlanPage struct {
	Text     string
	Asked    bool
	Preview  Preview
	Errors   int
	Currency string
}

func (p *Pages) planForm(r *http.Request, _ *clock) (any, error) {
	_, err := query(r)
	return &PlanPage{}, err
}

func (p *Pages) planResult(r *http.Request, _ *clock) (any, error) {
	if _, err := query(r); err != nil {
		return nil, err
	}
	r.Body = http.MaxBytesReader(nil, r.Body, maxPasted)
	if err := r.ParseForm(); err != nil {
		_, _ = io.Copy(io.Discard, r.Body)
		return nil, &badQuery{fmt.Sprintf("the file cannot be read, or has more than %d MiB: check it with curfew validate", maxPasted>>20)}
	}
	page := &PlanPage{Text: strings.ReplaceAll(r.PostFormValue("file"), "\r\n", "\n"), Asked: true}
	_, page.Currency = p.opts.Reports.Place()
	var err error
	if page.Preview, err = p.opts.Preview(r.Context(), page.Text); err != nil {
		return nil, err
	}
	for _, found := range page.Preview.Problems {
		if !found.Warning {
			page.Errors++
		}
	}
	return page, nil
}
