package netns

import (
	"errors"
	"io"
	"net/netip"
	"os"
	"slices"
	"time"
)

// maxPacket is more than a tunnel's MTU of 1500 bytes.
const maxPacket = 2048

// Numbers of protocols in an IPv4 header (RFC 791, section 3.1).
const (
	protocolTCP = 6
	protocolUDP = 17
)

// packet is an IPv4 packet under way.
type packet struct {
	bytes    []byte
	from, to netip.Addr
	number   uint64 // in its link's order of sending
}

// parse reads where a packet goes; anything but IPv4 goes nowhere.
func parse(b []byte) (p packet, ok bool) {
	if len(b) < 20 || b[0]>>4 != 4 {
		return packet{}, false
	}
	return packet{bytes: b, from: netip.AddrFrom4([4]byte(b[12:16])), to: netip.AddrFrom4([4]byte(b[16:20]))}, true
}

// add puts a place on the network: what its tunnel sends is carried until the
// tunnel is closed.
func (n *Network) add(address netip.Addr, place tunnel) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed || n.places[address] != nil {
		return errors.Join(errors.New("the address is taken, or the network closed"), place.Close())
	}
	n.places[address] = place
	n.ends.Go(func() {
		buffer := make([]byte, maxPacket)
		for {
			size, err := place.Read(buffer)
			if err != nil {
				n.fail(err)
				return
			}
			if p, ok := parse(slices.Clone(buffer[:size])); ok {
				n.send(p)
			}
		}
	})
	return nil
}

// send draws what a packet suffers, and lets it arrive once, twice or never.
func (n *Network) send(p packet) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if _, known := n.places[p.to]; !known {
		return
	}
	l := n.link(p.from, p.to)
	l.sent++
	p.number = l.sent
	lost, doubled := l.draws.Float64() < n.weather.Loss, l.draws.Float64() < n.weather.Double
	times := 1
	switch {
	case l.cut:
		n.counts.Cut++
		return
	case lost:
		n.counts.Lost++
		return
	case doubled:
		n.counts.Doubled++
		times = 2
	}
	for range times {
		wait := n.weather.Delay + time.Duration(l.draws.Float64()*float64(n.weather.Jitter))
		time.AfterFunc(wait, func() { n.arrive(p) })
	}
}

// arrive hands a packet to the place it was sent to.
func (n *Network) arrive(p packet) {
	n.mu.Lock()
	place, l := n.places[p.to], n.link(p.from, p.to)
	if n.closed {
		n.mu.Unlock()
		return
	}
	if p.number < l.arrived {
		n.counts.Overtaken++
	}
	l.arrived = max(l.arrived, p.number)
	switch p.bytes[9] {
	case protocolTCP:
		n.counts.TCP++
	case protocolUDP:
		n.counts.UDP++
	}
	n.mu.Unlock()
	if _, err := place.Write(p.bytes); err != nil {
		n.fail(err)
	}
}

// fail keeps the first fault.
func (n *Network) fail(err error) {
	if errors.Is(err, os.ErrClosed) || errors.Is(err, io.EOF) {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.failed == nil {
		n.failed = err
	}
}
