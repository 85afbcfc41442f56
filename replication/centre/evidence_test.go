package centre

import (
	"testing"

	"interlock/protocol/directory"
	"interlock/protocol/feed"
	"interlock/protocol/wire"
	"interlock/replication/registry"
)

// forks are two heads of one number that an agency signed.
func (c *client) forks(number uint64) *wire.Evidence {
	id := feed.ID{Author: c.id}
	first := feed.Sign(id, c.keys.Signing, feed.Position{Generation: 1, Number: number, Hash: [32]byte{1}})
	second := feed.Sign(id, c.keys.Signing, feed.Position{Generation: 1, Number: number, Hash: [32]byte{2}})
	return &wire.Evidence{First: first.Message(), Second: second.Message()}
}

func (c *client) tells(i int, e *wire.Evidence) (refusal string, err error) {
	var m wire.EvidenceResponse
	err = c.ask(i, wire.ProtocolEvidence, e, &m)
	return m.Refusal, err
}

func TestWhoForksItsFeedIsSuspendedByProof(t *testing.T) {
	t.Parallel()
	n := found(t, 3)
	denver, boulder := n.enrolled("denver-pd"), n.enrolled("boulder-pd")
	forged := denver.forks(7)
	forged.Second.Hash[0] = 3
	if refusal, err := boulder.tells(1, forged); err != nil || refusal != registry.ErrNoEvidence.Error() {
		t.Fatalf("a head that denver did not sign: got %q, %v", refusal, err)
	}
	same := denver.forks(7)
	same.Second = same.First
	if refusal, err := boulder.tells(1, same); err != nil || refusal != registry.ErrNoEvidence.Error() {
		t.Fatalf("one head twice: got %q, %v", refusal, err)
	}
	if refusal, err := boulder.tells(1, &wire.Evidence{}); err != nil || refusal == "" {
		t.Fatalf("nothing: got %q, %v", refusal, err)
	}
	if m, err := denver.admission(0, nil); err != nil || directory.Status(m.Status) != directory.Active {
		t.Fatalf("denver after false evidence: got %v, %v", m, err)
	}

	for range 2 { // the second time it is known already
		if refusal, err := boulder.tells(2, denver.forks(7)); err != nil || refusal != "" {
			t.Fatalf("the proof: got %q, %v", refusal, err)
		}
	}
	for i := range n.servers {
		n.awaitPublished(i, "the suspension", func(d *directory.Directory) bool {
			a, ok := d.Agency("denver-pd")
			return ok && a.Status == directory.Suspended
		})
	}
	status, err := n.operator("alice").Status(n.ctx())
	if err != nil || len(status.Notices) != 1 || status.Notices[0].Kind != registry.ForkedFeed || !status.Agencies[1].Forked {
		t.Fatalf("status: got %v, %v", status.Notices, err)
	}
	n.wantRecorded("denver-pd signed two different feeds of 7 entries")
}

func TestAMemberCannotFloodTheRegistryWithEvidence(t *testing.T) {
	t.Parallel()
	n := found(t, 1)
	boulder := n.enrolled("boulder-pd")
	st, err := boulder.open(0, wire.ProtocolEvidence)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Reset(wire.CodeNone)
	taken := 0
	for err == nil && taken < 100 {
		if err = st.Send(&wire.Evidence{First: &wire.Head{Author: "denver-pd"}}); err == nil {
			err = st.Receive(&wire.EvidenceResponse{})
		}
		taken++
	}
	wantRefusal(t, "one after another", err, wire.CodeBusy)
	if taken > 2*applyBurst {
		t.Fatalf("%d were looked at, want no more than %d or so", taken, applyBurst)
	}
	stranger := n.client("stranger-pd")
	wantRefusal(t, "a stranger", stranger.ask(0, wire.ProtocolEvidence, &wire.Evidence{}, &wire.EvidenceResponse{}), wire.CodeRefused)
}
