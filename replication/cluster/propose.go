package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"google.golang.org/protobuf/proto"

	"interlock/protocol/link"
	"interlock/protocol/wire"
	"interlock/replication/registry"
)

// errNotLeader is how a server answers what only the leader can.
var errNotLeader = errors.New("this server does not lead")

// Propose has a command taken by the cluster, and returns its index in the log
// when a majority has it on disk. A registry.Refusal is final. While there is
// no leader, or the leader dies, Propose tries again until ctx ends, and then
// returns an error that wraps ErrUnavailable; a command proposed twice has no
// more effect than once. A command that would change nothing, or is refused,
// is answered by the leader without an entry in the log.
func (c *Cluster) Propose(ctx context.Context, command *wire.Command) (index uint64, err error) {
	if err := checkSize(command); err != nil {
		return 0, err
	}
	err = c.persist(ctx, func(ctx context.Context) error {
		index, err = c.ask(ctx, command)
		return err
	})
	if _, refused := registry.RefusalOf(err); err == nil || refused {
		return index, err // a refusal's text is a sentence, to be passed on
	}
	return 0, fmt.Errorf("propose: %w", err)
}

// Read calls look with a state that holds everything acknowledged anywhere
// before Read was called. Errors are those of Propose.
func (c *Cluster) Read(ctx context.Context, look func(*registry.State)) error {
	var index uint64
	err := c.persist(ctx, func(ctx context.Context) (err error) {
		index, err = c.ask(ctx, nil)
		return err
	})
	if err == nil {
		err = c.Await(ctx, index)
	}
	if err != nil {
		return fmt.Errorf("read: %w", err)
	}
	c.View(look)
	return nil
}

// Await returns once the state here holds the command at index, which Propose
// returned.
func (c *Cluster) Await(ctx context.Context, index uint64) error {
	for {
		changed := c.Changed()
		if c.machine.lastApplied() >= index {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", ErrUnavailable, ctx.Err())
		case <-c.ctx.Done():
			return ErrClosed
		}
	}
}

// over is why nothing will come of trying.
func (c *Cluster) over() error {
	switch c.standing() {
	case Removed:
		return ErrRemoved
	case Outdated:
		return ErrOutdated
	}
	return nil
}

// persist repeats try until it succeeds, is refused, or time is up.
func (c *Cluster) persist(ctx context.Context, try func(context.Context) error) error {
	for {
		changed := c.Changed()
		if err := c.over(); err != nil {
			return err
		}
		err := try(ctx)
		if _, refused := registry.RefusalOf(err); err == nil || refused {
			return err
		}
		pause := time.NewTimer(c.timing.retry())
		select {
		case <-changed:
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			return fmt.Errorf("%w: %w", ErrUnavailable, err)
		case <-c.ctx.Done():
			pause.Stop()
			return ErrClosed
		}
		pause.Stop()
	}
}

// ask puts a command to the leader, wherever it is. Without a command it asks
// for the index that a read must wait for.
func (c *Cluster) ask(ctx context.Context, command *wire.Command) (uint64, error) {
	leader, ok := c.leader()
	switch {
	case !ok:
		return 0, errNotLeader
	case leader.index == c.self:
		return c.lead(ctx, command)
	}
	s, err := c.host.Open(ctx, leader.peer, wire.ProtocolPropose)
	if err != nil {
		return 0, err
	}
	stop := context.AfterFunc(ctx, func() { s.Reset(wire.CodeTimeout) })
	defer stop()
	defer s.Reset(wire.CodeNone) // no effect on one that was closed
	if _, err := s.Conn().Write(c.part.greeting(proposal).encode()); err != nil {
		return 0, err
	}
	if err := s.Send(&wire.ProposeRequest{Command: command}); err != nil {
		return 0, err
	}
	var answer wire.ProposeResponse
	if err := s.Receive(&answer); err != nil {
		return 0, err
	}
	if answer.Code != 0 {
		return 0, errors.Join(registry.Refusal(answer.Code).With(answer.Refusal), s.Close())
	}
	return answer.Index, s.Close()
}

// lead answers as the leader. What the state here would refuse, or not be
// changed by, is not logged; but only a state that is known to be the newest
// may say so, so everything committed is applied first.
func (c *Cluster) lead(ctx context.Context, command *wire.Command) (uint64, error) {
	if changes, _ := c.check(command); !changes {
		if err := wait(ctx, c.raft.Barrier(enqueueWait)); err != nil {
			return 0, err
		}
		if changes, err := c.check(command); !changes {
			return c.machine.lastApplied(), err
		}
	}
	b, err := wire.Marshal(command)
	if err != nil {
		return 0, fmt.Errorf("%w: %w", registry.ErrMalformed, err)
	}
	entry := c.raft.Apply(b, enqueueWait)
	if err := wait(ctx, entry); err != nil {
		return 0, err
	}
	if refusal, ok := entry.Response().(error); ok {
		return 0, refusal
	}
	return entry.Index(), nil
}

// check reports whether the command would change the state here. Without a
// command nothing changes.
func (c *Cluster) check(command *wire.Command) (changes bool, err error) {
	if command == nil {
		return false, nil
	}
	if err := checkSize(command); err != nil {
		return false, err
	}
	c.View(func(s *registry.State) { changes, err = s.Check(command) })
	return changes, err
}

// maxCommand is the largest command: a link takes requests of 256 KiB, and a
// command has a few bytes around it there.
const maxCommand = 256*wire.KiB - 16

func checkSize(command *wire.Command) error {
	if size := proto.Size(command); size > maxCommand {
		return fmt.Errorf("%w: %d bytes", registry.ErrMalformed, size)
	}
	return nil
}

// serveProposals answers the other servers while this one leads.
func (c *Cluster) serveProposals(ctx context.Context, s *link.Stream) error {
	if err := c.hearProposer(s.Conn()); err != nil {
		return err
	}
	for {
		var request wire.ProposeRequest
		if err := s.Receive(&request); err != nil {
			if err == io.EOF {
				return nil
			}
			return err
		}
		index, err := c.lead(ctx, request.Command)
		answer := &wire.ProposeResponse{Index: index}
		if refusal, refused := registry.RefusalOf(err); refused {
			answer = &wire.ProposeResponse{Code: uint32(refusal), Refusal: err.Error()}
		} else if err != nil {
			return wire.Refuse(wire.CodeUnavailable, err)
		}
		if err := s.Send(answer); err != nil {
			return err
		}
	}
}
