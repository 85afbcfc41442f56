package link

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/libp2p/go-libp2p/core/network"

	"interlock/protocol/wire"
)

var allProtocols = []wire.Protocol{
	wire.ProtocolEvaluate, wire.ProtocolFeed, wire.ProtocolDirectory, wire.ProtocolAdmission,
	wire.ProtocolOperate, wire.ProtocolPropose, wire.ProtocolRaft,
}

func TestAStrangerGetsNothingButAClosedStream(t *testing.T) {
	onEachTransport(t, func(t *testing.T, listen string) {
		h := newHost(t, newRoster(), listen)
		for _, p := range allProtocols {
			h.Handle(p, func(context.Context, *Stream) error {
				t.Error("a stranger's stream reached a handler")
				return nil
			})
		}
		for _, p := range allProtocols {
			stranger := newBare(t)
			s, err := stranger.dial(t, h)
			if err != nil {
				continue // closed before it could open anything
			}
			var got []byte
			if _, err = s.Write(hello(p.ID)); err == nil {
				got, err = io.ReadAll(s)
			}
			if err == nil || len(got) > 0 {
				t.Errorf("%s: got %q and error %v, want a closed stream", p.ID, got, err)
			}
		}
		if got, want := count(h, connection, wire.CodeRefused, byUs), uint64(len(allProtocols)); got != want {
			t.Errorf("refused connections: got %d, want %d", got, want)
		}
	})
}

func TestAStrangerIsNotDialled(t *testing.T) {
	r := newRoster()
	h := newHost(t, r)
	stranger := newBare(t, "/ip4/127.0.0.1/tcp/0")
	if err := h.SetAddresses(stranger.peer, []string{stranger.swarm.ListenAddresses()[0].String()}); err != nil {
		t.Fatal(err)
	}
	for _, role := range []wire.Role{wire.Nobody, wire.Applicant} {
		r.set(stranger.peer, role)
		_, err := h.Open(soon(t), stranger.peer, echo)
		wantRefusal(t, err, wire.CodeRefused, byUs)
	}
	if _, err := h.stack.swarm.DialPeer(soon(t), idOf(stranger.peer)); err == nil {
		t.Error("the gate let a dial to a stranger through")
	}
}

func TestAMemberMaySpeakOnlyItsProtocols(t *testing.T) {
	onEachTransport(t, func(t *testing.T, listen string) {
		r := newRoster()
		h := newHost(t, r, listen)
		for _, p := range allProtocols {
			h.Handle(p, func(context.Context, *Stream) error { return nil })
		}
		other := newHost(t, r)
		knows(t, other, h)
		r.set(h.Peer(), wire.RegistryServer)
		for _, role := range []wire.Role{wire.Applicant, wire.RegistryOperator, wire.Member, wire.RegistryServer, wire.Member | wire.RegistryOperator} {
			r.set(other.Peer(), role)
			for _, p := range allProtocols {
				s, err := other.Open(soon(t), h.Peer(), p)
				if p.From&role == 0 {
					wantRefusal(t, err, wire.CodeRefused, byPeer)
					continue
				}
				if err != nil {
					t.Fatalf("role %d: %v", role, err)
				}
				s.Reset(wire.CodeNone)
			}
		}
	})
}

func TestARefusalDoesNotTellWhatIsServed(t *testing.T) {
	r := newRoster()
	h := newHost(t, r, transports["tcp"])
	h.Handle(wire.ProtocolRaft, serveEcho)
	b := newBare(t)
	r.set(b.peer, wire.Member)
	var answers []string
	for _, id := range []string{wire.ProtocolRaft.ID, "/interlock/nothing/1"} {
		s, err := b.dial(t, h)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Write(hello(id)); err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(s)
		var reset *network.StreamError
		if len(got) > 0 || !errors.As(err, &reset) || !reset.Remote {
			t.Fatalf("%s: got %q and %v, want a reset", id, got, err)
		}
		answers = append(answers, streamCode(reset.ErrorCode).String())
	}
	if answers[0] != answers[1] || answers[0] != wire.CodeRefused.String() {
		t.Errorf("got %v, want twice %v", answers, wire.CodeRefused)
	}
}

func isBusy(err error) bool {
	var refusal *wire.Refusal
	return errors.As(err, &refusal) && refusal.Code == wire.CodeBusy
}

func TestManyMembersFromOneAddress(t *testing.T) {
	// More than there may be applicants, and on each transport more than QUIC lets
	// wait. All shake hands at once, each in its time, whatever else the
	// processors have to do: so not many more.
	const members = maxApplicants + 8
	r := newRoster()
	h := newHost(t, r, transports["tcp"], transports["quic"])
	h.Handle(echo, serveEcho)
	streams := make([]*Stream, members)
	var opening sync.WaitGroup
	for i := range streams {
		member := newHost(t, r)
		if err := member.SetAddresses(h.Peer(), h.Addresses()[i%2:i%2+1]); err != nil {
			t.Fatal(err)
		}
		opening.Go(func() {
			ctx := soon(t)
			s, err := member.Open(ctx, h.Peer(), echo)
			for isBusy(err) { // QUIC takes a crowd sixteen at a time
				s, err = member.Open(ctx, h.Peer(), echo)
			}
			if err != nil {
				t.Error(err)
			}
			streams[i] = s
		})
	}
	opening.Wait()
	if t.Failed() {
		return
	}
	for i, s := range streams {
		wantEcho(t, s, uint64(i))
	}
	if got := len(h.stack.swarm.Peers()); got != members {
		t.Errorf("connected members: got %d, want %d", got, members)
	}
}

func TestTheLogNamesNoWholeKeyAndNoAddress(t *testing.T) {
	var log bytes.Buffer
	r := newRoster()
	h := newHostFrom(t, r, Options{Key: newKey(t), Listen: []string{transports["tcp"]}, Log: logTo(&log)})
	member := newHost(t, r)
	knows(t, member, h)
	_, err := member.Open(soon(t), h.Peer(), echo)
	wantRefusal(t, err, wire.CodeRefused, byPeer)
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	text := log.String() + err.Error()
	for _, secret := range []string{idOf(member.Peer()).String(), idOf(h.Peer()).String(), "127.0.0.1"} {
		if strings.Contains(text, secret) {
			t.Errorf("log holds %s: %s", secret, text)
		}
	}
	if !strings.Contains(text, member.Peer().String()) || !strings.Contains(text, wire.CodeRefused.String()) {
		t.Errorf("log does not say who was refused and how: %s", text)
	}
}
