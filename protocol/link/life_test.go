package link

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"interlock/protocol/wire"
)

func TestATakenPortIsNamed(t *testing.T) {
	onEachTransport(t, func(t *testing.T, listen string) {
		r := newRoster()
		taken := newHost(t, r, listen).Addresses()[0]
		h, err := New(Options{Key: newKey(t), Listen: []string{listen, taken}, Roles: r.role})
		if !errors.Is(err, ErrAddressInUse) || !strings.Contains(err.Error(), "listen on "+taken+": address already in use") {
			t.Errorf("got %v, want an error that names %s", err, taken)
		}
		if h != nil {
			t.Error("got a host that does not listen where it should")
		}
	})
}

func TestAHostListensWhereItWasTold(t *testing.T) {
	h := newHost(t, newRoster(), transports["tcp"], transports["quic"])
	got := h.Addresses()
	if len(got) != 2 || !strings.HasPrefix(got[0], "/ip4/127.0.0.1/tcp/") || !strings.HasSuffix(got[1], "/quic-v1") {
		t.Errorf("got %v", got)
	}
	if slices.ContainsFunc(got, func(a string) bool { return strings.Contains(a, "/0") }) {
		t.Errorf("got %v, want real ports", got)
	}
	for _, a := range got {
		if err := ParseAddress(a); err != nil {
			t.Error(err)
		}
	}
}

func TestBadOptionsAreRefused(t *testing.T) {
	r := newRoster()
	tests := map[string]Options{
		"no key":        {Roles: r.role},
		"half a key":    {Roles: r.role, Key: newKey(t)[:32]},
		"no roles":      {Key: newKey(t)},
		"bad address":   {Roles: r.role, Key: newKey(t), Listen: []string{"localhost:4001"}},
		"no such local": {Roles: r.role, Key: newKey(t), Listen: []string{"/ip4/192.0.2.1/tcp/4001"}},
	}
	for name, o := range tests {
		if h, err := New(o); err == nil || h != nil {
			t.Errorf("%s: got host %v and error %v, want an error", name, h, err)
		}
	}
}

func TestAPanickingHandlerEndsItsStreamAlone(t *testing.T) {
	panics := map[string]func(){
		"a value":        func() { panic("the suspect's address") },
		"a nil map":      func() { new(roster).set(wire.Peer{}, wire.Member) },
		"an index":       func() { _ = []int{}[len(transports)] },
		"a handler exit": func() { panic(errors.New("the suspect's address")) },
	}
	for name, do := range panics {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			r := newRoster()
			h := newHostFrom(t, r, Options{Key: newKey(t), Listen: []string{transports["tcp"]}, Log: logTo(&log)})
			other := newHost(t, r)
			knows(t, other, h)
			fragile := echo
			fragile.ID = "/interlock/test/fragile/1"
			h.Handle(echo, serveEcho)
			h.Handle(fragile, func(_ context.Context, s *Stream) error {
				err := s.Receive(&wire.Ack{})
				do()
				return err
			})
			steady := open(t, other, h.Peer(), echo)
			s := open(t, other, h.Peer(), fragile)
			if err := s.Send(&wire.Ack{}); err != nil {
				t.Fatal(err)
			}
			wantRefusal(t, s.Receive(&wire.Ack{}), wire.CodeUnavailable, byPeer)
			wantEcho(t, steady, 1)
			wantEcho(t, open(t, other, h.Peer(), echo), 2)
			if err := h.Close(); err != nil {
				t.Fatal(err)
			}
			text := log.String()
			if strings.Contains(text, "suspect") {
				t.Errorf("log holds what was thrown: %s", text)
			}
			if !strings.Contains(text, "panicked") || !strings.Contains(text, "at=interlock/protocol/link.") {
				t.Errorf("log does not say where: %s", text)
			}
		})
	}
}

func TestCloseEndsHandlersAndTellsPeers(t *testing.T) {
	onEachTransport(t, func(t *testing.T, listen string) {
		r := newRoster()
		h, other := newHost(t, r, listen), newHost(t, r)
		knows(t, other, h)
		ended := make(chan string, 2)
		h.Handle(echo, func(ctx context.Context, s *Stream) error {
			<-ctx.Done()
			ended <- "waiting"
			return ctx.Err()
		})
		reading := echo
		reading.ID = "/interlock/test/reading/1"
		h.Handle(reading, func(_ context.Context, s *Stream) error {
			err := s.Receive(&wire.Ack{})
			wantRefusal(t, err, wire.CodeUnavailable, byUs)
			ended <- "reading"
			return err
		})
		a, b := open(t, other, h.Peer(), echo), open(t, other, h.Peer(), reading)
		if err := errors.Join(h.Close(), h.Close()); err != nil {
			t.Fatal(err)
		}
		got := []string{receive(t, ended), receive(t, ended)}
		if slices.Sort(got); !slices.Equal(got, []string{"reading", "waiting"}) {
			t.Errorf("ended: got %v", got)
		}
		for _, s := range []*Stream{a, b} {
			if err := s.Receive(&wire.Ack{}); err == nil || err == io.EOF {
				t.Errorf("stream of a closed host: got %v, want an error", err)
			}
		}
		if _, err := h.Open(soon(t), other.Peer(), echo); err == nil {
			t.Error("a closed host opened a stream")
		}
		h.Review()
	})
}

func TestCloseNamesAHandlerThatStays(t *testing.T) {
	r := newRoster()
	h, err := New(Options{Key: newKey(t), Listen: []string{transports["tcp"]}, Roles: r.role})
	if err != nil {
		t.Fatal(err)
	}
	h.closeWait = 10 * time.Millisecond
	other := newHost(t, r)
	knows(t, other, h)
	r.set(h.Peer(), wire.Member)
	goOn := make(chan struct{})
	h.Handle(echo, func(context.Context, *Stream) error { <-goOn; return nil })
	open(t, other, h.Peer(), echo)
	if err := h.Close(); err == nil || !strings.Contains(err.Error(), echo.ID) {
		t.Errorf("got %v, want an error that names %s", err, echo.ID)
	}
	close(goOn)
	h.running.Wait()
}

func TestCloseLeavesNoGoroutine(t *testing.T) {
	before := goleak.IgnoreCurrent()
	t.Run("hosts", func(t *testing.T) {
		onEachTransport(t, func(t *testing.T, listen string) {
			r := newRoster()
			h, other := newHost(t, r, listen), newHost(t, r, listen)
			knows(t, other, h)
			knows(t, h, other)
			h.Handle(echo, serveEcho)
			other.Handle(echo, serveEcho)
			h.Handle(wire.ProtocolAdmission, serveEcho)
			for range 4 {
				wantEcho(t, open(t, other, h.Peer(), echo), 1)
				wantEcho(t, open(t, h, other.Peer(), echo), 1)
			}
			applicant := newBare(t)
			r.set(applicant.peer, wire.Applicant)
			applicant.open(t, h, wire.ProtocolAdmission)
		})
	})
	goleak.VerifyNone(t, before)
}

func TestAHandlersContextEndsWithTheConnection(t *testing.T) {
	onEachTransport(t, func(t *testing.T, listen string) {
		r := newRoster()
		h, member := newHost(t, r, listen), newBare(t)
		r.set(member.peer, wire.Member)
		ended := make(chan struct{})
		h.Handle(echo, func(ctx context.Context, _ *Stream) error {
			<-ctx.Done()
			close(ended)
			return nil
		})
		s := member.open(t, h, echo)
		if err := s.Conn().Close(); err != nil {
			t.Fatal(err)
		}
		receive(t, ended)
	})
}
