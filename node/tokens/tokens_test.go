package tokens

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"

	"interlock/crypto/oprf"
	"interlock/crypto/token"
	"interlock/protocol/directory"
	"interlock/protocol/identifier"
	"interlock/protocol/link"
	"interlock/protocol/wire"
)

// server is a registry server as far as tokens go: real shares, over real
// links, and what it may do wrong.
type server struct {
	share    *oprf.Share
	refuses  atomic.Bool
	lies     atomic.Bool
	once     atomic.Bool                   // answers one request on a stream, and ends it
	stalls   atomic.Pointer[chan struct{}] // does not answer before it is closed
	stalled  chan struct{}                 // one for each request that was not answered yet
	opened   atomic.Int32
	ended    chan struct{} // one for each stream that has ended
	asked    atomic.Int32
	elements atomic.Pointer[[]byte] // of the last request
}

func (s *server) serve(_ context.Context, st *link.Stream) error {
	s.opened.Add(1)
	defer func() { s.ended <- struct{}{} }()
	for {
		var req wire.EvaluateRequest
		if err := st.Receive(&req); err != nil {
			return err
		}
		if until := s.stalls.Load(); until != nil {
			s.stalled <- struct{}{}
			<-*until
		}
		resp, err := s.answer(&req)
		if err == nil {
			err = st.Send(resp)
		}
		if err != nil || s.once.Load() {
			return err
		}
	}
}

func (s *server) answer(req *wire.EvaluateRequest) (*wire.EvaluateResponse, error) {
	s.asked.Add(1)
	s.elements.Store(&req.Blinded)
	if s.refuses.Load() {
		return nil, wire.Refuse(wire.CodeUnavailable, nil)
	}
	var quorum []oprf.Index
	for _, i := range req.Quorum {
		quorum = append(quorum, oprf.Index(i))
	}
	blinded := make([]oprf.Element, len(req.Blinded)/oprf.ElementSize)
	for i := range blinded {
		copy(blinded[i][:], req.Blinded[i*oprf.ElementSize:])
	}
	a, err := s.share.Evaluate(rand.Reader, len(quorum), quorum, blinded)
	if err != nil {
		return nil, wire.Refuse(wire.CodeMalformed, err)
	}
	resp := &wire.EvaluateResponse{Evaluated: make([]byte, 0, len(req.Blinded)), Proof: a.Proof[:]}
	for _, e := range a.Evaluated {
		resp.Evaluated = append(resp.Evaluated, e[:]...)
	}
	if s.lies.Load() {
		resp.Proof[0] ^= 1
	}
	return resp, nil
}

func key(b int) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{byte(b)}, ed25519.SeedSize))
}

// registry is n servers of which t are needed, and a client of theirs.
func registry(t testing.TB, threshold, n int) ([]*server, *Client, *bytes.Buffer) {
	t.Helper()
	keys, shares, err := oprf.Deal(rand.Reader, threshold, n)
	if err != nil {
		t.Fatal(err)
	}
	d := &directory.Directory{Epochs: []directory.KeyEpoch{{Epoch: 1, Generation: 1, Keys: keys}}}
	open := host(t, 100)
	var servers []*server
	for i, share := range shares {
		s := &server{share: share, ended: make(chan struct{}, 64), stalled: make(chan struct{}, 64)}
		h := host(t, i+1)
		h.Handle(wire.ProtocolEvaluate, s.serve)
		if err := open.SetAddresses(h.Peer(), h.Addresses()); err != nil {
			t.Fatal(err)
		}
		servers = append(servers, s)
		d.Servers = append(d.Servers, directory.Server{
			Index: share.Index(), Name: fmt.Sprintf("server-%d", i+1), Key: h.Peer(),
		})
	}
	var log bytes.Buffer
	c := New(open, func() *directory.Directory { return d }, slog.New(slog.NewTextHandler(&log, nil)))
	t.Cleanup(c.Close)
	return servers, c, &log
}

func host(t testing.TB, seed int) *link.Host {
	t.Helper()
	h, err := link.New(link.Options{
		Key: key(seed), Listen: []string{"/ip4/127.0.0.1/tcp/0"}, Log: slog.New(slog.DiscardHandler),
		Roles: func(wire.Peer) wire.Role { return wire.Member },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	return h
}

// tokensOf has one batch evaluated under the key in force.
func tokensOf(t testing.TB, c *Client, ids []identifier.Identifier) ([]oprf.Token, token.Epoch, error) {
	t.Helper()
	k, err := c.current()
	if err != nil {
		return nil, 0, err
	}
	tokens, err := c.evaluate(t.Context(), k, ids)
	return tokens, k.Epoch, err
}

func identifiers(t testing.TB, n int) []identifier.Identifier {
	t.Helper()
	var list []identifier.Identifier
	for i := range n {
		id, err := identifier.Parse(identifier.Email, fmt.Sprintf("person%d@example.org", i), "US")
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, id)
	}
	return list
}

func TestAnyQuorumGivesTheSameTokens(t *testing.T) {
	servers, c, _ := registry(t, 2, 3)
	ids := identifiers(t, 5)
	want, epoch, err := tokensOf(t, c, ids)
	if err != nil || epoch != 1 {
		t.Fatalf("got epoch %d, %v", epoch, err)
	}
	for i, s := range servers {
		s.refuses.Store(true)
		got, _, err := tokensOf(t, c, ids)
		s.refuses.Store(false)
		if err != nil {
			t.Fatalf("without server %d: %v", i+1, err)
		}
		for n := range got {
			if got[n] != want[n] {
				t.Errorf("without server %d: token %d differs", i+1, n)
			}
		}
	}
}

func TestAWrongShareIsNamedAndAnotherQuorumAnswers(t *testing.T) {
	servers, c, log := registry(t, 2, 3)
	servers[0].lies.Store(true)
	if _, _, err := tokensOf(t, c, identifiers(t, 3)); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(log.String(), "wrong share") || !strings.Contains(log.String(), "server=1") {
		t.Errorf("the log does not name server 1:\n%s", log)
	}
	before := servers[0].asked.Load()
	if _, _, err := tokensOf(t, c, identifiers(t, 3)); err != nil {
		t.Fatal(err)
	}
	if got := servers[0].asked.Load(); got != before {
		t.Error("the server that lied was asked first again")
	}
}

func TestFewerThanTheThresholdGiveNothing(t *testing.T) {
	servers, c, _ := registry(t, 2, 3)
	servers[0].refuses.Store(true)
	servers[2].lies.Store(true)
	if tokens, _, err := tokensOf(t, c, identifiers(t, 1)); !errors.Is(err, ErrUnavailable) || tokens != nil {
		t.Errorf("got %d tokens, %v; want %v", len(tokens), err, ErrUnavailable)
	}
}

func TestNoServerSeesTheSameElementTwice(t *testing.T) {
	servers, c, _ := registry(t, 2, 2)
	seen := map[string]bool{}
	for range 3 {
		if _, _, err := tokensOf(t, c, identifiers(t, 1)); err != nil {
			t.Fatal(err)
		}
		e := string(*servers[0].elements.Load())
		if seen[e] {
			t.Error("one identifier was blinded to the same element twice")
		}
		seen[e] = true
	}
}

func TestBeforeAdmissionThereAreNoTokens(t *testing.T) {
	c := New(host(t, 100), func() *directory.Directory { return nil }, slog.New(slog.DiscardHandler))
	if _, _, err := tokensOf(t, c, identifiers(t, 1)); !errors.Is(err, ErrUnavailable) {
		t.Errorf("got %v, want %v", err, ErrUnavailable)
	}
}
