package main

import (
	"io"
	"os"

	"github.com/mattn/go-isatty"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"curfew/lcs/secret"
)

// newLogger writes to w, without credentials: JSON, or lines for people when format is console, or is
// empty and w is a terminal.
func newLogger(w io.Writer, format, level string) (*zap.Logger, error) {
	min, err := zapcore.ParseLevel(level)
	if err != nil || min > zapcore.ErrorLevel {
		return nil, usage("--log-level: unknown level %q; want debug, info, warn or error", level)
	}
	enc := zap.NewProductionEncoderConfig()
	enc.EncodeTime = zapcore.RFC3339NanoTimeEncoder
	enc.EncodeDuration = zapcore.StringDurationEncoder
	var encoder zapcore.Encoder
	switch {
	case format == "json", format == "" && !terminal(w):
		encoder = zapcore.NewJSONEncoder(enc)
	case format == "console", format == "":
		enc.EncodeTime = zapcore.TimeEncoderOfLayout("2006-01-02 15:04:05 MST") // of fields too: a fire is on another day, in the file's zone
		enc.EncodeLevel = zapcore.CapitalLevelEncoder
		encoder = zapcore.NewConsoleEncoder(enc)
	default:
		return nil, usage("--log-format: unknown format %q; want json or console", format)
	}
	return zap.New(secret.Core(zapcore.NewCore(encoder, zapcore.Lock(zapcore.AddSync(w)), min))), nil
}

func terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && isatty.IsTerminal(f.Fd())
}
