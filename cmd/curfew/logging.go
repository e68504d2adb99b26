package main

import (
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/mattn/go-isatty"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"curfew/internal/logqueue"
	"curfew/lcs/secret"
)

const (
	logHeld  = 4 << 20         // bytes of the log that wait for a slow reader: some 10,000 lines
	logFlush = 2 * time.Second // the daemon must be gone 10 s after a stop, whoever reads its log
)

// A daemonLog is the log of the daemon, which never waits for whoever reads it.
type daemonLog struct {
	*zap.Logger
	queue *logqueue.Queue
}

// openLog starts the log of the daemon on w. It is to be closed.
func openLog(w io.Writer, format, level string) (daemonLog, error) {
	signal.Ignore(syscall.SIGPIPE) // by itself it would end a process whose log nobody reads any more
	q := logqueue.New(w, logHeld)
	log, err := newLogger(q, format == "" && terminal(w), format, level)
	if err != nil {
		return daemonLog{}, err
	}
	q.Dropped = func(lines uint64) {
		log.Warn("lines of the log were dropped: they were not read fast enough", zap.Uint64("lines", lines))
	}
	go q.Run()
	return daemonLog{log, q}, nil
}

// close writes what is left, if it is read.
func (l daemonLog) close() { l.queue.Close(logFlush) }

// say writes a last word, if it is read: nobody can end a process that waits for that.
func say(w io.Writer, text string) {
	q := logqueue.New(w, len(text))
	_, _ = io.WriteString(q, text)
	go q.Run()
	q.Close(logFlush)
}

// newLogger writes to w, without credentials: JSON, or lines for people when format is console, or is
// empty and they read it.
func newLogger(w zapcore.WriteSyncer, people bool, format, level string) (*zap.Logger, error) {
	min, err := zapcore.ParseLevel(level)
	if err != nil || min > zapcore.ErrorLevel {
		return nil, usage("--log-level: unknown level %q; want debug, info, warn or error", level)
	}
	enc := zap.NewProductionEncoderConfig()
	enc.EncodeTime = zapcore.RFC3339NanoTimeEncoder
	enc.EncodeDuration = zapcore.StringDurationEncoder
	var encoder zapcore.Encoder
	switch {
	case format == "json", format == "" && !people:
		encoder = zapcore.NewJSONEncoder(enc)
	case format == "console", format == "":
		enc.EncodeTime = zapcore.TimeEncoderOfLayout("2006-01-02 15:04:05 MST") // of fields too: a fire is on another day, in the file's zone
		enc.EncodeLevel = zapcore.CapitalLevelEncoder
		encoder = zapcore.NewConsoleEncoder(enc)
	default:
		return nil, usage("--log-format: unknown format %q; want json or console", format)
	}
	return zap.New(secret.Core(zapcore.NewCore(encoder, w, min))), nil
}

func terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && isatty.IsTerminal(f.Fd())
}
