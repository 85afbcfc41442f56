package link

import (
	"testing"

	"github.com/libp2p/go-libp2p/core/network"

	"interlock/protocol/wire"
)

// greedy opens streams to h that begin a hello and do not end it.
func (b *bare) greedy(t testing.TB, h *Host, streams int) {
	t.Helper()
	for range streams {
		s, err := b.dial(t, h)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Write(hello(echo.ID)[:1]); err != nil {
			t.Fatal(err)
		}
	}
}

// streamsOf returns how many streams of p are being heard or served.
func streamsOf(h *Host, p wire.Peer) (n int) {
	for _, s := range h.served() {
		if s.peer == p {
			n++
		}
	}
	return n
}

func TestAnApplicantOpensFewStreamsAndAMemberMany(t *testing.T) {
	onEachTransport(t, func(t *testing.T, listen string) {
		r := newRoster()
		h := newHost(t, r, listen)
		few, many := newBare(t), newBare(t)
		r.set(few.peer, wire.Applicant)
		r.set(many.peer, wire.Member)
		const streams = 3 * applicantStreams
		many.greedy(t, h, streams)
		eventually(t, "the member's streams", func() bool { return streamsOf(h, many.peer) == streams })
		few.greedy(t, h, applicantStreams)
		eventually(t, "the applicant's streams", func() bool { return streamsOf(h, few.peer) == applicantStreams })
		over, err := few.dial(t, h)
		if err != nil {
			t.Fatal(err)
		}
		// The reset may come before the write.
		if _, err = over.Write(hello(echo.ID)[:1]); err == nil {
			_, err = over.Read(make([]byte, 1))
		}
		if err == nil || over.Conn().IsClosed() {
			t.Errorf("a stream over the limit: got error %v, want a reset of that stream", err)
		}
		if got := streamsOf(h, few.peer); got != applicantStreams {
			t.Errorf("applicant's streams: got %d, want %d", got, applicantStreams)
		}
	})
}

func TestAllApplicantsTogetherHoldLittleMemory(t *testing.T) {
	if most := maxApplicants * applicantMemory; 8*most > maxMemory {
		t.Errorf("applicants may hold %d bytes of %d", most, maxMemory)
	}
	for name, test := range map[string]struct {
		applicant bool
		want      int // bytes, over all connections
	}{
		"applicant": {true, applicantMemory},
		"member":    {false, peerMemory},
	} {
		t.Run(name, func(t *testing.T) {
			l := newTestLimits(t, test.applicant)
			id, held := idOf(wire.PeerOf(newKey(t))), 0
			for range 2 {
				c, err := incoming(t, l, "/ip4/127.0.0.1/tcp/1")
				if err != nil {
					t.Fatal(err)
				}
				defer c.Done()
				if err := c.SetPeer(id); err != nil {
					t.Fatal(err)
				}
				const window = 256 << 10
				for c.PeerScope().ReserveMemory(window, network.ReservationPriorityAlways) == nil {
					held += window
				}
			}
			if held != test.want {
				t.Errorf("held: got %d bytes, want %d", held, test.want)
			}
		})
	}
}

func TestStreamsThatNobodyAskedAboutEndAnApplicantsConnection(t *testing.T) {
	r := newRoster()
	h, applicant := newHost(t, r, transports["tcp"]), newBare(t)
	r.set(applicant.peer, wire.Applicant)
	s, err := applicant.dial(t, h)
	if err != nil {
		t.Fatal(err)
	}
	c := s.Conn()
	// The host may reset them as fast as they come: then it is tried again,
	// before the applicant's own room is full.
	for !c.IsClosed() {
		var some []network.Stream
		for range 4 * applicantStreams {
			if s, err := c.NewStream(soon(t)); err == nil {
				some = append(some, s)
			}
		}
		for _, s := range some {
			if err := s.Reset(); err != nil && !c.IsClosed() {
				t.Fatal(err)
			}
		}
	}
	// No event tells of it where the connection ended before it stood.
	eventually(t, "the end at the host", func() bool { return !h.Connected(applicant.peer) })
}

func TestAnAdmittedApplicantHasAMembersRoomOnTheSameConnection(t *testing.T) {
	onEachTransport(t, func(t *testing.T, listen string) {
		r := newRoster()
		h, other := newHost(t, r, listen), newHost(t, r)
		knows(t, other, h)
		h.Handle(echo, serveEcho)
		h.Handle(wire.ProtocolAdmission, serveEcho)
		r.set(other.Peer(), wire.Applicant)
		wantEcho(t, open(t, other, h.Peer(), wire.ProtocolAdmission), 1)
		c := h.stack.swarm.Conns()[0]
		r.set(other.Peer(), wire.Member)
		h.Review()
		for i := range echo.Peer {
			wantEcho(t, open(t, other, h.Peer(), echo), uint64(i))
		}
		if c.IsClosed() {
			t.Error("the connection has not stayed")
		}
	})
}
