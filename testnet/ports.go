package testnet

import (
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
)

// Ports finds ports to listen on later. They are below those that systems give
// to connections and to listeners that name none, so that nobody is given one in
// the meantime; processes that look at the same time begin at different ones.
// The zero value is ready, and gives no port twice.
type Ports struct {
	mu    sync.Mutex
	tried int // owned by mu
}

const (
	firstPort  = 10_000
	portSpan   = 20_000
	portStride = 257 // between processes that were started one after the other
)

// Free returns n ports of 127.0.0.1 that nobody listens on now.
func (p *Ports) Free(n int) (ports []int, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for ; p.tried < portSpan; p.tried++ {
		if len(ports) == n {
			return ports, nil
		}
		port := firstPort + (os.Getpid()*portStride+p.tried)%portSpan
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			continue // taken
		}
		if err := l.Close(); err != nil {
			return nil, fmt.Errorf("find a free port: %w", err)
		}
		ports = append(ports, port)
	}
	return nil, errors.New("find a free port: there is none")
}
