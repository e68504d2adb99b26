package lcs

import (
	"bytes"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
)

// A page of metadata is read row by row, and of a row only what curfew needs must be
// readable: a row that is not costs no other row anything.

// rowsOf reads the rows of a page; unreadable counts those without a readable id. Rows of
// one id that contradict each other are one environment of which nothing is certain.
func rowsOf(data []json.RawMessage) (list []Environment, unreadable int) {
	places := make(map[string]int, len(data))
	for _, raw := range data {
		var e Environment
		if json.Unmarshal(raw, &e) != nil || NormalizeID(e.ID) == "" {
			unreadable++
			continue
		}
		id := NormalizeID(e.ID)
		i, again := places[id]
		if !again {
			places[id] = len(list)
			list = append(list, e)
			continue
		}
		if first := &list[i]; !first.Contradictory && (first.Condition() != e.Condition() || first.Failed() != e.Failed()) {
			first.Contradictory = true
			first.DeploymentState += " and " + e.DeploymentState
			first.DeploymentStatusDisplay += " and " + e.DeploymentStatusDisplay
		}
	}
	return list, unreadable
}

// UnmarshalJSON reads a row of metadata. A field that is not of the documented type counts
// as absent, unless its text says the same.
func (e *Environment) UnmarshalJSON(b []byte) error {
	var r struct {
		ID                      text   `json:"EnvironmentId"`
		Name                    text   `json:"EnvironmentName"`
		Project                 number `json:"ProjectId"`
		Infrastructure          text   `json:"EnvironmentInfrastructure"`
		Type                    text   `json:"EnvironmentType"`
		DeploymentState         text   `json:"DeploymentState"`
		DeploymentStatusDisplay text   `json:"DeploymentStatusDisplay"`
		DeployedOnUTC           text   `json:"DeployedOnUTC"`
		CanStart                maybe  `json:"CanStart"`
		CanStop                 maybe  `json:"CanStop"`
	}
	if err := json.Unmarshal(b, &r); err != nil {
		return errors.New("want an object")
	}
	*e = Environment{
		ID: string(r.ID), Name: string(r.Name), Project: int64(r.Project), Infrastructure: string(r.Infrastructure), Type: string(r.Type),
		DeploymentState: string(r.DeploymentState), DeploymentStatusDisplay: string(r.DeploymentStatusDisplay), DeployedOnUTC: string(r.DeployedOnUTC),
		CanStart: r.CanStart.value, CanStop: r.CanStop.value,
	}
	return nil
}

// A text is a string, or a number as it is written; "" for anything else. It is fit for
// one line of a log and for every database: PostgreSQL takes no NUL.
type text string

// UnmarshalJSON never fails.
func (t *text) UnmarshalJSON(b []byte) error {
	*t = text(clean(scalar(b)))
	return nil
}

// A number is an integer, or one in a string; 0 for anything else.
type number int64

// UnmarshalJSON never fails.
func (n *number) UnmarshalJSON(b []byte) error {
	i, err := strconv.ParseInt(strings.TrimSpace(scalar(b)), 10, 64)
	if err != nil {
		i = 0
	}
	*n = number(i)
	return nil
}

// A maybe is a bool, or one in a string; nil for null, and for anything else, which is odd.
type maybe struct {
	value *bool
	odd   bool
}

// UnmarshalJSON never fails.
func (m *maybe) UnmarshalJSON(b []byte) error {
	said := string(b)
	if b[0] == '"' {
		said = strings.ToLower(strings.TrimSpace(scalar(b)))
	}
	*m = maybe{}
	switch yes := said == "true"; said {
	case "true", "false":
		m.value = &yes
	case "null":
	default:
		m.odd = true
	}
	return nil
}

// scalar returns the text of a JSON string or number, "" for anything else.
func scalar(b []byte) string {
	switch {
	case b[0] == '"':
		var s string
		if json.Unmarshal(b, &s) != nil {
			return ""
		}
		return s
	case b[0] == '-' || '0' <= b[0] && b[0] <= '9':
		return string(b)
	}
	return ""
}

// printable replaces the control characters of an answer by spaces, in place. JSON allows
// some of them between its parts, where a space is as good, and none within a string,
// where one would make the whole answer unreadable.
func printable(body []byte) []byte {
	for i := bytes.IndexFunc(body, isControl); i >= 0 && i < len(body); i++ {
		if isControl(rune(body[i])) {
			body[i] = ' '
		}
	}
	return body
}

func isControl(r rune) bool { return r < ' ' }
