package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/hashicorp/raft"

	"interlock/protocol/link"
	"interlock/protocol/wire"
)

var errNoServer = errors.New("not a server of this network")

// dial opens a stream for raft. A server that has no part dials nobody: it does
// not stand for election.
func (c *Cluster) dial(ctx context.Context, to raft.ServerAddress) (*link.Stream, error) {
	other, known := c.roster.find(to)
	if !known {
		return nil, errNoServer
	}
	select {
	case <-c.started: // raft dials as soon as it is made
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if err := c.over(); err != nil {
		return nil, err
	}
	s, _, err := c.greet(ctx, other, replicate)
	return s, err
}

// serveReplication answers a server that dialled, and hands its stream to raft
// where that is what it wants.
func (c *Cluster) serveReplication(ctx context.Context, s *link.Stream) error {
	conn := s.Conn()
	g, err := hear(conn)
	if err != nil {
		return err
	}
	if g.purpose == proposal {
		return wire.Refuse(wire.CodeMalformed, errGreeting)
	}
	a := c.answer(ctx, s.Peer(), g)
	if _, err := conn.Write(a.encode()); err != nil {
		return err
	}
	if a.verdict != welcome || g.purpose != replicate {
		return nil
	}
	return c.layer.serve(ctx, s)
}

// greet opens a stream to another server and returns its answer; where it
// refuses, the verdict is the error. How it took a stream for raft is noted.
func (c *Cluster) greet(ctx context.Context, to server, why purpose) (*link.Stream, answer, error) {
	s, a, err := c.exchange(ctx, to, why)
	var refusal *wire.Refusal
	switch {
	case err == nil:
		if a.verdict == otherIncarnation {
			c.yield(to, a.incarnation)
		}
	case errors.As(err, &refusal) && refusal.By == "peer" && refusal.Code == wire.CodeRefused:
		a.verdict = notServer
	default:
		return nil, a, fmt.Errorf("greet server %d: %w", to.index, err)
	}
	if why != admission {
		c.noteAnswer(to, a.verdict)
	}
	if a.verdict == welcome {
		return s, a, nil
	}
	if s != nil {
		s.Reset(wire.CodeNone)
	}
	return nil, a, fmt.Errorf("greet server %d: %w", to.index, a.verdict)
}

func (c *Cluster) exchange(ctx context.Context, to server, why purpose) (*link.Stream, answer, error) {
	s, err := c.host.Open(ctx, to.peer, wire.ProtocolRaft)
	if err != nil {
		return nil, answer{}, err
	}
	stop := context.AfterFunc(ctx, func() { s.Reset(wire.CodeTimeout) })
	defer stop()
	a, err := ask(s.Conn(), c.part.greeting(why))
	if err != nil {
		s.Reset(wire.CodeNone)
		return nil, answer{}, err
	}
	return s, a, nil
}

func ask(conn net.Conn, g greeting) (answer, error) {
	if _, err := conn.Write(g.encode()); err != nil {
		return answer{}, err
	}
	b := make([]byte, answerSize)
	if _, err := io.ReadFull(conn, b); err != nil {
		return answer{}, err
	}
	return parseAnswer(b)
}

// noteAnswer remembers how a server took this one, and logs what is new. That it
// does not know this one is said once it lasts.
func (c *Cluster) noteAnswer(from server, v verdict) {
	now, news := c.roster.answered(from.index, v, c.timing.rpc())
	if !news {
		return
	}
	if now.lasting == (v == notServer) && v != welcome {
		c.log.Warn("a server does not replicate with this one", "server", c.self, "other", from.index, "cause", v)
	}
	c.changed.notify()
}

// answer judges a greeting of from, another of the network's servers.
func (c *Cluster) answer(ctx context.Context, from wire.Peer, g greeting) answer {
	p := c.part.now()
	a := answer{verdict: p.judge(g), incarnation: p.incarnation}
	other, known := c.roster.find(addressOf(from))
	switch {
	case a.verdict == otherIncarnation && known:
		c.yield(other, g.incarnation)
		c.noteAnswer(other, a.verdict)
	case a.verdict != welcome:
	case g.purpose == admission:
		a.verdict = c.admit(ctx, from)
		a.applied = c.raft.LastIndex()
	default:
		a.applied = c.raft.AppliedIndex()
	}
	return a
}

// judge compares a greeting with what this server takes part in.
func (p part) judge(g greeting) verdict {
	switch {
	case g.network != p.network:
		return otherNetwork
	case p.waiting:
		return waitingItself
	case p.outdated || g.purpose != admission && g.incarnation != p.incarnation:
		return otherIncarnation
	}
	return welcome
}

// hearProposer checks that a proposal comes from a server of this incarnation.
func (c *Cluster) hearProposer(conn net.Conn) error {
	g, err := hear(conn)
	if err != nil {
		return err
	}
	if v := c.part.now().judge(g); v != welcome || g.purpose != proposal {
		return wire.Refuse(wire.CodeRefused, v)
	}
	return nil
}
