package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"go.uber.org/zap"

	"curfew/scheduler"
	"curfew/scheduler/plan"
	"curfew/scheduler/web/access"
)

// maxBody bounds what a change may send: an override of 5,000 environments fits.
const maxBody = 1 << 20

// A BadFile says why a schedule file was not loaded: a line for each error.
type BadFile struct{ Message string }

func (e *BadFile) Error() string { return e.Message }

// act starts or stops an environment at once.
func (a *API) act(action plan.Action) func(*http.Request) (any, error) {
	return func(r *http.Request) (any, error) {
		if _, err := query(r); err != nil {
			return nil, err
		}
		run, err := a.opts.Changes.Request(r.Context(), r.PathValue("name"), action)
		if err != nil {
			return nil, err
		}
		return runOf(run), nil
	}
}

func (a *API) cancel(r *http.Request) (any, error) {
	found, err := a.findRun(r)
	if err != nil {
		return nil, err
	}
	run, err := a.opts.Changes.Cancel(r.Context(), found.ID)
	if err != nil {
		return nil, err
	}
	return runOf(run), nil
}

// approve lets go what waits with the run: every held run of its fire.
func (a *API) approve(r *http.Request) (any, error) {
	found, err := a.findRun(r)
	if err != nil {
		return nil, err
	}
	id := found.ID
	runs, err := a.opts.Changes.Approve(r.Context(), id)
	if err != nil {
		return nil, err
	}
	for _, run := range runs {
		if run.ID == id {
			return runOf(run), nil
		}
	}
	return nil, scheduler.ErrFinished
}

func (a *API) overrides(r *http.Request) (any, error) {
	return page(r, a.opts.Engine.Overrides, func(o scheduler.OverrideStatus) string { return o.ID }, overrideOf)
}

// An OverrideRequest asks for an override; From is now when it is absent.
type OverrideRequest struct {
	Environments []string  `json:"environments"`
	Keep         string    `json:"keep"`
	From         time.Time `json:"from,omitzero"`
	Until        time.Time `json:"until"`
	Reason       string    `json:"reason,omitempty"`
}

// override makes an override. A repeat answers with the one that is there already.
func (a *API) override(r *http.Request) (int, any, error) {
	if _, err := query(r); err != nil {
		return 0, nil, err
	}
	var ask OverrideRequest
	if err := decode(r, &ask); err != nil {
		return 0, nil, err
	}
	o, made, err := a.opts.Changes.Override(r.Context(), scheduler.Override{
		Environments: ask.Environments, Keep: plan.Wanted(ask.Keep), From: ask.From, Until: ask.Until, Reason: ask.Reason,
	})
	if err != nil {
		return 0, nil, err
	}
	return a.madeOrKnown(r, o, made)
}

// madeOrKnown answers with an override: 201 for one that was made, 200 for one that was there.
func (a *API) madeOrKnown(r *http.Request, o scheduler.Override, made bool) (int, any, error) {
	shown, err := a.shown(r, o)
	if made {
		return http.StatusCreated, shown, err
	}
	return http.StatusOK, shown, err
}

// skip leaves out the next stop of an environment. A repeat answers with the override that
// does so already.
func (a *API) skip(r *http.Request) (int, any, error) {
	if _, err := query(r); err != nil {
		return 0, nil, err
	}
	o, made, err := a.opts.Changes.Skip(r.Context(), r.PathValue("name"))
	if err != nil {
		return 0, nil, err
	}
	return a.madeOrKnown(r, o, made)
}

func (a *API) release(r *http.Request) (any, error) {
	if _, err := query(r); err != nil {
		return nil, err
	}
	o, err := a.opts.Changes.Release(r.Context(), r.PathValue("id"))
	if err != nil {
		return nil, err
	}
	return a.shown(r, o)
}

func (a *API) releaseAccount(r *http.Request) (any, error) {
	if _, err := query(r); err != nil {
		return nil, err
	}
	account, err := a.opts.Changes.ReleaseAccount(r.Context(), r.PathValue("name"))
	if err != nil {
		return nil, err
	}
	return accountOf(account), nil
}

