package daemon

import (
	"net"
	"slices"
	"time"

	"go.uber.org/zap"

	"curfew/scheduler/config"
	"curfew/scheduler/plan"
	"curfew/scheduler/store"
	"curfew/scheduler/zone"
)

// announce logs what the daemon is and where it listens.
func (d *daemon) announce(addr net.Addr) {
	if d.Demo != nil {
		d.Logger.Info("this is a demo: its environments live in a built-in simulator of LCS; nothing real is started or stopped",
			zap.String("pages", "http://"+addr.String()))
	}
	release, source := zone.Data()
	d.Logger.Info("curfew started", zap.String("version", d.Version), zap.String("zone_data", release+" ("+source+")"), zap.String("config", d.cfg.Path), zap.String("listen", addr.String()),
		zap.String("database", store.Place(d.Database.DSN)), zap.Int("environments", len(d.cfg.Environments)), zap.Int("projects", len(d.cfg.Projects)),
		zap.Int("schedules", len(d.cfg.Schedules)), zap.Bool("demo", d.Demo != nil))
}

// announceSchedules logs what is active, and the next fire of each schedule.
func announceSchedules(logger *zap.Logger, cfg *config.Config, p *plan.Plan, now time.Time) {
	if keys := notYet(cfg); len(keys) > 0 {
		logger.Warn("this version checks these keys of the schedule file and does not act on them", zap.Strings("keys", keys))
	}
	next := p.NextFires(now)
	for _, s := range cfg.Schedules {
		log := logger.With(zap.String("schedule", s.Name), zap.Int("environments", len(s.Environments)))
		switch f, ok := next[s.Name]; {
		case !s.Enabled:
			log.Info("schedule is disabled")
		case !ok:
			log.Info("no coming fire")
		default:
			log.Info("next fire", zap.String("action", string(f.Action)), zap.Time("at", f.At))
		}
	}
}

// notYet lists what the file asks for and this version does not do.
func notYet(cfg *config.Config) []string {
	if slices.ContainsFunc(cfg.Accounts, func(a config.Account) bool { return a.ClientSecret != nil }) {
		return []string{"client_secret"}
	}
	return nil
}
