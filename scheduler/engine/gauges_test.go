package engine_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"curfew/lcs/lcssim"
	"curfew/scheduler/plan"
)

func TestGaugesCountWhatIsSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 3, lcssim.Options{})
		w.sim.Set(envID(0), lcssim.Finished)
		until("2000-01-01 10:00:00")
		w.start()
		until("2000-01-01 10:01:00")
		w.keep(1, plan.Running, time.Date(2000, 1, 1, 12, 0, 0, 0, time.UTC))
		until("2000-01-01 10:15:00")
		const want = `# HELP curfew_environments Environments by what is wanted of them and what LCS last showed.
# TYPE curfew_environments gauge
curfew_environments{observed="busy",wanted="running"} 0
curfew_environments{observed="busy",wanted="stopped"} 0
curfew_environments{observed="busy",wanted="unknown"} 0
curfew_environments{observed="running",wanted="running"} 1
curfew_environments{observed="running",wanted="stopped"} 1
curfew_environments{observed="running",wanted="unknown"} 0
curfew_environments{observed="starting",wanted="running"} 0
curfew_environments{observed="starting",wanted="stopped"} 0
curfew_environments{observed="starting",wanted="unknown"} 0
curfew_environments{observed="stopped",wanted="running"} 0
curfew_environments{observed="stopped",wanted="stopped"} 1
curfew_environments{observed="stopped",wanted="unknown"} 0
curfew_environments{observed="stopping",wanted="running"} 0
curfew_environments{observed="stopping",wanted="stopped"} 0
curfew_environments{observed="stopping",wanted="unknown"} 0
curfew_environments{observed="unknown",wanted="running"} 0
curfew_environments{observed="unknown",wanted="stopped"} 0
curfew_environments{observed="unknown",wanted="unknown"} 0
curfew_environments{observed="unsupported",wanted="running"} 0
curfew_environments{observed="unsupported",wanted="stopped"} 0
curfew_environments{observed="unsupported",wanted="unknown"} 0
# HELP curfew_lcs_quota_used Calls of an account in the last 30 minutes, of which LCS takes 30 of each kind.
# TYPE curfew_lcs_quota_used gauge
curfew_lcs_quota_used{account="main",kind="start"} 1
curfew_lcs_quota_used{account="main",kind="stop"} 0
# HELP curfew_overrides_active Overrides that keep environments running or stopped now.
# TYPE curfew_overrides_active gauge
curfew_overrides_active{keep="running"} 1
curfew_overrides_active{keep="stopped"} 0
`
		if err := testutil.GatherAndCompare(w.metrics, strings.NewReader(want), "curfew_environments", "curfew_lcs_quota_used", "curfew_overrides_active"); err != nil {
			t.Error(err)
		}
		w.stop()
	})
}
