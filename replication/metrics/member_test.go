package metrics

import (
	"crypto/rand"
	"errors"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"interlock/crypto/oprf"
	"interlock/crypto/vault"
	"interlock/protocol/directory"
	"interlock/protocol/link"
	"interlock/protocol/wire"
	"interlock/replication/centre"
	"interlock/replication/registry"
)

// What of a member must stay out of every scrape.
const (
	memberID   = "planted-agency"
	memberName = "Planted Police"
	contact    = "Planted Contact"
	label1     = "Planted Label"
	identifier = "planted@example.org"
)

// member is an agency's end of its links.
type member struct {
	w    *world
	keys *vault.Keys
	host *link.Host
}

// enrolled is an agency that two operators admitted.
func (w *world) enrolled() *member {
	w.t.Helper()
	keys, err := vault.GenerateKeys(rand.Reader)
	if err != nil {
		w.t.Fatal(err)
	}
	m := &member{w: w, keys: keys, host: hostOf(w, keys)}
	first, second := w.operator(operatorName), w.operator(secondName)
	v, err := first.Invite(w.ctx(), label1, 7)
	if err != nil {
		w.t.Fatal(err)
	}
	application, err := directory.SignApplication(directory.Signers{Key: keys.Signing, Invitation: v.Key()}, w.network.Genesis, directory.Agency{
		ID: memberID, Name: memberName, Jurisdiction: "US-CO", Contact: contact, Key: m.host.Peer(),
		Recipient: keys.Age.Recipient(), Addresses: []string{"/ip4/127.0.0.1/tcp/5001"},
	}, uint64(time.Now().Unix()))
	if err != nil {
		w.t.Fatal(err)
	}
	var answer wire.AdmissionResponse
	if err := m.ask(0, wire.ProtocolAdmission, &wire.AdmissionRequest{Application: application}, &answer); err != nil || answer.Refusal != "" {
		w.t.Fatalf("application: got %v, %q", err, answer.Refusal)
	}
	w.await(0, "the application", func(s samples) bool { return s["applications_pending"] == 1 })
	for _, o := range []*centre.Operator{first, second} {
		if err := o.Decide(w.ctx(), centre.Approve, memberID, ""); err != nil {
			w.t.Fatal(err)
		}
	}
	return m
}

func hostOf(w *world, keys *vault.Keys) *link.Host {
	w.t.Helper()
	h, err := link.New(link.Options{Key: keys.Signing, Roles: func(p wire.Peer) wire.Role {
		if slices.ContainsFunc(w.network.Servers, func(s directory.NetworkServer) bool { return s.Key == p }) {
			return wire.RegistryServer
		}
		return wire.Nobody
	}})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		if err := h.Close(); err != nil {
			w.t.Error(err)
		}
	})
	for _, s := range w.network.Servers {
		if err := h.SetAddresses(s.Key, s.Addresses); err != nil {
			w.t.Fatal(err)
		}
	}
	return h
}

func (m *member) ask(i int, p wire.Protocol, request, response proto.Message) error {
	st, err := m.host.Open(m.w.ctx(), m.w.network.Servers[i].Key, p)
	if err != nil {
		return err
	}
	defer st.Reset(wire.CodeNone)
	return errors.Join(st.Send(request), st.Receive(response))
}

// evaluates has one server evaluate one identifier under a generation of the key.
func (m *member) evaluates(i int, generation uint32) error {
	m.w.t.Helper()
	var k directory.KeyEpoch
	m.w.servers[i].View(func(s *registry.State) { k = s.Epochs()[0] })
	client, err := oprf.NewClient(k.Keys)
	if err != nil {
		m.w.t.Fatal(err)
	}
	blind, err := client.Blind(rand.Reader, [][]byte{[]byte(identifier)})
	if err != nil {
		m.w.t.Fatal(err)
	}
	element := blind.Blinded()[0]
	var answer wire.EvaluateResponse
	return m.ask(i, wire.ProtocolEvaluate, &wire.EvaluateRequest{
		Epoch: uint32(k.Epoch), Generation: generation, Quorum: []uint32{1, 2}, Blinded: element[:],
	}, &answer)
}

// follows follows the directory of one server and acts on a version, until the
// test ends.
func (m *member) follows(t testing.TB, i int, version uint64) {
	t.Helper()
	st, err := m.host.Open(m.w.ctx(), m.w.network.Servers[i].Key, wire.ProtocolDirectory)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Reset(wire.CodeNone) })
	if err := st.Send(&wire.FollowDirectory{Version: version, Software: "Planted Software"}); err != nil {
		t.Fatal(err)
	}
}
