package plan

import (
	"time"

	"github.com/robfig/cron/v3"
)

type cronFields struct{}

func ParseTrigger(s string, days Days) (Trigger, error) { return Trigger{}, nil }
func (t Trigger) IsCron() bool                          { return t.cron != nil }
func (t Trigger) String() string                        { return t.text }

type Plan struct{}

type Entry struct {
	Name     string
	Schedule cron.Schedule
}

func Compile(s Spec) (*Plan, error)                                     { return &Plan{}, nil }
func (p *Plan) Fires(from, to time.Time, environments ...string) []Fire { return nil }
func (p *Plan) Wanted(environment string, at time.Time) Decision        { return Decision{} }
func (p *Plan) Entries() []Entry                                        { return nil }
func (p *Plan) NextFires(after time.Time) map[string]Fire               { return nil }
func (p *Plan) Fingerprint(name string) string                          { return "" }
func (p *Plan) ZoneChange(f Fire) (string, bool)                        { return "", false }
func (p *Plan) WithExceptions(list []Exception) (*Plan, error)          { return p, nil }
