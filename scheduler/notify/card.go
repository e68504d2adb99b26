package notify

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/atc0005/go-teams-notify/v2/adaptivecard"
)

// mostCard is what Teams takes of a message, with room for what a workflow adds.
const mostCard = 26 << 10

// card is a message as an Adaptive Card, without the last parts when Teams would not take
// it whole.
func (m Message) card() (*adaptivecard.Message, error) {
	for shown := len(m.Parts); ; shown = shown * 3 / 4 {
		card, err := m.cardOf(shown)
		if err != nil {
			return nil, err
		}
		body, err := json.Marshal(card)
		if err != nil {
			return nil, fmt.Errorf("write the card: %w", err)
		}
		if len(bytes.TrimSpace(body)) <= mostCard || shown == 0 {
			return card, nil
		}
	}
}

func (m Message) cardOf(shown int) (*adaptivecard.Message, error) {
	card := adaptivecard.NewCard()
	card.Body = []adaptivecard.Element{adaptivecard.NewTitleTextBlock(escape(m.Title), true)}
	var err error
	add := func(e adaptivecard.Element) { card.Body = append(card.Body, e) }
	subtle := func(text string) adaptivecard.Element {
		e := adaptivecard.NewTextBlock(text, true)
		e.IsSubtle, e.Spacing = true, adaptivecard.SpacingNone
		return e
	}
	for _, p := range m.Parts[:shown] {
		add(adaptivecard.NewTextBlock(escape(p.Text), true))
		if p.Next != "" {
			add(subtle("→ " + escape(p.Next)))
		}
		if len(p.Buttons) > 0 {
			set := adaptivecard.NewActionSet()
			if set.Actions, err = openers(p.Buttons); err != nil {
				return nil, err
			}
			add(set)
		}
	}
	if rest := len(m.Parts) - shown; rest > 0 {
		add(adaptivecard.NewTextBlock(fmt.Sprintf("… and %d more", rest), true))
	}
	if m.Footer != "" {
		add(subtle(m.Footer))
	}
	if card.Actions, err = openers(m.Buttons); err != nil {
		return nil, err
	}
	card.SetFullWidth()
	message, err := adaptivecard.NewMessageFromCard(card)
	if err != nil {
		return nil, fmt.Errorf("write the card: %w", err)
	}
	return message, nil
}

func openers(buttons []Button) ([]adaptivecard.Action, error) {
	var list []adaptivecard.Action
	for _, b := range buttons {
		a, err := adaptivecard.NewActionOpenURL(b.URL, b.Name)
		if err != nil {
			return nil, fmt.Errorf("write the card: %w", err)
		}
		list = append(list, a)
	}
	return list, nil
}

// marks are what Teams would take for formatting.
var marks = strings.NewReplacer(`\`, `\\`, `*`, `\*`, `_`, `\_`, `[`, `\[`, `]`, `\]`, "`", "\\`", `~`, `\~`)

func escape(text string) string { return marks.Replace(text) }
