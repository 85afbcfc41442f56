package link

import (
	"errors"
	"io"
	"net"
	"time"

	"interlock/protocol/wire"
)

// Conn returns the stream as a net.Conn, for a protocol that has its own frames
// (Frame 0), such as Raft's. Deadlines are the caller's, and one that passes
// does not end the stream. Its addresses are the peers' short forms.
func (s *Stream) Conn() net.Conn { return conn{s} }

type conn struct{ s *Stream }

// peerAddr is a peer as a net.Addr.
type peerAddr struct{ peer wire.Peer }

func (a peerAddr) Network() string { return "interlock" }
func (a peerAddr) String() string  { return a.peer.String() }

func (c conn) Read(b []byte) (int, error) {
	if err := c.s.ended(); err != nil {
		return 0, err
	}
	n, err := c.s.raw.Read(b)
	return n, c.explain(err)
}

func (c conn) Write(b []byte) (int, error) {
	if err := c.s.ended(); err != nil {
		return 0, err
	}
	n, err := c.s.raw.Write(b)
	return n, c.explain(err)
}

func (c conn) explain(err error) error {
	if err == nil || err == io.EOF {
		return err
	}
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() && !c.s.raw.Conn().IsClosed() {
		return timeout
	}
	return c.s.over(err)
}

func (c conn) Close() error                       { return c.s.Close() }
func (c conn) LocalAddr() net.Addr                { return peerAddr{c.s.host.self} }
func (c conn) RemoteAddr() net.Addr               { return peerAddr{c.s.peer} }
func (c conn) SetDeadline(t time.Time) error      { return c.s.raw.SetDeadline(t) }
func (c conn) SetReadDeadline(t time.Time) error  { return c.s.raw.SetReadDeadline(t) }
func (c conn) SetWriteDeadline(t time.Time) error { return c.s.raw.SetWriteDeadline(t) }
