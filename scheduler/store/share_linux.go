package store

import (
	"path/filepath"

	"golang.org/x/sys/unix"
)

// shares are the kinds of file systems whose locks do not hold, by their number in statfs.
// Linux has no name for some of them in its headers.
var shares = map[uint32]string{
	unix.AFS_FS_MAGIC:     "AFS",
	unix.AFS_SUPER_MAGIC:  "AFS",
	unix.CEPH_SUPER_MAGIC: "Ceph",
	unix.CIFS_SUPER_MAGIC: "CIFS",
	unix.CODA_SUPER_MAGIC: "Coda",
	unix.FUSE_SUPER_MAGIC: "FUSE",
	unix.NCP_SUPER_MAGIC:  "NCP",
	unix.NFS_SUPER_MAGIC:  "NFS",
	unix.SMB_SUPER_MAGIC:  "SMB",
	unix.SMB2_SUPER_MAGIC: "SMB",
	unix.V9FS_MAGIC:       "9p",
	0x01161970:            "GFS2",
	0x0BD00BD0:            "Lustre",
	0x47504653:            "GPFS",
	0x786F4256:            "a shared folder of VirtualBox",
	0xBACBACBC:            "a shared folder of VMware",
	0x20030528:            "OrangeFS",
	0x7461636F:            "OCFS2",
	0xAAD7AAEA:            "PanFS",
	0x013111A8:            "IBRIX",
	0x19830326:            "BeeGFS",
}

// shareOf returns the kind of a file system of several machines, or of a program, that a path
// is on; "" for a disk of this machine.
func shareOf(path string) string {
	for _, name := range []string{path, filepath.Dir(path)} { // the file may not be there yet
		var s unix.Statfs_t
		if err := unix.Statfs(name, &s); err == nil {
			return shares[uint32(s.Type)] //nolint:gosec // the numbers have 32 bits, signed on some machines
		}
	}
	return ""
}

// freeSpace returns how many bytes can still be written where a file is.
func freeSpace(path string) (uint64, bool) {
	var s unix.Statfs_t
	if err := unix.Statfs(path, &s); err != nil || s.Blocks == 0 {
		return 0, false
	}
	return s.Bavail * uint64(s.Bsize), true //nolint:gosec // a block has a size
}
