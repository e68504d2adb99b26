// Package freeport picks TCP ports for servers that tests stop and start again.
package freeport

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
)

// Pick returns a free port of 127.0.0.1 below those that systems hand out to
// connections (from 32768 on), so that none takes it while its server is down.
func Pick(ctx context.Context) (int, error) {
	const lowest, highest, tries = 15000, 32000, 50
	var err error
	for range tries {
		port := lowest + rand.IntN(highest-lowest) //nolint:gosec // it is no secret
		var l net.Listener
		if l, err = (&net.ListenConfig{}).Listen(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port))); err == nil {
			return port, l.Close()
		}
	}
	return 0, fmt.Errorf("no free port: %w", err)
}
