package node

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"interlock/crypto/token"
	"interlock/node/casefile"
	"interlock/node/desk"
	"interlock/node/store"
	"interlock/protocol/directory"
	"interlock/protocol/feed"
	"interlock/protocol/identifier"
)

func TestBothSidesAreAlertedWhoeverCameFirst(t *testing.T) {
	r := &registry{}
	denver, boulder := newDesktop(t, "denver-pd", r), newDesktop(t, "boulder-so", r)
	denver.join(t, denver.agency, boulder.agency)
	boulder.join(t, denver.agency, boulder.agency)
	denver.open(t, 1)
	boulder.open(t, 1)
	p := people(t, 3)
	denver.enter(t, 1, p[0], p[1])
	boulder.fetch(t, denver, true)
	boulder.enter(t, 1, p[1], p[2])
	denver.fetch(t, boulder, true)
	if diff := cmp.Diff([]meeting{{1, "boulder-so", token.CasePointer{'b', 1}, []string{"p1@example.org"}}}, denver.meetings(t)); diff != "" {
		t.Errorf("denver's alerts (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]meeting{{1, "denver-pd", token.CasePointer{'d', 1}, []string{"p1@example.org"}}}, boulder.meetings(t)); diff != "" {
		t.Errorf("boulder's alerts (-want +got):\n%s", diff)
	}
	if denver.raised != 1 || boulder.raised != 1 {
		t.Errorf("pushed %d and %d, want one each", denver.raised, boulder.raised)
	}
}

func TestIdentifiersWaitForTheRegistryAndCatchUp(t *testing.T) {
	r := &registry{down: true}
	denver, boulder := newDesktop(t, "denver-pd", r), newDesktop(t, "boulder-so", r)
	denver.join(t, boulder.agency)
	boulder.join(t, denver.agency)
	denver.open(t, 1)
	boulder.open(t, 1)
	p := people(t, 2)
	if got := denver.enter(t, 1, p...); got != (desk.Saved{Added: 2, Waiting: 2}) {
		t.Errorf("saved %+v, want 2 added and waiting", got)
	}
	if n, err := denver.flow.Waiting(); n != 2 || err != nil {
		t.Errorf("%d wait, %v; want 2", n, err)
	}
	r.down = false
	boulder.enter(t, 1, p[0])
	denver.fetch(t, boulder, false)
	if got := denver.meetings(t); len(got) != 0 {
		t.Errorf("alerts %v before there is a token, want none", got)
	}
	denver.catchUp(t)
	if n, err := denver.flow.Waiting(); n != 0 || err != nil {
		t.Errorf("%d wait, %v; want none", n, err)
	}
	if got := denver.meetings(t); len(got) != 1 {
		t.Errorf("alerts %v, want one", got)
	}
}

func TestASuspendedMemberRaisesNoAlertUntilItIsBack(t *testing.T) {
	r := &registry{}
	denver, boulder := newDesktop(t, "denver-pd", r), newDesktop(t, "boulder-so", r)
	denver.join(t, boulder.agency)
	denver.open(t, 1)
	boulder.open(t, 1)
	p := people(t, 2)
	boulder.enter(t, 1, p...)
	denver.fetch(t, boulder, false)
	out := boulder.agency
	out.Status = directory.Suspended
	denver.join(t, out)
	denver.enter(t, 1, p[0])
	denver.fetch(t, boulder, false)
	if got := denver.meetings(t); len(got) != 0 {
		t.Fatalf("alerts %v with a suspended member, want none", got)
	}
	denver.join(t, boulder.agency)
	denver.derive(t)
	if got := denver.meetings(t); len(got) != 1 {
		t.Errorf("alerts %v after it is back, want one", got)
	}
}

func TestAMemberThatJoinsLateIsMatchedWithWhatWasThere(t *testing.T) {
	r := &registry{}
	denver, boulder := newDesktop(t, "denver-pd", r), newDesktop(t, "boulder-so", r)
	denver.open(t, 1)
	boulder.open(t, 1)
	p := people(t, derivedAtOnce+70)
	denver.enter(t, 1, p...)
	boulder.enter(t, 1, p[len(p)-1])
	denver.join(t, boulder.agency)
	denver.fetch(t, boulder, false)
	denver.derive(t)
	if got := denver.meetings(t); len(got) != 1 {
		t.Errorf("alerts %v, want one", got)
	}
}

func TestASuspendedAgencyRaisesNoAlertAtItsOwnNode(t *testing.T) {
	r := &registry{}
	denver, boulder := newDesktop(t, "denver-pd", r), newDesktop(t, "boulder-so", r)
	denver.join(t, boulder.agency)
	denver.open(t, 2)
	boulder.open(t, 1)
	p := people(t, 1)
	denver.enter(t, 1, p[0])
	boulder.enter(t, 1, p[0])
	if err := denver.flow.Leave(denver.flow.directory.Load()); err != nil {
		t.Fatal(err)
	}
	denver.fetch(t, boulder, false)
	denver.enter(t, 2, p[0])
	if got := denver.meetings(t); len(got) != 0 {
		t.Errorf("alerts %v at a suspended agency, want none", got)
	}
	denver.join(t, boulder.agency)
	denver.derive(t)
	denver.fetch(t, boulder, false)
	if got := denver.meetings(t); len(got) != 2 {
		t.Errorf("alerts %v once it is back, want one for each case", got)
	}
}

// TestARepeatedTagCountsOnceInEitherOrder: a member that announces one tag
// again and again, each time with another invented case, gets one alert.
func TestARepeatedTagCountsOnceInEitherOrder(t *testing.T) {
	for _, first := range []bool{true, false} {
		r := &registry{}
		denver, boulder := newDesktop(t, "denver-pd", r), newDesktop(t, "boulder-so", r)
		denver.join(t, boulder.agency)
		denver.open(t, 1)
		p := people(t, 1)
		if first {
			denver.enter(t, 1, p[0])
		}
		boulder.repeats(t, p[0], 3)
		denver.fetch(t, boulder, false)
		denver.enter(t, 1, p[0])
		if got := denver.meetings(t); len(got) != 1 || got[0].Theirs[1] != 1 {
			t.Errorf("held first %t: alerts %v, want the first entry's alone", first, got)
		}
	}
}

// repeats announces one identifier n times, under another case each time.
func (d *desktop) repeats(t tb, i identifier.Identifier, n int) {
	t.Helper()
	secret, ok := d.flow.secret(1)
	if !ok {
		t.Fatalf("no secret of epoch 1")
	}
	err := d.flow.commit(func(tx *store.Tx, p *pen) error {
		k := token.Derive(tokenOf(i, 1), secret, 1)
		w, err := p.feed(directory.Everyone)
		if err != nil {
			return err
		}
		for c := range n {
			e := feed.Entry{Number: w.writer.Next(), Kind: feed.Announce, Epoch: 1, Tag: k.Tag(d.agency.ID.Author())}
			pointer := token.Pointer{Case: token.CasePointer{9, byte(c + 1)}, Kind: uint8(i.Kind())}
			if e.Pointer, err = k.Seal(nil, d.agency.ID.Author(), e.Number, pointer); err != nil {
				return err
			}
			w.entries = append(w.entries, e)
			if err := w.writer.Append(e); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatalf("repeat: %v", err)
	}
}

func TestAnEmptyBatchWakesNobody(t *testing.T) {
	r := &registry{}
	denver, boulder := newDesktop(t, "denver-pd", r), newDesktop(t, "boulder-so", r)
	denver.join(t, boulder.agency)
	changed := denver.flow.Changed(boulder.agency.ID)
	denver.fetch(t, boulder, false)
	denver.derive(t)
	select {
	case <-changed:
		t.Error("a batch without entries, or nothing to derive, woke the subscribers")
	default:
	}
}

func TestOneIdentifierIsAnnouncedOnceHoweverManyCasesHoldIt(t *testing.T) {
	denver := newDesktop(t, "denver-pd", &registry{})
	denver.open(t, 3)
	p := people(t, 1)
	for c := range casefile.CaseID(3) {
		denver.enter(t, c+1, p[0], p[0])
	}
	if h := denver.flow.head(t, "denver-pd"); h.Number != 1 {
		t.Errorf("%d entries, want 1", h.Number)
	}
}
