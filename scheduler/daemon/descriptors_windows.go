package daemon

// openFiles returns how many descriptors the process may have: Windows has no such limit
// that would be reached.
func openFiles() int { return 1 << 20 }
