package store

import (
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestSharesAreRefusedWithTheWaysOut(t *testing.T) {
	for _, kind := range []int64{unix.NFS_SUPER_MAGIC, unix.SMB2_SUPER_MAGIC, unix.CIFS_SUPER_MAGIC, unix.V9FS_MAGIC, unix.FUSE_SUPER_MAGIC, unix.CEPH_SUPER_MAGIC} {
		name := shares[uint32(kind)]
		if name == "" {
			t.Errorf("the file system %#x is not known for a share", kind)
		}
		err := shareError("/data/curfew.db", name)
		for _, want := range []string{"/data/curfew.db", "(" + name + ")", "a local disk", "PostgreSQL"} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("error = %v, want it to say %q", err, want)
			}
		}
	}
}

func TestDisksOfThisMachineAreTaken(t *testing.T) {
	for _, kind := range []int64{unix.EXT4_SUPER_MAGIC, unix.XFS_SUPER_MAGIC, unix.BTRFS_SUPER_MAGIC, unix.TMPFS_MAGIC, unix.OVERLAYFS_SUPER_MAGIC, unix.RAMFS_MAGIC, 0x2FC12FC1 /* ZFS */, 0xF2F52010 /* F2FS */} {
		if name := shares[uint32(kind)]; name != "" {
			t.Errorf("the file system %#x is refused as %s", kind, name)
		}
	}
	for _, dir := range []string{t.TempDir(), "/dev/shm", os.TempDir()} {
		if kind := shareOf(dir + "/curfew.db"); kind != "" {
			t.Errorf("%s is refused as %s", dir, kind)
		}
	}
}