// shown returns an override as the listing shows it.
func (a *API) shown(r *http.Request, o scheduler.Override) (any, error) {
	all, err := a.opts.Engine.Overrides(r.Context())
	if err != nil {
		return nil, err
	}
	for _, other := range all {
		if other.ID == o.ID {
			return overrideOf(other), nil
		}
	}
	return overrideOf(scheduler.OverrideStatus{Override: o}), nil
}

func (a *API) reload(r *http.Request) (any, error) {
	if _, err := query(r); err != nil {
		return nil, err
	}
	if err := access.From(r.Context()).May(access.Reload); err != nil {
		return nil, err
	}
	if a.opts.Reload == nil {
		return nil, &scheduler.InvalidError{Message: "there is no schedule file to read again"}
	}
	changes, err := a.opts.Reload(r.Context())
	var bad *BadFile
	if err != nil && !errors.As(err, &bad) {
		a.log.Warn("not reloaded", zap.Error(err))
		return nil, &BadFile{err.Error()}
	}
	if err != nil {
		return nil, err
	}
	return changes, nil
}

// decode reads a JSON body, and refuses what nobody reads.
func decode(r *http.Request, into any) error {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return &scheduler.InvalidError{Message: "the body must be JSON, with Content-Type: application/json"}
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody))
	if err != nil {
		return &scheduler.InvalidError{Message: "the body broke off"}
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return &scheduler.InvalidError{Message: fmt.Sprintf("the body cannot be read: %v", readable(err))}
	}
	if d.More() {
		return &scheduler.InvalidError{Message: "the body has something after its JSON object"}
	}
	if fault := doubtful(body); fault != "" {
		return &scheduler.InvalidError{Message: "the body cannot be read: " + fault}
	}
	return nil
}

// doubtful returns what is wrong with a body that encoding/json reads all the same: a key that
// is there twice, of which it would take the last, and text that no database keeps.
func doubtful(body []byte) string {
	if !utf8.Valid(body) {
		return "it is not UTF-8 text"
	}
	return doubtfulValue(json.NewDecoder(bytes.NewReader(body)))
}

func doubtfulValue(d *json.Decoder) string {
	t, err := d.Token()
	if err != nil {
		return readable(err)
	}
	if text, ok := t.(string); ok && !scheduler.ValidText(text) {
		return "a text in it has NUL"
	}
	if _, nested := t.(json.Delim); !nested {
		return ""
	}
	keys := map[string]bool{}
	for d.More() {
		if t == json.Delim('{') {
			key, err := d.Token()
			name := strings.ToLower(fmt.Sprint(key)) // encoding/json takes a name in any case
			switch {
			case err != nil:
				return readable(err)
			case keys[name]:
				return fmt.Sprintf("%s is there twice", key)
			}
			keys[name] = true
		}
		if fault := doubtfulValue(d); fault != "" {
			return fault
		}
	}
	if _, err := d.Token(); err != nil { // the end of it
		return readable(err)
	}
	return ""
}

// readable says what is wrong with a body without naming a type of ours, or of Go.
func readable(err error) string {
	const instants = "RFC 3339 with an offset, such as 2026-11-23T19:00:00+01:00"
	var kind *json.UnmarshalTypeError
	var syntax *json.SyntaxError
	var instant *time.ParseError
	switch {
	case errors.As(err, &kind) && kind.Field == "":
		return fmt.Sprintf("it is a JSON %s; want an object", kind.Value)
	case errors.As(err, &kind):
		return fmt.Sprintf("%s cannot be a JSON %s", kind.Field, kind.Value)
	case errors.As(err, &instant):
		return fmt.Sprintf("%s is not %s", instant.Value, instants)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "it is empty, cut off or larger than 1 MiB"
	case errors.As(err, &syntax):
		return fmt.Sprintf("it is not JSON: %v, at character %d", syntax, syntax.Offset)
	}
	if name, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		return "it has no field " + name
	}
	return "an instant in it is not text; want " + instants // the only type of ours that reads itself
}
