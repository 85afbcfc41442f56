package cluster

import (
	"context"
	"encoding/hex"
	"io"
	"net"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"interlock/protocol/link"
	"interlock/protocol/wire"
)

// addressOf is how raft names a server: its key in hexadecimal. Where it is
// dialled is the host's to know, so a server may move without raft noticing.
func addressOf(p wire.Peer) raft.ServerAddress { return raft.ServerAddress(hex.EncodeToString(p[:])) }

// streamLayer carries raft's connections as streams of the links. A link admits
// streams of this protocol from the registry's servers only.
type streamLayer struct {
	self     raft.ServerAddress
	dial     func(context.Context, raft.ServerAddress) (*link.Stream, error)
	wrap     func(wire.Peer, net.Conn) net.Conn // of tests; nil for none
	incoming chan net.Conn
	closing  context.Context // ends at Close
	close    context.CancelFunc

	mu       sync.Mutex
	outgoing map[*link.Stream]struct{} // owned by mu; nil once closed
}

func newStreamLayer(self wire.Peer, dial func(context.Context, raft.ServerAddress) (*link.Stream, error)) *streamLayer {
	l := &streamLayer{
		self: addressOf(self), dial: dial, incoming: make(chan net.Conn), outgoing: make(map[*link.Stream]struct{}),
	}
	l.closing, l.close = context.WithCancel(context.Background())
	return l
}

// serve hands a stream to raft and waits until raft is done with it.
func (l *streamLayer) serve(ctx context.Context, s *link.Stream) error {
	select {
	case l.incoming <- incoming{l.conn(s)}:
	case <-ctx.Done():
		return nil
	case <-l.closing.Done():
		return wire.Refuse(wire.CodeUnavailable, ErrClosed)
	}
	select {
	case <-ctx.Done(): // raft closed it, or the peer went
	case <-l.closing.Done():
	}
	return nil
}

func (l *streamLayer) conn(s *link.Stream) net.Conn {
	if l.wrap != nil {
		return l.wrap(s.Peer(), s.Conn())
	}
	return s.Conn()
}

// incoming is an accepted connection. However it ends, raft is told of a plain
// end: why, the link has logged, and servers come and go.
type incoming struct{ net.Conn }

func (c incoming) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if err != nil {
		err = io.EOF
	}
	return n, err
}

// Accept returns the next stream that another server opened.
func (l *streamLayer) Accept() (net.Conn, error) {
	select {
	case c := <-l.incoming:
		return c, nil
	case <-l.closing.Done():
		return nil, net.ErrClosed
	}
}

// Dial opens a stream to another server.
func (l *streamLayer) Dial(to raft.ServerAddress, timeout time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(l.closing, timeout)
	defer cancel()
	s, err := l.dial(ctx, to)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.outgoing == nil {
		s.Reset(wire.CodeUnavailable)
		return nil, net.ErrClosed
	}
	l.outgoing[s] = struct{}{}
	return &outgoing{Conn: l.conn(s), forget: func() { l.forget(s) }}, nil
}

func (l *streamLayer) forget(s *link.Stream) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.outgoing, s)
}

// Close ends every stream of raft's.
func (l *streamLayer) Close() error {
	l.close()
	l.mu.Lock()
	streams := l.outgoing
	l.outgoing = nil
	l.mu.Unlock()
	for s := range streams {
		s.Reset(wire.CodeNone)
	}
	return nil
}

// Addr is this server as raft names it.
func (l *streamLayer) Addr() net.Addr { return raftAddr(l.self) }

type raftAddr raft.ServerAddress

func (a raftAddr) Network() string { return "interlock" }
func (a raftAddr) String() string  { return string(a) }

// outgoing is a dialled connection that the layer closes when it is closed.
type outgoing struct {
	net.Conn
	forget func()
}

func (o *outgoing) Close() error {
	o.forget()
	return o.Conn.Close()
}
