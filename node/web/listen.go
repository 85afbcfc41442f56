package web

import (
	"net"

	"golang.org/x/net/netutil"
)

// maxConnections is how many connections the pages hold at once: a browser
// opens up to six, and each costs the node a file and some memory.
const maxConnections = 512

// Listen listens on a TCP address for Server. It accepts no more than 512
// connections at once; those beyond wait in the system's queue.
func Listen(address string) (net.Listener, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	return limited(l), nil
}

func limited(l net.Listener) net.Listener { return netutil.LimitListener(l, maxConnections) }
