package notify

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"curfew/internal/wording"
	"curfew/scheduler"
)

// A LinkStore keeps the deliveries that links belong to, and the key that signs them.
type LinkStore interface {
	// Key returns the key of a name: fresh, when there was none.
	Key(ctx context.Context, name, fresh string) (string, error)
	// Delivery returns one delivery, nil when it is not kept.
	Delivery(ctx context.Context, id string) (*scheduler.Delivery, error)
}

// Acts are what links do.
type Acts interface {
	// Standing returns those of a link's stops that still come. ErrLinkUsed, ErrLinkVoid.
	Standing(ctx context.Context, u scheduler.LinkUse) ([]scheduler.PlannedStop, error)
	// Follow does what a link says. ErrLinkUsed, ErrLinkVoid.
	Follow(ctx context.Context, u scheduler.LinkUse) ([]scheduler.Override, error)
}

// Links makes the links of warnings, and follows them. A link names its delivery, what it
// does and to which of the delivery's environments, and is signed.
type Links struct {
	store LinkStore
	acts  Acts
	base  string
	key   []byte
}

const (
	linkPath = "/link/"
	linkKey  = "links"
	linkMAC  = 16 // bytes of the signature: nobody guesses 128 bits
	linkSize = 16 + 1 + 2 + linkMAC
	linkAll  = 0xffff // in place of an environment: all of them
)

// choices are what links do; their places are in the links, so that none may be moved.
var choices = []scheduler.LinkChoice{scheduler.LinkKeep1, scheduler.LinkKeep2, scheduler.LinkSkip}

// NewLinks makes links for an address that people use. Their key is in the database: those
// that another replica or an earlier process made are good.
func NewLinks(ctx context.Context, store LinkStore, acts Acts, public string) (*Links, error) {
	key, err := store.Key(ctx, linkKey, rand.Text()+rand.Text())
	if err != nil {
		return nil, err
	}
	return &Links{store: store, acts: acts, base: strings.TrimRight(public, "/") + linkPath, key: []byte(key)}, nil
}

// buttons are the links of one environment of a warning, or of all with "". The zone is
// that of the messages.
func (l *Links) buttons(d scheduler.Delivery, environment string, zone *time.Location) []Button {
	at := linkAll
	if environment != "" {
		if at = slices.Index(warned(d), environment); at < 0 || at >= linkAll {
			return nil
		}
	}
	id, err := uuid.Parse(d.ID)
	if err != nil {
		return nil
	}
	names := []string{"Keep 1 h more", "Keep 2 h more", wording.SkipStop(d.Events[0].FireAt.In(zone))}
	list := make([]Button, len(choices))
	for i := range choices {
		token := make([]byte, 0, linkSize)
		token = append(token, id[:]...)
		token = append(token, byte(i))
		token = binary.BigEndian.AppendUint16(token, uint16(at))
		list[i] = Button{names[i], l.base + base64.RawURLEncoding.EncodeToString(append(token, l.sign(token)...))}
	}
	return list
}

func (l *Links) sign(token []byte) []byte {
	mac := hmac.New(sha256.New, l.key)
	mac.Write(token)
	return mac.Sum(nil)[:linkMAC]
}

// warned are the environments of a warning, sorted.
func warned(d scheduler.Delivery) []string {
	var names []string
	for _, e := range d.Events {
		if e.Kind == scheduler.EventStopping {
			names = append(names, e.Environment)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Link returns what a link would do, for those of its stops that still come; nothing is
// changed. ErrNoLink, ErrLinkUsed, ErrLinkVoid.
func (l *Links) Link(ctx context.Context, token string) (scheduler.LinkUse, error) {
	u, err := l.read(ctx, token)
	if err != nil {
		return u, err
	}
	u.Stops, err = l.acts.Standing(ctx, u)
	return u, err
}

// Follow does what a link says. from is the network address of who follows it.
// ErrNoLink, ErrLinkUsed, ErrLinkVoid.
func (l *Links) Follow(ctx context.Context, token, from string) ([]scheduler.Override, error) {
	u, err := l.read(ctx, token)
	if err != nil {
		return nil, err
	}
	u.By.From = from
	return l.acts.Follow(ctx, u)
}

// read checks the signature, and finds what the link is about.
func (l *Links) read(ctx context.Context, token string) (scheduler.LinkUse, error) {
	raw, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(raw) != linkSize {
		return scheduler.LinkUse{}, scheduler.ErrNoLink
	}
	body, signature := raw[:linkSize-linkMAC], raw[linkSize-linkMAC:]
	if !hmac.Equal(signature, l.sign(body)) || int(body[16]) >= len(choices) {
		return scheduler.LinkUse{}, scheduler.ErrNoLink
	}
	id, err := uuid.FromBytes(body[:16])
	if err != nil {
		return scheduler.LinkUse{}, scheduler.ErrNoLink
	}
	d, err := l.store.Delivery(ctx, id.String())
	if err != nil {
		return scheduler.LinkUse{}, fmt.Errorf("follow a link: %w", err)
	}
	if d == nil { // its stop was over a week ago
		return scheduler.LinkUse{}, scheduler.ErrLinkVoid
	}
	u := scheduler.LinkUse{Delivery: d.ID, Choice: choices[body[16]], By: scheduler.Actor{Via: "link:" + d.Receiver}}
	if at := int(binary.BigEndian.Uint16(body[17:19])); at != linkAll {
		names := warned(*d)
		if at >= len(names) {
			return scheduler.LinkUse{}, scheduler.ErrNoLink
		}
		u.Environment = names[at]
	}
	for _, e := range d.Events {
		if e.Kind == scheduler.EventStopping && (u.Environment == "" || e.Environment == u.Environment) {
			u.Stops = append(u.Stops, scheduler.PlannedStop{Environment: e.Environment, At: e.FireAt})
		}
	}
	return u, nil
}
