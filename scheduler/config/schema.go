package config

import (
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// A shape is a piece of JSON Schema.
type shape map[string]any

// The form that text must have, for the decoder and the schema alike. Go's regular
// expressions and those of JSON Schema read all of them in the same way.
const (
	datePattern     = `^[0-9]{4}-[0-9]{2}-[0-9]{2}$`
	datesPattern    = `^[0-9]{4}-[0-9]{2}-[0-9]{2}(/[0-9]{4}-[0-9]{2}-[0-9]{2})?$`
	idPattern       = `^([0-9a-fA-F]{32}|[0-9a-fA-F]{8}-([0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12})$`
	envPattern      = `^[A-Za-z_][A-Za-z0-9_]{0,254}$`
	regionPattern   = `^[A-Z0-9]{1,3}$`
	durationPattern = `^[0-9]+d$|^([0-9]+d)?([0-9.]+(h|m|s|ms|us|µs|μs|ns))+$|^0$`
)

// namePattern is text without what no name has: control characters, white space, ASCII
// punctuation but . _ -, and the blocks of punctuation and symbols. JSON Schema has no
// portable way to say "a letter", so it accepts more than validName, and never less.
const namePattern = "^[^\u0001-,/:-@\\[-\\^`{-\u00a9\u00ab-\u00b4\u00b6-\u00b9\u00bb-\u00bf\u00d7\u00f7" +
	"\u2000-\u206f\u20a0-\u20cf\u2190-\u2bff\u3000-\u3004\u3008-\u3020\u3030\ufe10-\ufe1f\ufe30-\ufe6f\ufeff-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff65]+$"

// Schema is the JSON Schema (draft 2020-12) of the schedule file, indented. It is
// made from the tables that the decoder works by. It knows the structure alone: that
// a name is defined, or a window makes sense, only Parse can check.
func Schema() ([]byte, error) {
	s := fileSection().shape()
	s["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	s["title"] = "curfew schedule file"
	var out strings.Builder
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	err := enc.Encode(s)
	return ascii(out.String()), err
}

// ascii writes JSON with its other characters escaped: some are not seen, and escapes of
// JSON mean the same to every engine of regular expressions.
func ascii(s string) []byte {
	var out []byte
	for _, r := range s {
		if r < utf8.RuneSelf {
			out = utf8.AppendRune(out, r)
			continue
		}
		for _, unit := range utf16.AppendRune(nil, r) {
			out = fmt.Appendf(out, `\u%04x`, unit)
		}
	}
	return out
}

// shape is the schema of a mapping with the keys of s.
func (s section) shape() shape {
	properties := shape{}
	var needed []string
	for _, k := range s.keys {
		p := shape{"description": k.doc}
		maps.Copy(p, k.shape)
		properties[k.name] = p
		if k.required {
			needed = append(needed, k.name)
		}
	}
	out := shape{"type": "object", "additionalProperties": false, "properties": properties}
	if len(needed) > 0 {
		out["required"] = needed
	}
	maps.Copy(out, s.rules)
	return out
}

func text() shape { return textUpTo(maxText) }

func textUpTo(most int) shape {
	return shape{"type": "string", "pattern": `\S`, "maxLength": most}
}

// nameShape allows more characters where an accent may be one of its own: the loader
// counts a letter and its accents as one, of at most four characters.
func nameShape() shape {
	const parts = 4
	return shape{"type": "string", "pattern": namePattern, "anyOf": []shape{
		{"maxLength": maxName},
		{"maxLength": parts * maxName, "pattern": "[^\u0001-\u02ff]"},
	}}
}

func enum(words []string) shape { return shape{"enum": words} }

func number(low, high float64) shape {
	return shape{"type": "number", "minimum": low, "maximum": high}
}

func integer(low, high float64) shape {
	s := number(low, high)
	s["type"] = "integer"
	return s
}

func durationShape() shape {
	return shape{"anyOf": []shape{{"const": 0}, {"type": "string", "pattern": durationPattern}}}
}

func listOf(items shape, atLeast int) shape {
	s := shape{"type": "array", "items": items}
	if atLeast > 0 {
		s["minItems"] = atLeast
		s["maxItems"] = maxList
	}
	return s
}

func oneOrListOf(item shape) shape { return anyOf(item, listOf(item, 1)) }

func anyOf(list ...shape) shape { return shape{"anyOf": list} }

func required(keys ...string) shape { return shape{"required": keys} }

func not(s shape) shape { return shape{"not": s} }

// accountRules say which keys go with which mode.
func accountRules() shape {
	var rules []shape
	for _, m := range modes() {
		then := []shape{required(m.needs...)}
		for _, k := range m.refuses {
			then = append(then, not(required(k)))
		}
		rules = append(rules, shape{
			"if":   shape{"required": []string{"mode"}, "properties": shape{"mode": shape{"const": m.name}}},
			"then": shape{"allOf": then},
		})
	}
	return shape{"allOf": rules}
}

// scheduleRules say that a schedule has uptime, or start and stop.
func scheduleRules() shape {
	events := anyOf(required("start"), required("stop"))
	return shape{"oneOf": []shape{
		{"allOf": []shape{required("uptime"), not(events), not(required("days"))}},
		{"allOf": []shape{events, not(required("uptime"))}},
	}}
}

// exceptionRules say that an exception has a time and an effect.
func exceptionRules() shape {
	return shape{"allOf": []shape{
		{"oneOf": []shape{
			{"allOf": []shape{required("date"), not(required("from")), not(required("until"))}},
			{"allOf": []shape{required("from", "until"), not(required("date"))}},
		}},
		{"oneOf": []shape{required("keep"), required("uptime")}},
	}}
}
