package cluster

import (
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"

	"interlock/protocol/wire"
)

// slowDisk is a log on a disk that can be made slow.
type slowDisk struct {
	logStore
	delay *atomic.Int64 // nanoseconds that a write may take longer
}

// lag waits as long as the disk does.
func (d slowDisk) lag() {
	if limit := d.delay.Load(); limit > 0 {
		<-time.After(time.Duration(rand.Int64N(limit)))
	}
}

func (d slowDisk) StoreLog(entry *raft.Log) error {
	d.lag()
	return d.logStore.StoreLog(entry)
}

func (d slowDisk) StoreLogs(entries []*raft.Log) error {
	d.lag()
	return d.logStore.StoreLogs(entries)
}

func (d slowDisk) Set(key, value []byte) error {
	d.lag()
	return d.logStore.Set(key, value)
}

func (d slowDisk) SetUint64(key []byte, value uint64) error {
	d.lag()
	return d.logStore.SetUint64(key, value)
}

// walls stand in one direction: what one server writes to another waits, as
// packets do that are sent again and again, while the other's arrives.
type walls struct {
	changed *broadcast
	mu      sync.Mutex
	up      map[[2]wire.Peer]bool // owned by mu: from, to
}

func newWalls() *walls { return &walls{changed: newBroadcast(), up: make(map[[2]wire.Peer]bool)} }

func (w *walls) set(from, to wire.Peer, up bool) {
	w.mu.Lock()
	w.up[[2]wire.Peer{from, to}] = up
	w.mu.Unlock()
	w.changed.notify()
}

func (w *walls) isUp(from, to wire.Peer) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.up[[2]wire.Peer{from, to}]
}

// conn is a connection from a server to another past the walls.
func (w *walls) conn(from wire.Peer) func(wire.Peer, net.Conn) net.Conn {
	return func(to wire.Peer, c net.Conn) net.Conn {
		return &walled{Conn: c, walls: w, from: from, to: to, closed: make(chan struct{})}
	}
}

type walled struct {
	net.Conn
	walls    *walls
	from, to wire.Peer
	closed   chan struct{}
	once     sync.Once
	deadline atomic.Pointer[time.Time]
}

func (c *walled) Write(b []byte) (int, error) {
	for {
		changed := c.walls.changed.next()
		if !c.walls.isUp(c.from, c.to) {
			return c.Conn.Write(b)
		}
		var late <-chan time.Time
		if d := c.deadline.Load(); d != nil && !d.IsZero() {
			late = time.After(time.Until(*d))
		}
		select {
		case <-changed:
		case <-c.closed:
			return 0, net.ErrClosed
		case <-late:
			return 0, os.ErrDeadlineExceeded
		}
	}
}

func (c *walled) SetDeadline(t time.Time) error {
	c.deadline.Store(&t)
	return c.Conn.SetDeadline(t)
}

func (c *walled) SetWriteDeadline(t time.Time) error {
	c.deadline.Store(&t)
	return c.Conn.SetWriteDeadline(t)
}

func (c *walled) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Conn.Close()
}
