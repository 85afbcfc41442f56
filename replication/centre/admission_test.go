package centre

import (
	"errors"
	"strings"
	"testing"

	"interlock/crypto/oprf"
	"interlock/crypto/token"
	"interlock/protocol/directory"
	"interlock/protocol/wire"
	"interlock/replication/registry"
)

func TestAnAgencyIsAdmittedByTwoOperators(t *testing.T) {
	t.Parallel()
	n := found(t, 3)
	denver := n.invited("denver-pd")
	if m, err := denver.admission(1, nil); err != nil || m.Status != uint32(directory.Unknown) {
		t.Fatalf("before applying: got %v, %v", m, err)
	}
	denver.applies(1)
	status, err := n.operator("alice").Status(n.ctx())
	if err != nil {
		t.Fatal(err)
	}
	if len(status.Pending) != 1 || status.Pending[0].Agency.ID != "denver-pd" || status.Leader == "" {
		t.Fatalf("status: got %+v", status)
	}
	n.decide("alice", Approve, "denver-pd", "")
	err = n.operator("alice").Decide(n.ctx(), Approve, "denver-pd", "once more")
	if declined := Declined(""); !errors.As(err, &declined) || declined.Error() != registry.ErrSameOperator.Error() {
		t.Fatalf("the same operator again: got %v, want %v", err, registry.ErrSameOperator)
	}
	if m, err := denver.admission(0, nil); err != nil || directory.Status(m.Status) != directory.Pending {
		t.Fatalf("after one approval: got %v, %v", m, err)
	}
	n.decide("carol", Approve, "denver-pd", "")
	for i := range n.servers {
		denver.awaitActive(i)
		m, err := denver.admission(i, nil)
		if err != nil || directory.Status(m.Status) != directory.Active {
			t.Fatalf("server %d: got %v, %v", i+1, m, err)
		}
		if _, err := n.network.Trust().Verify(m.Directory); err != nil {
			t.Fatalf("server %d: directory: %v", i+1, err)
		}
		k, _ := n.servers[i].published.directory().Current()
		if secrets := denver.secrets(m); len(secrets) != 1 || secrets[1].Commit() != k.Federation {
			t.Fatalf("server %d: got %d federation secrets, want the one that the directory commits to", i+1, len(secrets))
		}
	}
	// Applying again with the same details is no news.
	if m, err := denver.admission(2, denver.application("")); err != nil || directory.Status(m.Status) != directory.Active {
		t.Fatalf("applying again: got %v, %v", m, err)
	}
}

// secrets are the federation secrets of an answer, by key epoch.
func (c *client) secrets(m *wire.AdmissionResponse) map[token.Epoch]token.Secret {
	c.net.t.Helper()
	got := make(map[token.Epoch]token.Secret)
	for _, s := range m.Secrets {
		b, err := c.keys.Age.Open(s.Sealed, secretLimit)
		if err != nil {
			c.net.t.Fatal(err)
		}
		got[token.Epoch(s.Epoch)] = token.Secret(b)
	}
	return got
}

func TestAStrangerGetsNothing(t *testing.T) {
	t.Parallel()
	n := found(t, 3)
	n.enrolled("denver-pd")
	stranger := n.invited("boulder-pd")
	request, _ := stranger.blind(0, []oprf.Index{1, 2}, "j.doe@example.org")
	var answer wire.EvaluateResponse
	for _, p := range []wire.Protocol{
		wire.ProtocolEvaluate, wire.ProtocolDirectory, wire.ProtocolOperate, wire.ProtocolPropose, wire.ProtocolRaft, wire.ProtocolFeed,
	} {
		wantRefusal(t, p.ID, stranger.ask(0, p, request, &answer), wire.CodeRefused)
	}
	if m, err := stranger.admission(0, nil); err != nil || m.Status != 0 || m.Directory != nil || m.Secrets != nil {
		t.Fatalf("standing: got %v, %v, want nothing", m, err)
	}
	stranger.applies(0)
	wantRefusal(t, "an applicant's evaluation", stranger.ask(0, wire.ProtocolEvaluate, request, &answer), wire.CodeRefused)
	if m, err := stranger.admission(0, nil); err != nil || m.Directory != nil || m.Secrets != nil {
		t.Fatalf("a pending applicant's standing: got %v, %v, want no directory", m, err)
	}
}

func TestAMemberIsNoOperator(t *testing.T) {
	t.Parallel()
	n := found(t, 3)
	denver := n.enrolled("denver-pd")
	var m wire.OperateResponse
	for _, p := range []wire.Protocol{wire.ProtocolOperate, wire.ProtocolPropose, wire.ProtocolRaft} {
		wantRefusal(t, p.ID, denver.ask(0, p, &wire.OperateRequest{}, &m), wire.CodeRefused)
	}
}

func TestApplicationsComeFromTheirOwnKey(t *testing.T) {
	t.Parallel()
	n := found(t, 3)
	denver, thief := n.invited("denver-pd"), n.client("denver-pd")
	_, err := thief.admission(0, denver.application(""))
	wantRefusal(t, "somebody else's application", err, wire.CodeForged)

	odd := denver.application("")
	odd.Addresses = []string{"not a multiaddr"}
	if m, err := denver.admission(0, odd); err != nil || directory.Status(m.Status) != directory.Refused || !strings.Contains(m.Refusal, "not a multiaddr") {
		t.Fatalf("an address that is none: got %v, %v", m, err)
	}
	forged := denver.application("")
	forged.Contact = "changed after signing"
	if m, err := denver.admission(0, forged); err != nil || m.Refusal != registry.ErrBadSignature.Error() {
		t.Fatalf("a changed application: got %v, %v", m, err)
	}
	if status, err := n.operator("alice").Status(n.ctx()); err != nil || len(status.Pending) != 0 {
		t.Fatalf("pending: got %+v, %v, want nothing", status, err)
	}
}

func TestARefusedApplicantLearnsWhyAndMayApplyAgain(t *testing.T) {
	t.Parallel()
	n := found(t, 3)
	denver := n.invited("denver-pd")
	denver.applies(0)
	n.decide("alice", Refuse, "denver-pd", "the contact does not answer")
	m, err := denver.admission(2, nil)
	if err != nil || directory.Status(m.Status) != directory.Refused && directory.Status(m.Status) != directory.Pending {
		t.Fatalf("got %v, %v", m, err)
	}
	n.await(2, "the refusal", func(s *registry.State) bool {
		status, _ := s.Standing(denver.peer())
		return status == directory.Refused
	})
	if m, err = denver.admission(2, nil); err != nil || m.Refusal != "the contact does not answer" {
		t.Fatalf("got %v, %v, want the operator's reason", m, err)
	}
	if m, err = denver.admission(2, denver.application("another desk")); err != nil || directory.Status(m.Status) != directory.Pending {
		t.Fatalf("applying again: got %v, %v", m, err)
	}
}
