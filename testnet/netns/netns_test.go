package netns

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"testing"
	"time"
)

// places are a network with some places, or none and the reason.
func places(t *testing.T, seed uint64, w Weather, count int) (*Network, []*Place, error) {
	t.Helper()
	n := New(seed, w)
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Errorf("network: %v", err)
		}
	})
	var list []*Place
	for i := range count {
		p, err := n.Join(netip.AddrFrom4([4]byte{10, 77, 0, byte(i + 1)}))
		if errors.Is(err, ErrUnavailable) {
			return n, nil, err
		}
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := p.Close(); err != nil {
				t.Error(err)
			}
		})
		list = append(list, p)
	}
	return n, list, nil
}

func TestAPacketOfAnotherProtocolGoesNowhere(t *testing.T) {
	for _, b := range [][]byte{nil, make([]byte, 19), append([]byte{0x60}, make([]byte, 40)...)} {
		if p, ok := parse(b); ok {
			t.Errorf("parse(%x) = %v, want nothing", b, p)
		}
	}
}

func TestTheSameSequenceOfPacketsSuffersTheSame(t *testing.T) {
	suffer := func(seed uint64) Counts {
		n := New(seed, Weather{Loss: 0.3, Double: 0.3, Delay: time.Hour})
		a, b := netip.MustParseAddr("10.77.0.1"), netip.MustParseAddr("10.77.0.2")
		n.places[b] = nil
		n.link(a, b)
		for range 1000 {
			n.send(packet{from: a, to: b})
		}
		return n.counts
	}
	if got, want := suffer(7), suffer(7); got != want {
		t.Errorf("seed 7 gives %+v, then %+v", want, got)
	}
	if suffer(7) == suffer(8) {
		t.Error("seeds 7 and 8 give the same")
	}
}

// TestAStreamSurvivesBadWeatherAndACutIsOneWay: TCP makes a whole of what is
// lost, doubled and reordered; what is sent into a cut does not arrive, and the
// other direction goes on.
func TestAStreamSurvivesBadWeatherAndACutIsOneWay(t *testing.T) {
	n, at, err := places(t, 1, Weather{Delay: 2 * time.Millisecond, Jitter: 3 * time.Millisecond, Loss: 0.02, Double: 0.02}, 2)
	if err != nil {
		t.Logf("needs root and /dev/net/tun (%v): nothing but that is claimed here", err)
		return
	}
	const size = 1 << 19
	l := listen(t, at[0])
	sent := make(chan error, 1)
	go func() {
		c, err := l.Accept()
		if err == nil {
			_, err = c.Write(make([]byte, size))
			err = errors.Join(err, c.Close())
		}
		sent <- err
	}()
	c := dial(t, at[1], l.Addr().String())
	if got, err := io.Copy(io.Discard, c); err != nil || got != size {
		t.Errorf("read %d bytes of %d: %v", got, size, err)
	}
	if err := <-sent; err != nil {
		t.Errorf("send: %v", err)
	}
	if got := n.Counts(); got.TCP < size/1500 || got.Lost == 0 || got.Doubled == 0 || got.Overtaken == 0 || got.Cut > 0 {
		t.Errorf("counts %+v, want some of all but cut ones", got)
	}

	one, other := datagrams(t, at[0]), datagrams(t, at[1])
	n.Cut(at[0].Address, at[1].Address)
	send(t, one, other.LocalAddr(), 20)
	send(t, other, one.LocalAddr(), 20)
	b := make([]byte, 10)
	if err := one.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := one.ReadFrom(b); err != nil {
		t.Errorf("against the cut: %v", err)
	}
	if got := n.Counts(); got.Cut < 20 {
		t.Errorf("%d packets were cut, want 20", got.Cut)
	}
	n.Heal()
	send(t, one, other.LocalAddr(), 20)
	if err := other.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := other.ReadFrom(b); err != nil {
		t.Errorf("healed: %v", err)
	}
}

func listen(t *testing.T, p *Place) (l net.Listener) {
	t.Helper()
	if err := p.Inside(func() (err error) {
		l, err = net.Listen("tcp", p.Address.String()+":0")
		return err
	}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closed(t, l) })
	return l
}

func dial(t *testing.T, p *Place, address string) (c net.Conn) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := p.Inside(func() (err error) {
		c, err = new(net.Dialer).DialContext(ctx, "tcp", address)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closed(t, c) })
	return c
}

func datagrams(t *testing.T, p *Place) (c net.PacketConn) {
	t.Helper()
	if err := p.Inside(func() (err error) {
		c, err = net.ListenPacket("udp", p.Address.String()+":0")
		return err
	}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closed(t, c) })
	return c
}

func send(t *testing.T, c net.PacketConn, to net.Addr, times int) {
	t.Helper()
	for range times {
		if _, err := c.WriteTo([]byte("here"), to); err != nil {
			t.Fatal(err)
		}
	}
}

func closed(t *testing.T, c io.Closer) {
	t.Helper()
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}
