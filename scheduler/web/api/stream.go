package api

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"go.uber.org/zap"

	"curfew/scheduler"
)

// events answers GET /api/v1/events until the client goes, is too slow, or the daemon stops.
func (a *API) events(w http.ResponseWriter, r *http.Request) {
	if _, err := query(r); err != nil {
		a.fail(w, r, err)
		return
	}
	e := a.opts.Events
	if e == nil {
		WriteProblem(w, http.StatusServiceUnavailable, "there are no events", "this daemon does not serve them")
		return
	}
	l := &listener{joined: make(chan string, 1), batches: make(chan []frame, batchesBehind)}
	position, ok := e.joinAs(r.Context(), l)
	if !ok {
		w.Header().Set("Retry-After", "5")
		WriteProblem(w, http.StatusServiceUnavailable, "no events at the moment", fmt.Sprintf("the daemon stops, its database does not answer, or more than %d listen; try again", e.opts.MostListeners))
		return
	}
	defer e.left(l)
	s := &stream{w: w, control: http.NewResponseController(w), patience: e.opts.Patience}
	err := s.serve(r, e, l, position)
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		e.dropped()
	case err != nil && !errors.Is(err, errStopping) && r.Context().Err() == nil:
		e.log.Warn("events ended early; the client will ask again", zap.Error(err))
	}
}

// A stream is the answer to a listener.
type stream struct {
	w        http.ResponseWriter
	control  *http.ResponseController
	patience time.Duration
	sent     map[string]bool // events that were sent again, which may come as news too
	until    time.Time       // for so long
}

func (s *stream) serve(r *http.Request, e *Events, l *listener, position string) error {
	h := s.w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("X-Accel-Buffering", "no") // a proxy would hold events back
	if r.Method == http.MethodHead {
		return nil
	}
	// The limits of the server are those of an answer that is written at once.
	if err := s.control.SetReadDeadline(time.Time{}); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	last, again := lastEvent(r)
	if again {
		position = last + ".0" // until it has what came since, that is how far the client is
	}
	if err := s.write([]byte("id: " + position + "\n\n")); err != nil {
		return err
	}
	if again {
		if err := s.again(r.Context(), e, last); err != nil {
			return err
		}
	}
	alive := time.NewTicker(e.opts.KeepAlive)
	defer alive.Stop()
	over := time.NewTimer(longest)
	defer over.Stop()
	for {
		var err error
		select {
		case <-r.Context().Done():
			return nil
		case <-over.C:
			return nil
		case batch, ok := <-l.batches:
			if !ok {
				return nil
			}
			err = s.send(batch)
		case <-alive.C:
			err = s.write([]byte(": keep-alive\n\n"))
		}
		if err != nil {
			return err
		}
	}
}

// lastEvent returns the last event that the client had; ok is false when it does not say
// so, or says what is no id of ours.
func lastEvent(r *http.Request) (id string, ok bool) {
	header := r.Header.Get("Last-Event-ID")
	id, _, _ = strings.Cut(header, ".")
	if header == "" || id != "" && uuid.Validate(id) != nil {
		return "", false
	}
	return id, true
}

var errStopping = errors.New("the daemon stops")

// again sends what came after the last event that the client had.
func (s *stream) again(ctx context.Context, e *Events, last string) error {
	s.sent, s.until = map[string]bool{}, time.Now().Add(newsAgain)
	return e.opts.Updates.After(ctx, last, time.Now(), func(list []scheduler.Update) error {
		batch := make([]frame, len(list))
		for i, u := range list {
			if u.Event != "" {
				last, s.sent[u.Event] = u.Event, true
			}
			batch[i] = frameOf(u, last+".0")
		}
		select {
		case <-e.stopped:
			return errStopping
		default:
			return s.write(join(batch))
		}
	})
}

func (s *stream) send(batch []frame) error {
	if s.sent != nil && time.Now().After(s.until) {
		s.sent = nil
	}
	return s.write(join(slices.DeleteFunc(slices.Clone(batch), func(f frame) bool { return s.sent[f.event] })))
}

func join(batch []frame) []byte {
	var b bytes.Buffer
	for _, f := range batch {
		b.Write(f.text)
	}
	return b.Bytes()
}

// write sends a text at once, or fails when the client takes too long to read it.
func (s *stream) write(text []byte) error {
	if len(text) == 0 {
		return nil
	}
	if err := s.control.SetWriteDeadline(time.Now().Add(s.patience)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return fmt.Errorf("send events: %w", err)
	}
	if _, err := s.w.Write(text); err != nil {
		return fmt.Errorf("send events: %w", err)
	}
	if err := s.control.Flush(); err != nil {
		return fmt.Errorf("send events: %w", err)
	}
	return nil
}
