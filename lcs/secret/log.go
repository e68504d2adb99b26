package secret

import (
	"encoding/json"
	"fmt"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// Core returns a core that redacts what is logged before inner sees it.
func Core(inner zapcore.Core) zapcore.Core { return core{inner} }

type core struct{ zapcore.Core }

// With redacts the fields that a logger has.
func (c core) With(fields []zapcore.Field) zapcore.Core {
	return core{c.Core.With(redactFields(fields))}
}

// Check has entries that are enabled come to Write.
func (c core) Check(e zapcore.Entry, to *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if c.Enabled(e.Level) {
		return to.AddCore(e, c)
	}
	return to
}

// Write redacts an entry and its fields.
func (c core) Write(e zapcore.Entry, fields []zapcore.Field) error {
	e.Message, e.Stack = Redact(e.Message), Redact(e.Stack)
	return c.Core.Write(e, redactFields(fields))
}

func redactFields(fields []zapcore.Field) []zapcore.Field {
	out := make([]zapcore.Field, len(fields))
	for i, f := range fields {
		out[i] = redactField(f)
	}
	return out
}

// redactField returns a field as it is unless it may hold text.
func redactField(f zapcore.Field) zapcore.Field {
	switch f.Type {
	case zapcore.StringType:
		f.String = Redact(f.String)
		return f
	case zapcore.ErrorType, zapcore.StringerType, zapcore.ByteStringType, zapcore.ArrayMarshalerType, zapcore.ObjectMarshalerType, zapcore.ReflectType:
	default:
		return f
	}
	m := zapcore.NewMapObjectEncoder()
	f.AddTo(m)
	return zap.Any(f.Key, redactValue(m.Fields[f.Key]))
}

// redactValue redacts the texts of what zap made of a field.
func redactValue(v any) any {
	switch v := v.(type) {
	case string:
		return Redact(v)
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = redactValue(v[i])
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for k := range v {
			out[k] = redactValue(v[k])
		}
		return out
	case nil, bool, int, int64, uint64, float64:
		return v
	}
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprintf("what cannot be written (%T)", v)
	}
	return Redact(string(text))
}
