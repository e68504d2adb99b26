package lcs_test

import (
	"testing"

	"curfew/lcs"
)

func TestRegions(t *testing.T) {
	if all := lcs.Regions(); len(all) != 10 || all[0] != "us" {
		t.Errorf("Regions = %v", all)
	}
	for _, name := range lcs.Regions() {
		url, ok := lcs.Endpoint(name)
		if _, err := lcs.NewClient(url, &credential{}, nil); !ok || err != nil {
			t.Errorf("Endpoint(%s) = %q, %t: %v", name, url, ok, err)
		}
	}
	if _, ok := lcs.Endpoint("za"); ok {
		t.Error("there is no host za: South Africa is sa")
	}
}
