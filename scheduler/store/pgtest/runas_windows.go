package pgtest

import "os/exec"

// runAs does nothing: only root needs another user, whom Windows does not have.
func runAs(*exec.Cmd, *owner) {}
