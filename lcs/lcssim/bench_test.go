package lcssim_test

import (
	"fmt"
	"net/http"
	"testing"

	"curfew/lcs/lcssim"
)

// BenchmarkSim is what the simulator itself costs a test or a benchmark that runs
// against it, with as many requests on record as it keeps.
func BenchmarkSim(b *testing.B) {
	sim := lcssim.New(lcssim.Options{Limits: &lcssim.Limits{}, Keep: 10_000})
	for i := range 1000 {
		sim.AddEnvironment(int64(i/30), lcssim.Environment{ID: fmt.Sprintf("55eb4327-9346-4c7b-82bd-%012d", i), Name: fmt.Sprintf("dev-%02d", i)})
	}
	for _, bb := range []struct{ name, method, path string }{
		{"start", http.MethodPost, "/environment/v1/start/project/1/environment/55eb4327-9346-4c7b-82bd-000000000031"},
		{"page", http.MethodGet, "/environmentinfo/v1/detail/project/1/?page=1"},
	} {
		b.Run(bb.name, func(b *testing.B) {
			req, err := http.NewRequestWithContext(b.Context(), bb.method, "https://lcs.invalid"+bb.path, nil)
			if err != nil {
				b.Fatal(err)
			}
			req.Header.Set("Authorization", "Bearer known-token")
			b.ReportAllocs()
			for b.Loop() {
				if res, err := sim.Transport().Do(req); err != nil || res.StatusCode != http.StatusOK {
					b.Fatal(res, err)
				}
			}
		})
	}
}
