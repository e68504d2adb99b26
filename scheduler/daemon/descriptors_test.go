package daemon

import "testing"

func TestDescriptorsAreSharedOutSoThatNoSideTakesAll(t *testing.T) {
	tests := []struct {
		name  string
		files int
		want  descriptors
	}{
		{"too few for anything", 64, descriptors{http: 8, listeners: 4, calls: 8}},
		{"few", 256, descriptors{http: 36, listeners: 18, calls: 72}},
		{"the usual soft limit", 1024, descriptors{http: 228, listeners: 114, calls: 456}},
		{"plenty", 1 << 20, descriptors{http: 1024, listeners: 200, calls: 1024}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := shareOut(tt.files); got != tt.want {
				t.Errorf("shareOut(%d) = %+v, want %+v", tt.files, got, tt.want)
			}
		})
	}
	if n := openFiles(); n < 64 {
		t.Errorf("openFiles() = %d, want the limit of this process", n)
	}
}
