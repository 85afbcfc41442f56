package link

import (
	"context"
	"encoding/binary"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	ma "github.com/multiformats/go-multiaddr"

	"interlock/protocol/wire"
)

func TestApplicantsDoNotTakeThePlaceOfMembers(t *testing.T) {
	r := newRoster()
	h := newHost(t, r, transports["tcp"])
	h.Handle(wire.ProtocolAdmission, serveEcho)
	h.Handle(echo, serveEcho)
	for range maxApplicants {
		applicant := newBare(t)
		r.set(applicant.peer, wire.Applicant)
		applicant.open(t, h, wire.ProtocolAdmission)
	}
	late := newHost(t, r)
	r.set(late.Peer(), wire.Applicant)
	knows(t, late, h)
	if _, err := late.Open(soon(t), h.Peer(), wire.ProtocolAdmission); err == nil {
		t.Error("an applicant over the limit was served")
	}
	if got := count(h, connection, wire.CodeBusy, byUs); got != 1 {
		t.Errorf("connections refused as busy: got %d, want 1", got)
	}
	member := newHost(t, r)
	knows(t, member, h)
	wantEcho(t, open(t, member, h.Peer(), echo), 1)
}

func TestAnApplicantIsSentAwayInTime(t *testing.T) {
	onEachTransport(t, func(t *testing.T, listen string) {
		r := newRoster()
		h, applicant := newHost(t, r, listen), newBare(t)
		r.set(applicant.peer, wire.Applicant)
		h.applicants.life = 200 * time.Millisecond
		gone := make(chan wire.Peer, 1)
		h.stack.swarm.Notify(&network.NotifyBundle{DisconnectedF: func(_ network.Network, c network.Conn) {
			p, _ := peerOf(c.RemotePeer())
			gone <- p
		}})
		if _, err := applicant.dial(t, h); err != nil {
			t.Fatal(err)
		}
		if got := receive(t, gone); got != applicant.peer {
			t.Errorf("disconnected: got %s, want %s", got, applicant.peer)
		}
	})
}

func TestAnApplicantThatIsAdmittedStays(t *testing.T) {
	r := newRoster()
	h, other := newHost(t, r, transports["tcp"]), newHost(t, r)
	knows(t, other, h)
	h.Handle(echo, serveEcho)
	h.Handle(wire.ProtocolAdmission, serveEcho)
	r.set(other.Peer(), wire.Applicant)
	wantEcho(t, open(t, other, h.Peer(), wire.ProtocolAdmission), 1)
	c := h.stack.swarm.Conns()[0]
	r.set(other.Peer(), wire.Member)
	h.expire(c, other.Peer())
	h.Review()
	if c.IsClosed() || h.applicants.has(c) {
		t.Error("a member is still treated as an applicant")
	}
	wantEcho(t, open(t, other, h.Peer(), echo), 2)
}

// fakeConn is a connection from an address.
type fakeConn struct {
	network.Conn
	from ma.Multiaddr
}

func (c *fakeConn) RemoteMultiaddr() ma.Multiaddr { return c.from }

func TestOneAddressHasFewApplicants(t *testing.T) {
	tests := map[string]struct {
		from []string // one after another until the last is refused
		want int      // how many are let in
	}{
		"one IPv4 address":        {[]string{"/ip4/192.0.2.1/tcp/1"}, addressApplicants},
		"one IPv6 network":        {[]string{"/ip6/2001:db8::1/tcp/1", "/ip6/2001:db8::2/tcp/1"}, addressApplicants},
		"two IPv4 addresses":      {[]string{"/ip4/192.0.2.1/tcp/1", "/ip4/198.51.100.1/tcp/1"}, 2 * addressApplicants},
		"two /64s of one site":    {[]string{"/ip6/2001:db8::1/tcp/1", "/ip6/2001:db8:0:1::1/tcp/1"}, networkApplicants},
		"loopback":                {[]string{"/ip4/127.0.0.1/tcp/1"}, maxApplicants},
		"IPv4 in IPv6's clothing": {[]string{"/ip6/::ffff:192.0.2.1/tcp/1", "/ip4/192.0.2.1/tcp/1"}, addressApplicants},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			a := newApplicants()
			var in []*fakeConn
			for i := 0; ; i++ {
				from, err := ma.NewMultiaddr(test.from[i%len(test.from)])
				if err != nil {
					t.Fatal(err)
				}
				c := &fakeConn{from: from}
				if !a.add(c, func() {}) {
					break
				}
				in = append(in, c)
			}
			if len(in) != test.want {
				t.Errorf("let in: got %d, want %d", len(in), test.want)
			}
			for _, c := range in {
				a.remove(c)
				a.remove(c)
			}
			if len(a.conns) != 0 || a.crowd.all != 0 || len(a.crowd.from) != 0 {
				t.Errorf("after all had gone: %d connections from %d addresses", len(a.conns), len(a.crowd.from))
			}
		})
	}
}

func TestARequestIsSmallWhateverItsAnswer(t *testing.T) {
	vast := echo
	vast.ID, vast.Frame, vast.From = "/interlock/test/vast/1", 16*wire.MiB, wire.Member|wire.Applicant
	answer := &wire.EvaluateResponse{Evaluated: make([]byte, 8*wire.MiB)}
	for name, test := range map[string]struct {
		role  wire.Role
		limit int
	}{
		"member":                     {wire.Member, maxRequest},
		"applicant":                  {wire.Applicant, maxApplication},
		"member and still applicant": {wire.Member | wire.Applicant, maxRequest},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRoster()
			h, peer := newHost(t, r, transports["tcp"]), newBare(t)
			r.set(peer.peer, test.role)
			h.Handle(vast, func(_ context.Context, s *Stream) error {
				if err := s.Receive(&wire.EvaluateResponse{}); err != nil {
					return err
				}
				return s.Send(answer)
			})
			fits := &wire.EvaluateResponse{Evaluated: make([]byte, test.limit-16)}
			s := peer.open(t, h, vast)
			if err := new(wire.Frames).Write(s, fits, vast.Frame); err != nil {
				t.Fatal(err)
			}
			if err := new(wire.Frames).Read(s, &wire.EvaluateResponse{}, vast.Frame); err != nil {
				t.Fatalf("answer: %v", err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			over := peer.open(t, h, vast)
			if _, err := over.Write(binary.BigEndian.AppendUint32(nil, uint32(test.limit+1))); err != nil {
				t.Fatal(err)
			}
			wantReset(t, over, wire.CodeTooLarge)
		})
	}
}
