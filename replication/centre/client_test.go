package centre

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"interlock/crypto/oprf"
	"interlock/crypto/vault"
	"interlock/protocol/directory"
	"interlock/protocol/invitation"
	"interlock/protocol/link"
	"interlock/protocol/wire"
)

// client is an agency's, or anybody's, end of its links.
type client struct {
	net  *centreNet
	keys *vault.Keys
	host *link.Host
	id   directory.AgencyID

	invitation *invitation.Invitation // nil for who applies without
}

// invited is somebody whom alice has invited.
func (n *centreNet) invited(id directory.AgencyID) *client {
	n.t.Helper()
	v, err := n.operator("alice").Invite(n.ctx(), string(id), 7)
	if err != nil {
		n.t.Fatal(err)
	}
	c := n.client(id)
	c.invitation = &v
	return c
}

func (n *centreNet) client(id directory.AgencyID) *client {
	n.t.Helper()
	keys, err := vault.GenerateKeys(nil)
	if err != nil {
		n.t.Fatal(err)
	}
	c := &client{net: n, keys: keys, id: id}
	c.host = n.host(keys)
	return c
}

func (n *centreNet) host(keys *vault.Keys) *link.Host {
	n.t.Helper()
	h, err := link.New(link.Options{Key: keys.Signing, Roles: func(p wire.Peer) wire.Role {
		if _, ok := n.peers.Load(p); ok {
			return wire.RegistryServer
		}
		return wire.Nobody
	}})
	if err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(func() {
		if err := h.Close(); err != nil {
			n.t.Error(err)
		}
	})
	return h
}

func (c *client) peer() wire.Peer { return c.host.Peer() }

// application is the agency's, signed now.
func (c *client) application(contact string) *wire.Application {
	c.net.t.Helper()
	by := directory.Signers{Key: c.keys.Signing}
	if c.invitation != nil {
		by.Invitation = c.invitation.Key()
	}
	m, err := directory.SignApplication(by, c.net.network.Genesis, directory.Agency{
		ID: c.id, Name: "Secret Name Police", Jurisdiction: "US-CO", Contact: contact, Key: c.peer(),
		Recipient: c.keys.Age.Recipient(), Addresses: []string{"/ip4/127.0.0.1/tcp/5001"},
	}, uint64(time.Now().Unix()))
	if err != nil {
		c.net.t.Fatal(err)
	}
	return m
}

// ask is one request and its answer at one server. A server that cannot answer
// at this moment is asked again when something has changed there.
func (c *client) ask(i int, p wire.Protocol, request, response proto.Message) error {
	for ctx := c.net.ctx(); ; {
		server := c.net.servers[i]
		changed := server.Changed()
		err := c.askOnce(i, p, request, response)
		var refusal *wire.Refusal
		if !errors.As(err, &refusal) || refusal.Code != wire.CodeUnavailable || ctx.Err() != nil {
			return err
		}
		if !server.isReady() {
			changed = server.ready
		}
		select {
		case <-changed:
		case <-ctx.Done():
		}
	}
}

func (c *client) askOnce(i int, p wire.Protocol, request, response proto.Message) error {
	return c.askServer(c.net.ctx(), c.net.servers[i], p, request, response)
}

func (c *client) askServer(ctx context.Context, server *Server, p wire.Protocol, request, response proto.Message) error {
	if err := c.host.SetAddresses(server.Peer(), server.Addresses()); err != nil {
		return err
	}
	st, err := c.host.Open(ctx, server.Peer(), p)
	if err != nil {
		return err
	}
	defer st.Reset(wire.CodeNone)
	if err := st.Send(request); err != nil {
		return err
	}
	if err := st.Receive(response); err != nil {
		return err
	}
	return st.Close()
}

func (c *client) open(i int, p wire.Protocol) (*link.Stream, error) {
	c.net.t.Helper()
	server := c.net.servers[i]
	if err := c.host.SetAddresses(server.Peer(), server.Addresses()); err != nil {
		c.net.t.Fatal(err)
	}
	return c.host.Open(c.net.ctx(), server.Peer(), p)
}

// admission asks one server how the agency stands, or applies.
func (c *client) admission(i int, a *wire.Application) (*wire.AdmissionResponse, error) {
	var m wire.AdmissionResponse
	err := c.ask(i, wire.ProtocolAdmission, &wire.AdmissionRequest{Application: a}, &m)
	return &m, err
}

func (c *client) applies(i int) {
	c.net.t.Helper()
	m, err := c.admission(i, c.application(""))
	if err != nil || directory.Status(m.Status) != directory.Pending {
		c.net.t.Fatalf("application: got %v, %s, %q", err, directory.Status(m.GetStatus()), m.GetRefusal())
	}
}

