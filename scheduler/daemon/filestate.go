package daemon

import (
	"strings"
	"sync"
	"time"

	"curfew/scheduler/config"
	"curfew/scheduler/web/api"
)

// A fileState is what the daemon shows of its schedule file.
type fileState struct {
	mu   sync.Mutex // guards file, which reloads change and requests read
	file api.File
}

func newFileState(cfg *config.Config, now time.Time) *fileState {
	s := &fileState{}
	s.loaded(cfg, now)
	return s
}

// loaded records that a file is active.
func (s *fileState) loaded(cfg *config.Config, now time.Time) {
	zone := cfg.Zone()
	f := api.File{Path: cfg.Path, Digest: config.Digest(cfg.Files), Timezone: zone.String(), ActiveSince: now.Truncate(time.Second).In(zone)}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.file = f
}

// refused records why the file as it is now is not active.
func (s *fileState) refused(err error, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := now.Truncate(time.Second).In(s.file.ActiveSince.Location())
	s.file.Refused = &api.Refused{At: at, Problems: strings.Split(err.Error(), "\n")}
}

func (s *fileState) current() api.File {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.file
}
