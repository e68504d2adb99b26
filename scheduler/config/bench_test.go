package config

import (
	"bytes"
	"fmt"
	"runtime"
	"testing"

	"curfew/scheduler/plan"
)

// fleet is a file of n environments of 50 projects. With own, each has a schedule of
// its own; otherwise they share ten by their tags.
func fleet(n int, own bool) []byte {
	const projects, tags = 50, 10
	var b bytes.Buffer
	b.WriteString("version: 1\ntimezone: Europe/Copenhagen\naccounts:\n")
	for i := range projects {
		fmt.Fprintf(&b, "  - {name: a%02d, mode: static, token: {env: T}}\n", i)
	}
	b.WriteString("projects:\n")
	for i := range projects {
		fmt.Fprintf(&b, "  - {name: p%02d, id: %d, account: a%02d}\n", i, i+1, i)
	}
	b.WriteString("environments:\n")
	for i := range n {
		fmt.Fprintf(&b, "  - name: env-%06d\n    project: p%02d\n    id: 00000000-0000-0000-0000-%012d\n    tags: [dev, team-%d]\n    cost_per_hour: 1.25\n", i, i%projects, i, i%tags)
	}
	b.WriteString("schedules:\n")
	if own {
		for i := range n {
			fmt.Fprintf(&b, "  - name: s-%06d\n    environments: [env-%06d]\n    uptime: mon-fri 07:%02d-19:%02d\n", i, i, i%60, i/60%60)
		}
	} else {
		for i := range tags {
			fmt.Fprintf(&b, "  - name: s-%d\n    environments: [\"tag:team-%d\"]\n    uptime: mon-fri 07:%02d-19:%02d\n", i, i, i, i)
		}
	}
	return b.Bytes()
}

// BenchmarkLoad reads a file and compiles its plan, and reports the size of the file
// and what stays in memory.
func BenchmarkLoad(b *testing.B) {
	for _, n := range []int{10_000, 100_000} {
		for _, own := range []bool{false, true} {
			b.Run(fmt.Sprintf("%d environments own %t", n, own), func(b *testing.B) {
				src := fleet(n, own)
				b.SetBytes(int64(len(src)))
				b.ReportAllocs()
				before := heap()
				var cfg *Config
				var p *plan.Plan
				for b.Loop() {
					var diags Diagnostics
					if cfg, diags = Parse("a.yaml", src, ".", Options{Now: now()}); cfg == nil {
						b.Fatal(diags[0])
					}
					var err error
					if p, err = plan.Compile(cfg.Spec); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(len(src))/(1<<20), "file-MiB")
				b.ReportMetric(float64(heap()-before)/(1<<20), "kept-MiB")
				runtime.KeepAlive(cfg)
				runtime.KeepAlive(p)
			})
		}
	}
}

func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
