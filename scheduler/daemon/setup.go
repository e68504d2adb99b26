package daemon

import (
	"maps"
	"time"

	"curfew/scheduler"
	"curfew/scheduler/config"
	"curfew/scheduler/plan"
)

// newSetup returns the engine's side of a schedule file.
func newSetup(cfg *config.Config, p *plan.Plan, c *Clients) (*scheduler.Setup, error) {
	s := &scheduler.Setup{
		File: config.Digest(cfg.Files), Plan: p, Rules: rulesOf(cfg, p), Location: cfg.Location, Currency: cfg.Currency, Leads: map[string]scheduler.Lead{}, Enforced: map[string]string{}, Warnings: warningsOf(cfg),
		Defaults: scheduler.Defaults{
			CatchUp: cfg.Defaults.CatchUp, Deadline: cfg.Defaults.Deadline, VerifyTimeout: cfg.Defaults.VerifyTimeout, Order: cfg.Defaults.Order,
			MaxStops: cfg.Defaults.MaxStopsPerFire,
		},
	}
	for _, sched := range cfg.Schedules {
		if sched.Lead != (config.Lead{}) {
			s.Leads[sched.Name] = scheduler.Lead(sched.Lead)
		}
		for _, name := range sched.Environments {
			if sched.Enabled && sched.Enforce == config.EnforceAlways {
				s.Enforced[name] = sched.Name
			}
		}
	}
	for _, e := range cfg.Environments {
		s.Environments = append(s.Environments, scheduler.Environment{Name: e.Name, Project: e.Project, ID: e.ID, Tags: e.Tags, CostPerHour: e.CostPerHour})
	}
	for _, p := range cfg.Projects {
		project := scheduler.Project{Name: p.Name, ID: p.ID, Endpoint: p.Endpoint}
		for _, name := range p.Accounts {
			client, cred, err := c.Of(p, name)
			if err != nil {
				return nil, err
			}
			project.Accounts = append(project.Accounts, scheduler.Account{Name: name, Client: client, Credential: cred})
		}
		s.Projects = append(s.Projects, project)
	}
	return s, nil
}

// rulesOf lists which schedule or exception holds which environment.
func rulesOf(cfg *config.Config, p *plan.Plan) []scheduler.Rule {
	var rules []scheduler.Rule
	add := func(name string, environments []string) {
		for _, e := range environments {
			rules = append(rules, scheduler.Rule{Name: name, Environment: e, Fingerprint: p.Fingerprint(name)})
		}
	}
	for _, s := range cfg.Spec.Schedules {
		add(s.Name, s.Environments)
	}
	for _, x := range cfg.Spec.Exceptions {
		add(x.Name, x.Environments)
	}
	return rules
}

// warningsOf says how long before its stops people are warned of each environment.
func warningsOf(cfg *config.Config) map[string]scheduler.Warning {
	all := map[string]scheduler.Warning{}
	for _, s := range cfg.Schedules {
		if !s.Enabled {
			continue
		}
		for _, name := range s.Environments {
			w := all[name]
			if w.Schedules == nil {
				w.Schedules = map[string]time.Duration{}
			}
			w.Schedules[s.Name] = s.Warn
			w.Otherwise = max(w.Otherwise, s.Warn)
			all[name] = w
		}
	}
	maps.DeleteFunc(all, func(_ string, w scheduler.Warning) bool { return w.Otherwise == 0 })
	return all
}
