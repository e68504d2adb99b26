package cluster_test

import (
	"strings"
	"testing"
)

// TestEditedConfigMapIsLoadedByTheRunningDaemon edits the schedule file as the documentation
// says, through the API server and the files of a kubelet, to the daemon.
func TestEditedConfigMapIsLoadedByTheRunningDaemon(t *testing.T) {
	d := newDaemon(t)
	first := d.file()
	d.has("night", nil)

	d.edit(d.text("renamed"))
	d.sync()
	d.until("the edited file is active", func() bool { return d.file().Digest != first.Digest })
	second := d.file()
	d.has("renamed", nil)

	d.edit(strings.Replace(d.text("bad"), "timezone: UTC", "timezone: Mars", 1))
	d.sync()
	d.until("the bad file is refused", func() bool { return d.file().Refused != nil })
	d.has("renamed", []string{"unknown time zone"})
	if status := strings.Join(strings.Fields(d.status()), " "); !strings.Contains(status, "unknown time zone") {
		t.Errorf("curfew status does not say that the file is refused:\n%s", status)
	}

	d.edit(d.text("renamed"))
	d.sync()
	d.until("the file of before is well", func() bool { return d.file().Refused == nil })
	if now := d.file(); now.Digest != second.Digest {
		t.Errorf("the digest is %s, want that of the file before the bad one, %s", now.Digest, second.Digest)
	}
	d.has("renamed", nil)
}
