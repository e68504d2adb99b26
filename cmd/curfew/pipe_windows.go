package main

import "golang.org/x/sys/windows"

// errClosedPipe is what a write returns when its reader has gone.
const errClosedPipe = windows.ERROR_NO_DATA