// enrolled is an agency that is a member, and that every server knows to be.
func (n *centreNet) enrolled(id directory.AgencyID) *client {
	n.t.Helper()
	c := n.invited(id)
	c.applies(0)
	n.decide("alice", Approve, id, "")
	n.decide("bob", Approve, id, "")
	for i, s := range n.servers {
		if s != nil {
			c.awaitActive(i)
		}
	}
	return c
}

// isActive reports whether a directory has the agency as active.
func (c *client) isActive(d *directory.Directory) bool {
	a, ok := d.Agency(c.id)
	return ok && a.Key == c.peer() && a.Status == directory.Active
}

// awaitActive waits until server i shows the agency as active to everybody.
func (c *client) awaitActive(i int) {
	c.net.t.Helper()
	c.net.awaitPublished(i, "the agency", c.isActive)
}

// blind makes the request for some inputs, by the key that server i shows, and
// what completes it.
func (c *client) blind(i int, quorum []oprf.Index, inputs ...string) (*wire.EvaluateRequest, *oprf.Request) {
	c.net.t.Helper()
	k, ok := c.net.servers[i].published.directory().Current()
	if !ok {
		c.net.t.Fatalf("server %d shows no key", i+1)
	}
	return c.blindFor(k, quorum, inputs...)
}

func (c *client) blindFor(k directory.KeyEpoch, quorum []oprf.Index, inputs ...string) (*wire.EvaluateRequest, *oprf.Request) {
	c.net.t.Helper()
	by, err := oprf.NewClient(k.Keys)
	if err != nil {
		c.net.t.Fatal(err)
	}
	var texts [][]byte
	for _, in := range inputs {
		texts = append(texts, []byte(in))
	}
	r, err := by.Blind(rand.Reader, texts)
	if err != nil {
		c.net.t.Fatal(err)
	}
	m := &wire.EvaluateRequest{Epoch: uint32(k.Epoch), Generation: k.Generation}
	for _, i := range quorum {
		m.Quorum = append(m.Quorum, uint32(i))
	}
	for _, e := range r.Blinded() {
		m.Blinded = append(m.Blinded, e[:]...)
	}
	return m, r
}

// at is the position of the running server with a number.
func (n *centreNet) at(number oprf.Index) int {
	n.t.Helper()
	i := slices.IndexFunc(n.servers, func(s *Server) bool { return s != nil && s.Index() == number })
	if i < 0 {
		n.t.Fatalf("server %d does not run", number)
	}
	return i
}

// answers asks every server of a quorum, by its number, to evaluate.
func (c *client) answers(m *wire.EvaluateRequest) (answers []oprf.Answer, err error) {
	for _, number := range m.Quorum {
		var got wire.EvaluateResponse
		if err := c.ask(c.net.at(oprf.Index(number)), wire.ProtocolEvaluate, m, &got); err != nil {
			return nil, fmt.Errorf("server %d: %w", number, err)
		}
		answers = append(answers, answerOf(oprf.Index(number), &got))
	}
	return answers, nil
}

func answerOf(number oprf.Index, got *wire.EvaluateResponse) oprf.Answer {
	a := oprf.Answer{Server: number, Proof: oprf.Proof(got.Proof)}
	for e := range slices.Chunk(got.Evaluated, oprf.ElementSize) {
		a.Evaluated = append(a.Evaluated, oprf.Element(e))
	}
	return a
}

// isUnavailable reports whether a server said that it cannot answer now.
func isUnavailable(err error) bool {
	var refusal *wire.Refusal
	return errors.As(err, &refusal) && refusal.Code == wire.CodeUnavailable
}

// tokens are the tokens of some inputs; what server i shows says by which key.
func (c *client) tokens(i int, quorum []oprf.Index, inputs ...string) ([]oprf.Token, error) {
	c.net.t.Helper()
	m, r := c.blind(i, quorum, inputs...)
	answers, err := c.answers(m)
	if err != nil {
		return nil, err
	}
	return r.Finalize(quorum, answers)
}

// token is the token of one input by one quorum; every proof is checked.
func (c *client) token(quorum []oprf.Index, input string) oprf.Token {
	c.net.t.Helper()
	list, err := c.tokens(c.net.at(quorum[0]), quorum, input)
	if err != nil {
		c.net.t.Fatal(err)
	}
	return list[0]
}

// wantRefusal checks that err is the peer's refusal with one of the codes.
func wantRefusal(t testing.TB, what string, err error, codes ...wire.Code) {
	t.Helper()
	var refusal *wire.Refusal
	if !errors.As(err, &refusal) || refusal.By != "peer" || !slices.Contains(codes, refusal.Code) {
		t.Fatalf("%s: got %v, want refused by the peer with %v", what, err, codes)
	}
}
