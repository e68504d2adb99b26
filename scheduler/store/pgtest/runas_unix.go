//go:build !windows

package pgtest

import (
	"os/exec"
	"syscall"
)

// runAs makes a program run as another user, nil for the present one.
func runAs(cmd *exec.Cmd, as *owner) {
	if as != nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: as.uid, Gid: as.gid}}
	}
}
