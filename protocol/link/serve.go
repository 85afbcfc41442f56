package link

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/protocol"

	"interlock/protocol/wire"
)

var errNoReturn = errors.New("handler did not return")

type service struct {
	protocol wire.Protocol
	serve    func(context.Context, *Stream) error
}

// Handle serves the streams that peers open for p, each on a goroutine of its
// own. Its error decides how the stream ends: nil, or the io.EOF of Receive, is
// a clean end; a *wire.Refusal, such as wire.Refuse makes, resets with its code;
// anything else with wire.CodeUnavailable. The context ends when the host
// closes, the connection goes or the peer loses its role.
func (h *Host) Handle(p wire.Protocol, serve func(ctx context.Context, s *Stream) error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.services[protocol.ID(p.ID)] = service{p, serve}
}

func (h *Host) service(id string) (service, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	svc, ok := h.services[protocol.ID(id)]
	return svc, ok
}

// accept is called by libp2p for each stream that a peer opens, on a goroutine
// of its own.
func (h *Host) accept(raw network.Stream) {
	from, _ := peerOf(raw.Conn().RemotePeer()) // the gate let in no other key
	svc, ok := h.hearOut(raw, from)
	if !ok {
		return
	}
	s := h.newStream(raw, from, svc.protocol)
	if !h.enter(s) {
		return
	}
	defer h.leave(s)
	share := shareKey{from, svc.protocol.ID}
	if code := h.welcome(s, share); code != wire.CodeNone {
		s.end(code)
		return
	}
	// The share is given back before the peer sees the end of the stream and
	// opens the next.
	err := wire.Refuse(wire.CodeUnavailable, errNoReturn)
	defer func() {
		h.shares.give(share)
		s.finish(err)
	}()
	if err = s.greet(); err == nil {
		err = h.run(svc, s)
	}
}

// hearOut reads what the peer asks for. A stream that says nothing we
// understand ends here, and so does one for what is not served, with the same
// code as one for what the peer has no right to.
func (h *Host) hearOut(raw network.Stream, from wire.Peer) (service, bool) {
	s := h.newStream(raw, from, wire.Protocol{ID: unknown, From: ^wire.Nobody})
	if !h.enter(s) {
		return service{}, false
	}
	defer h.leave(s)
	id, err := listenFor(raw)
	if err != nil {
		s.finish(s.over(err))
		return service{}, false
	}
	svc, ok := h.service(id)
	if !ok {
		s.end(wire.CodeRefused)
	}
	return svc, ok
}

func listenFor(raw network.Stream) (string, error) {
	if err := raw.SetDeadline(time.Now().Add(helloWait)); err != nil {
		return "", err
	}
	return hear(raw)
}

// welcome decides whether s is served. Where it is, a share is taken.
func (h *Host) welcome(s *Stream, k shareKey) wire.Code {
	role := h.standing(s.peer)
	if role&s.protocol.From == 0 {
		return wire.CodeRefused
	}
	if role == wire.Applicant && !h.applicants.has(s.raw.Conn()) {
		return wire.CodeBusy // over the limit, and being closed
	}
	s.receives = requestLimit(s.protocol.Frame, role == wire.Applicant)
	if !h.shares.take(s.ctx, k, s.protocol.Peer) {
		return wire.CodeBusy
	}
	if err := s.raw.SetProtocol(protocol.ID(s.protocol.ID)); err != nil {
		h.shares.give(k)
		return wire.CodeBusy
	}
	return wire.CodeNone
}

// greet answers the peer's hello, which tells it that it is served.
func (s *Stream) greet() error {
	if _, err := s.raw.Write(hello(s.protocol.ID)); err != nil {
		return s.over(err)
	}
	s.count()
	return s.raw.SetDeadline(time.Time{})
}

// enter lets Review and Close know of s. Where the host is closing, it ends s
// and reports false.
func (h *Host) enter(s *Stream) bool {
	h.mu.Lock()
	open := !h.closed
	if open {
		h.streams[s] = struct{}{}
		h.running.Add(1)
	}
	h.mu.Unlock()
	if !open {
		s.end(wire.CodeUnavailable)
	}
	return open
}

func (h *Host) leave(s *Stream) {
	s.cancel()
	h.mu.Lock()
	delete(h.streams, s)
	h.mu.Unlock()
	h.running.Done()
}

// run calls the handler. A panic ends the stream and not the process.
func (h *Host) run(svc service, s *Stream) (err error) {
	defer h.rescue("stream handler panicked", s.protocol.ID, s.peer, func() {
		err = wire.Refuse(wire.CodeUnavailable, errNoReturn)
	})
	return svc.serve(s.ctx, s)
}

// rescue ends a panic of somebody's code that a peer's bytes have led to. It is
// deferred. Of what was thrown only the type is logged, for the value can hold
// anything.
func (h *Host) rescue(what, protocol string, from wire.Peer, then func()) {
	if v := recover(); v != nil {
		h.log.Error(what, "protocol", protocol, "peer", from.String(),
			"type", fmt.Sprintf("%T", v), "at", panicSite())
		then()
	}
}

// panicSite returns the function and line that panicked. It is called from a
// deferred function.
func panicSite() string {
	pcs := make([]uintptr, 64)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(1, pcs)])
	panicking := false
	for {
		frame, more := frames.Next()
		inRuntime := strings.HasPrefix(frame.Function, "runtime.")
		if panicking && !inRuntime {
			return fmt.Sprintf("%s:%d", frame.Function, frame.Line)
		}
		panicking = panicking || frame.Function == "runtime.gopanic"
		if !more {
			return "unknown"
		}
	}
}
