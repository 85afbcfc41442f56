package netns

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"testing"
	"testing/synctest"
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
	suffer := func(seed uint64) (c Counts) {
		synctest.Test(t, func(t *testing.T) {
			f := newFake(t, seed, Weather{Loss: 0.3, Double: 0.3, Delay: time.Second, Jitter: time.Second})
			for range 1000 {
				f.sends()
			}
			f.lasts(2 * time.Second)
			c = f.network.Counts()
		})
		return c
	}
	got, want := suffer(7), suffer(7)
	if got != want || got.Lost == 0 || got.Doubled == 0 || got.UDP != 1000-got.Lost+got.Doubled {
		t.Errorf("seed 7 gives %+v, then %+v", want, got)
	}
	if suffer(7) == suffer(8) {
		t.Error("seeds 7 and 8 give the same")
	}
}

func TestAPacketTakesItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t, 1, Weather{Delay: 30 * time.Millisecond})
		f.sends()
		f.lasts(29 * time.Millisecond)
		if got := f.count(); got != 0 {
			t.Errorf("%d packets arrived after 29 ms, want none", got)
		}
		f.lasts(time.Millisecond)
		if got := f.count(); got != 1 {
			t.Errorf("%d packets arrived after 30 ms, want 1", got)
		}
	})
}

func TestACutIsOneWayUntilItIsHealed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t, 1, Weather{})
		f.network.Cut(f.to, f.from)
		f.sends()
		f.lasts(time.Millisecond)
		f.network.Cut(f.from, f.to)
		f.sends()
		f.lasts(time.Millisecond)
		f.network.Heal()
		f.sends()
		f.lasts(time.Millisecond)
		if got, want := f.network.Counts(), (Counts{UDP: 2, Cut: 1}); got != want || f.count() != 2 {
			t.Errorf("%d arrived, counts %+v, want 2 and %+v", f.count(), got, want)
		}
	})
}

// fake is a network with one place, in which arrivals are counted, and a second
// that sends.
type fake struct {
	t        *testing.T
	network  *Network
	from, to netip.Addr
	arrived  int // owned by the network's mutex
	ended    chan struct{}
}

func newFake(t *testing.T, seed uint64, w Weather) *fake {
	t.Helper()
	f := &fake{
		t: t, network: New(seed, w), ended: make(chan struct{}),
		from: netip.MustParseAddr("10.77.0.1"), to: netip.MustParseAddr("10.77.0.2"),
	}
	if err := f.network.add(f.to, f); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closed(t, f.network) })
	return f
}

// sends lets the first place send a UDP packet.
func (f *fake) sends() {
	b := make([]byte, 28)
	b[0], b[9] = 0x45, protocolUDP
	copy(b[12:], f.from.AsSlice())
	copy(b[16:], f.to.AsSlice())
	if p, ok := parse(b); ok {
		f.network.send(p)
	}
}

// lasts lets time pass, and all that happens in it end.
func (f *fake) lasts(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// count is how many packets have arrived.
func (f *fake) count() int {
	f.network.mu.Lock()
	defer f.network.mu.Unlock()
	return f.arrived
}

func (f *fake) Read([]byte) (int, error) {
	<-f.ended
	return 0, io.EOF
}

func (f *fake) Write(b []byte) (int, error) {
	f.network.mu.Lock()
	defer f.network.mu.Unlock()
	f.arrived++
	return len(b), nil
}

func (f *fake) Close() error {
	close(f.ended)
	return nil
}

// TestAStreamOfTheKernelSurvivesBadWeather: TCP between two places makes a whole
// of what is lost, doubled and reordered, and datagrams pass against a cut. Where
// there are no places, Join has left this process where it was: the stream goes
// over its loopback.
func TestAStreamOfTheKernelSurvivesBadWeather(t *testing.T) {
	n, at, err := places(t, 1, Weather{Delay: 2 * time.Millisecond, Jitter: 3 * time.Millisecond, Loss: 0.02, Double: 0.02}, 2)
	if err != nil {
		t.Logf("Without root and /dev/net/tun the stream meets no faults: %v", err)
		streams(t, nil, nil)
		return
	}
	streams(t, at[0], at[1])
	if got := n.Counts(); got.TCP < streamed/1500 || got.Lost == 0 || got.Doubled == 0 || got.Overtaken == 0 || got.Cut > 0 {
		t.Errorf("counts %+v, want some of all but cut ones", got)
	}
	one, other := datagrams(t, at[0]), datagrams(t, at[1])
	n.Cut(at[0].Address, at[1].Address)
	send(t, one, other.LocalAddr(), 20)
	send(t, other, one.LocalAddr(), 20)
	if err := one.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := one.ReadFrom(make([]byte, 10)); err != nil {
		t.Errorf("against the cut: %v", err)
	}
}

// streamed is how many bytes streams sends.
const streamed = 1 << 19

// streams sends bytes from one place to another, nil for the own one.
func streams(t *testing.T, from, to *Place) {
	t.Helper()
	l := listen(t, from)
	sent := make(chan error, 1)
	go func() {
		c, err := l.Accept()
		if err == nil {
			_, err = c.Write(make([]byte, streamed))
			err = errors.Join(err, c.Close())
		}
		sent <- err
	}()
	if got, err := io.Copy(io.Discard, dial(t, to, l.Addr().String())); err != nil || got != streamed {
		t.Errorf("read %d bytes of %d: %v", got, streamed, err)
	}
	if err := <-sent; err != nil {
		t.Errorf("send: %v", err)
	}
}

// inside calls do in a place, or where there is none, here; with an address
// to listen on.
func inside(t *testing.T, p *Place, do func(address string) error) {
	t.Helper()
	err := error(nil)
	if p == nil {
		err = do("127.0.0.1:0")
	} else {
		err = p.Inside(func() error { return do(p.Address.String() + ":0") })
	}
	if err != nil {
		t.Fatal(err)
	}
}

func listen(t *testing.T, p *Place) (l net.Listener) {
	t.Helper()
	inside(t, p, func(address string) (err error) {
		l, err = net.Listen("tcp", address)
		return err
	})
	t.Cleanup(func() { closed(t, l) })
	return l
}

func dial(t *testing.T, p *Place, address string) (c net.Conn) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	inside(t, p, func(string) (err error) {
		c, err = new(net.Dialer).DialContext(ctx, "tcp", address)
		return err
	})
	t.Cleanup(func() { closed(t, c) })
	return c
}

func datagrams(t *testing.T, p *Place) (c net.PacketConn) {
	t.Helper()
	inside(t, p, func(address string) (err error) {
		c, err = net.ListenPacket("udp", address)
		return err
	})
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
