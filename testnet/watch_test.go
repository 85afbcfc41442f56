package testnet

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"interlock/node/desk"
	"interlock/protocol/link"
	"interlock/protocol/wire"
)

// tap carries every byte between two agencies, which dial each other nowhere else,
// and counts what each sends.
type tap struct {
	mu    sync.Mutex
	sent  map[string]int // owned by mu; bytes, by agency
	conns []net.Conn     // owned by mu
	tasks sync.WaitGroup
}

func newTap(t *testing.T) *tap {
	p := &tap{sent: map[string]int{}}
	t.Cleanup(func() {
		p.mu.Lock()
		for _, c := range p.conns {
			c.Close()
		}
		p.mu.Unlock()
		p.tasks.Wait()
	})
	return p
}

// between are the two agencies; front is the Plan.Front of their network.
func (p *tap) between(t *testing.T, one, other string) (front func(id string, port int) ([]string, error)) {
	opposite := map[string]string{one: other, other: one}
	return func(id string, port int) ([]string, error) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		t.Cleanup(func() { l.Close() })
		p.tasks.Go(func() {
			for {
				in, err := l.Accept()
				if err != nil {
					return
				}
				p.carry(in, fmt.Sprintf("127.0.0.1:%d", port), opposite[id], id)
			}
		})
		return []string{fmt.Sprintf("/ip4/127.0.0.1/tcp/%d", l.Addr().(*net.TCPAddr).Port)}, nil
	}
}

func (p *tap) carry(in net.Conn, to, dialler, listener string) {
	out, err := net.Dial("tcp", to)
	if err != nil {
		in.Close() // whom it was for does not run
		return
	}
	p.mu.Lock()
	p.conns = append(p.conns, in, out)
	p.mu.Unlock()
	p.tasks.Go(func() { p.copies(out, in, dialler) })
	p.tasks.Go(func() { p.copies(in, out, listener) })
}

func (p *tap) copies(to, from net.Conn, sender string) {
	defer to.Close()
	defer from.Close()
	buffer := make([]byte, 64<<10)
	for {
		n, err := from.Read(buffer)
		p.mu.Lock()
		p.sent[sender] += n
		p.mu.Unlock()
		if _, failed := to.Write(buffer[:n]); err != nil || failed != nil {
			return
		}
	}
}

func (p *tap) by(agency string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.sent[agency]
}

// window is longer than a node waits before it tells what it has to tell.
const window = 300 * time.Millisecond

// during is how many bytes an agency sends to the other while something is done, and
// in the window after it.
func (p *tap) during(agency string, do func()) int {
	before := p.by(agency)
	ends := time.NewTimer(window)
	defer ends.Stop()
	do()
	<-ends.C
	return p.by(agency) - before
}

// TestAWatchedIdentifierCausesNoByteToAnyMember: all that denver sends to the other
// member is carried through a tap. From time to time it says that it is there,
// whatever it does; what an entry causes is sent each time that there is one.
func TestAWatchedIdentifierCausesNoByteToAnyMember(t *testing.T) {
	taps := newTap(t)
	fed := Start(t, Plan{Agencies: Members("denver-pd", "boulder-so"), Quiet: true, Front: taps.between(t, "denver-pd", "boulder-so")})
	denver, boulder := fed.Agency("denver-pd"), fed.Agency("boulder-so")
	d, b := opens(t, denver, "D-1"), opens(t, boulder, "B-1")
	if taps.by(denver.ID) == 0 || taps.by(boulder.ID) == 0 {
		t.Fatal("the tap carries nothing")
	}
	for n := range 5 { // what is announced is seen each time
		name := fmt.Sprintf("shared.%d@example.org", n)
		if bytes := taps.during(denver.ID, func() { shares(t, denver, d, shared, name); settleAndCheck(t, fed) }); bytes == 0 {
			t.Fatal("the tap does not see an entry")
		}
	}
	const wanted, most = 8, 60
	silent, n, idle, watching := 0, 0, 0, 0
	for ; silent < wanted && n < most; n++ {
		idle += taps.during(denver.ID, func() {})
		bytes := taps.during(denver.ID, func() {
			saved, err := denver.Shares(t.Context(), okafor, d, watched, fmt.Sprintf("watched.%d@example.org", n))
			if err != nil || saved != (desk.Saved{Added: 1}) {
				t.Fatalf("saved %+v, %v; want one added that has its token", saved, err)
			}
		})
		watching += bytes
		if bytes == 0 {
			silent++
		}
	}
	t.Logf("%d times watched, %d of them without a byte; %d bytes in all, and %d in as long without", n, silent, watching, idle)
	if silent < wanted {
		t.Errorf("denver sends something nearly every time that an identifier is watched")
	}
	if held := feedsOf(t, denver, denver.ID); len(held) != 1 || held[""] != 5 {
		t.Errorf("denver's feeds are %v, want the 5 entries that were shared", held)
	}
	pastes(t, boulder, b, "watched.0@example.org")
	settleAndCheck(t, fed)
	wantAlerted(t, denver, "boulder-so watched.0@example.org")
	wantAlerted(t, boulder)
}

// TestTheRegistrySeesOnlyPointsThatAreFreshEachTime: a server that answers nobody is
// asked for one and the same identifiers again and again.
func TestTheRegistrySeesOnlyPointsThatAreFreshEachTime(t *testing.T) {
	fed := Start(t, Plan{Agencies: Members("denver-pd")})
	denver := fed.Agency("denver-pd")
	d := opens(t, denver, "D-1")
	var mu sync.Mutex
	var requests []*wire.EvaluateRequest
	fed.Servers()[0].running().Host().Handle(wire.ProtocolEvaluate, func(_ context.Context, s *link.Stream) error {
		m := &wire.EvaluateRequest{}
		if err := s.Receive(m); err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		requests = append(requests, m)
		return wire.Refuse(wire.CodeUnavailable, errors.New("answers nobody"))
	})
	for _, s := range fed.Servers()[1:] {
		stop(t, s)
	}
	shares(t, denver, d, watched, "one@example.org two@example.org")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	err := fed.await(ctx, "the server to be asked", func() (bool, error) {
		mu.Lock()
		defer mu.Unlock()
		return len(requests) >= 6, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	const point = 32
	seen := map[string]bool{}
	for n, m := range requests {
		b, err := wire.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		if len(m.Blinded) != 2*point || len(b) > len(m.Blinded)+16 || strings.Contains(string(b), "example") {
			t.Errorf("request %d has %d bytes, want two points of %d and little else", n, len(b), point)
			continue
		}
		for _, p := range []string{string(m.Blinded[:point]), string(m.Blinded[point:])} {
			if seen[p] {
				t.Errorf("request %d has a point that was there before", n)
			}
			seen[p] = true
		}
	}
}
