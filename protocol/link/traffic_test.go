package link

import (
	"encoding/binary"
	"io"
	"testing"

	"github.com/google/go-cmp/cmp"

	"interlock/protocol/wire"
)

func TestTrafficIsCountedForEachPeerAndProtocol(t *testing.T) {
	onEachTransport(t, func(t *testing.T, listen string) {
		r := newRoster()
		h, one, two := newHost(t, r, listen), newHost(t, r), newHost(t, r)
		h.Handle(echo, serveEcho)
		const frames, size = 3, 4 + 2 // a header, a field and its number
		for _, other := range []*Host{one, two} {
			knows(t, other, h)
			s := open(t, other, h.Peer(), echo)
			for range frames {
				wantEcho(t, s, 7)
			}
			want := []Traffic{{h.Peer(), echo.ID, frames * size, frames * size, frames, frames}}
			if diff := cmp.Diff(want, other.Traffic()); diff != "" {
				t.Errorf("at the opener (-want +got):\n%s", diff)
			}
		}
		eventually(t, "the counts of the server", func() bool {
			got := h.Traffic()
			want := Traffic{wire.Peer{}, echo.ID, frames * size, frames * size, frames, frames}
			for i := range got {
				want.Peer = got[i].Peer
				if got[i] != want || (want.Peer != one.Peer() && want.Peer != two.Peer()) {
					return false
				}
			}
			return len(got) == 2 && string(got[0].Peer[:]) < string(got[1].Peer[:])
		})
	})
}

func TestStrangersAreCountedTogether(t *testing.T) {
	r := newRoster()
	h := newHost(t, r, transports["tcp"])
	open := echo
	open.From |= wire.Applicant
	h.Handle(open, serveEcho)
	for range 3 {
		stranger := newBare(t)
		r.set(stranger.peer, wire.Applicant)
		s := stranger.open(t, h, open)
		if _, err := s.Write(frame(8, 1)); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(s, make([]byte, 6)); err != nil {
			t.Fatal(err)
		}
	}
	want := []Traffic{{wire.Peer{}, open.ID, 18, 18, 3, 3}}
	eventually(t, "the counts", func() bool { return cmp.Equal(h.Traffic(), want) })
}

func TestTheCountsOfTrafficAreBounded(t *testing.T) {
	var f flows
	for i := range 2 * maxTraffic {
		var p wire.Peer
		binary.BigEndian.PutUint64(p[:], uint64(i)+1)
		f.of(p, echo.ID, true).sentFrames.Add(1)
	}
	all := f.list()
	if got := len(all); got != maxTraffic+1 {
		t.Errorf("got %d counts, want %d", got, maxTraffic+1)
	}
	for _, one := range all {
		if one.Peer == (wire.Peer{}) && one.SentFrames != maxTraffic {
			t.Errorf("those over the limit: got %d, want %d", one.SentFrames, maxTraffic)
		}
	}
}

func TestARelayedLinkIsCountedForThePeerAndForTheRelay(t *testing.T) {
	r := newRoster()
	carrier, a := behindRelay(t, r, Options{}, transports["tcp"])
	a.Handle(wire.ProtocolFeed, feedEcho)
	b := newHost(t, r)
	knows(t, b, a)
	const size = 64 * wire.KiB
	wantBack(t, open(t, b, a.Peer(), wire.ProtocolFeed), make([]byte, size))
	got := make(map[flowKey]uint64)
	for _, one := range b.Traffic() {
		got[flowKey{one.Peer, one.Protocol}] = one.ReceivedBytes
	}
	for _, k := range []flowKey{{a.Peer(), wire.ProtocolFeed.ID}, {carrier.Peer(), hop().ID}} {
		if got[k] < size {
			t.Errorf("%s: got %d bytes, want at least %d", k.protocol, got[k], size)
		}
	}
	if len(got) != 2 {
		t.Errorf("got %d counts, want 2: %v", len(got), got)
	}
}
