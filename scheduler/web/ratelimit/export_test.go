package ratelimit

// Remembered returns how many addresses a limiter remembers.
func Remembered(l *Limiter) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.tries)
}
