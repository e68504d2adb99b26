package plan_test

import (
	"testing"
)

func TestZoneChange(t *testing.T) {
	tests := []struct {
		zone, rule, from string // the first fire from then on
		want             string // "" is no change
	}{
		{"Europe/Berlin", "stop 30 2 * * *", "2026-03-29T00:00:00+01:00", "02:30 does not exist on 2026-03-29 in Europe/Berlin; fires at 03:00"},
		{"Europe/Berlin", "stop 02:30", "2026-10-25T00:00:00+02:00", "02:30 comes twice on 2026-10-25 in Europe/Berlin; fires the first time"},
		{"Europe/Berlin", "stop 02:30", "2026-03-30T00:00:00+02:00", ""},
		{"Europe/Berlin", "stop 03:00", "2026-03-29T00:00:00+01:00", ""},
		{"Europe/Berlin", "stop 30 * * * *", "2026-10-25T01:00:00Z", ""},
		{"Europe/Berlin", "uptime 02:00-06:00", "2026-03-29T00:00:00+01:00", "02:00 does not exist on 2026-03-29 in Europe/Berlin; fires at 03:00"},
		{"Europe/Berlin", "uptime sat 22:00-02:59", "2026-03-29T00:00:00+01:00", "02:59 does not exist on 2026-03-29 in Europe/Berlin; fires at 03:00"},
		{"Europe/Berlin", "uptime fri 19:00 - sun 02:00", "2026-10-25T00:00:00+02:00", "02:00 comes twice on 2026-10-25 in Europe/Berlin; fires the first time"},
		{"America/Sao_Paulo", "uptime sat 20:00-24:00", "2018-11-04T00:00:00-03:00", "00:00 does not exist on 2018-11-04 in America/Sao_Paulo; fires at 01:00"},
		{"Pacific/Apia", "stop 0 12 30 12 *", "2011-12-29T00:00:00-10:00", "12:00 does not exist on 2011-12-30 in Pacific/Apia; fires at 2011-12-31 00:00"},
		{"Australia/Lord_Howe", "start 02:15", "2026-10-04T00:00:00+10:30", "02:15 does not exist on 2026-10-04 in Australia/Lord_Howe; fires at 02:30"},
	}
	for _, tt := range tests {
		t.Run(tt.zone+" "+tt.rule+" "+tt.from, func(t *testing.T) {
			p := sketch{zone: tt.zone, rules: []string{tt.rule}}.compile(t)
			from := mustTime(t, tt.from)
			fires := p.Fires(from, from.AddDate(0, 0, 7))
			if len(fires) == 0 {
				t.Fatal("no fire")
			}
			if got, ok := p.ZoneChange(fires[0]); got != tt.want || ok != (tt.want != "") {
				t.Errorf("ZoneChange(%+v) = %q, %t, want %q", fires[0], got, ok, tt.want)
			}
		})
	}
}
