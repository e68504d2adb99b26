package notify

import (
	"fmt"
	"strings"
)

// text is a message without its title, for receivers that show plain text, of so many
// characters at most: what does not fit is counted.
func (m Message) text(most int) string {
	tail := m.tail()
	var b strings.Builder
	for i, p := range m.Parts {
		part := p.text()
		more := fmt.Sprintf("… and %d more", len(m.Parts)-i)
		if room := most - len(tail) - len(more) - 1; b.Len()+len(part) > room && most > 0 {
			if i == 0 {
				b.WriteString(cut(part, room) + "\n")
				i++
			}
			if i < len(m.Parts) {
				fmt.Fprintf(&b, "… and %d more\n", len(m.Parts)-i)
			}
			break
		}
		b.WriteString(part)
	}
	return strings.TrimSpace(b.String() + tail)
}

// tail is what ends a text: it is shown whatever is left out.
func (m Message) tail() string {
	var b strings.Builder
	for _, button := range m.Buttons {
		b.WriteString("\n" + button.Name + ": " + button.URL)
	}
	if m.Footer != "" {
		b.WriteString("\n" + m.Footer)
	}
	return b.String()
}

func (p Part) text() string {
	var b strings.Builder
	b.WriteString(p.Text + "\n")
	if p.Next != "" {
		b.WriteString("→ " + p.Next + "\n")
	}
	for _, button := range p.Buttons {
		b.WriteString("  " + button.Name + ": " + button.URL + "\n")
	}
	return b.String()
}

// cut shortens a text to so many bytes, at the end of a character.
func cut(s string, most int) string {
	if len(s) <= most {
		return s
	}
	s = s[:max(most-len("…"), 0)]
	return strings.ToValidUTF8(s, "") + "…"
}
