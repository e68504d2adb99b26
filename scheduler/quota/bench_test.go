package quota_test

import (
	"fmt"
	"testing"
	"time"

	"curfew/scheduler/quota"
)

// crossed are n projects that wait for so many calls each, by three of the accounts
// each, so that all of them hang together.
func crossed(n, accounts, calls int) (budgets []quota.Budget, demands []quota.Demand) {
	for i := range accounts {
		budgets = append(budgets, quota.Budget{Account: fmt.Sprint(i)})
	}
	for i := range n {
		c := quota.Demand{Calls: calls / 2, Behind: calls - calls/2}
		for k := range 3 {
			c.Accounts = append(c.Accounts, fmt.Sprint((i*(k+1)+k*7)%accounts))
		}
		demands = append(demands, c)
	}
	return budgets, demands
}

// BenchmarkBest demands for a call while 5,000 wait.
func BenchmarkBest(b *testing.B) {
	for _, size := range []struct{ projects, accounts int }{{1, 1}, {5, 3}, {50, 10}} {
		b.Run(fmt.Sprintf("%d projects %d accounts", size.projects, size.accounts), func(b *testing.B) {
			budgets, demands := crossed(size.projects, size.accounts, 5000/size.projects)
			for b.Loop() {
				quota.PerAccount.Best(t0, budgets, demands, demands[0].Accounts)
			}
		})
	}
}

// BenchmarkForecasts looks ahead over two weeks in which 5,000 environments are
// stopped every day, by 50 projects and at 7 instants.
func BenchmarkForecasts(b *testing.B) {
	_, perFire := crossed(50, 10, 100)
	var demands []quota.Demand
	for day := range 14 {
		for i, c := range perFire {
			at := t0.AddDate(0, 0, day).Add(time.Duration(i%7) * 10 * time.Minute)
			demands = append(demands, quota.Demand{At: at, Until: at.Add(12 * time.Hour), Accounts: c.Accounts, Calls: 100})
		}
	}
	for b.Loop() {
		quota.PerAccount.Forecasts(demands)
	}
}
