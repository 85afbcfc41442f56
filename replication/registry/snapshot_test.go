package registry

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"interlock/protocol/directory"
	"interlock/protocol/wire"
)

// draw makes one command of every kind, right and wrong ones, for the state s.
func (n *network) draw(t *rapid.T, s *State) *wire.Command {
	agency := rapid.IntRange(0, 3).Draw(t, "agency")
	key, operator := seeded("agency", agency), rapid.IntRange(0, len(n.operators)-1).Draw(t, "operator")
	c := &wire.Command{}
	switch kind := rapid.SampledFrom([]string{"apply", "approve", "approve", "approve", "refuse", "suspend", "endorse", "endorse", "nothing"}).Draw(t, "kind"); kind {
	case "apply":
		id := rapid.SampledFrom([]string{"denver-pd", "boulder-pd", fmt.Sprintf("agency-%d", agency)}).Draw(t, "id")
		contact := rapid.SampledFrom([]string{"desk", "another desk", "two\nlines"}).Draw(t, "contact")
		c = applies(n.application(key, id, contact, rapid.Uint64Range(1, 5).Draw(t, "time")))
	case "approve":
		c = decides(n.decision(s, operator, Approve, key, ""))
	case "refuse":
		c = decides(n.decision(s, operator, Refuse, key, "reason"))
	case "suspend":
		c = decides(n.decision(s, operator, Suspend, key, rapid.SampledFrom([]string{"reason", ""}).Draw(t, "reason")))
	case "endorse":
		c = endorses(n.endorsement(s, rapid.IntRange(0, len(n.servers)-1).Draw(t, "server")))
	}
	c.Time = rapid.Uint64().Draw(t, "clock")
	return c
}

// checkInvariants are what holds in every state.
func checkInvariants(t *rapid.T, s *State) {
	for _, m := range s.agencies {
		operators := make(map[string]bool)
		for _, d := range m.record.Approvals {
			operators[string(d.Operator)] = true
			if string(d.Application) != string(m.hash[:]) {
				t.Fatalf("%s was admitted on the approval of something else", m.agency.ID)
			}
		}
		if len(operators) != Approvals {
			t.Fatalf("%s was admitted by %d operators", m.agency.ID, len(operators))
		}
	}
	if s.published == nil {
		return
	}
	d, err := s.Trusted().Verify(s.published)
	if err != nil {
		t.Fatalf("published directory: %v", err)
	}
	if d.Version > s.version {
		t.Fatalf("published version %d, current %d", d.Version, s.version)
	}
}

func TestOneLogMakesOneState(t *testing.T) {
	n := newNetwork(t, 3, 3)
	rapid.Check(t, func(t *rapid.T) {
		first, second := n.log(&fatal{TB: nil, t: t}), n.log(&fatal{TB: nil, t: t})
		taken := []*wire.Command{}
		for i := range rapid.IntRange(1, 60).Draw(t, "commands") {
			c := n.draw(t, first.State)
			if len(taken) > 0 && rapid.IntRange(0, 4).Draw(t, "replay") == 0 {
				c = rapid.SampledFrom(taken).Draw(t, "replayed")
			}
			taken = append(taken, c)
			index, before := uint64(i+1), first.snapshot()
			changes, checked := first.Check(c)
			got, want := second.Apply(index, c), first.Apply(index, c)
			if refusal(got) != refusal(want) || refusal(checked) != refusal(want) {
				t.Fatalf("command %d: got %v on one server, %v on another, %v when checked", index, want, got, checked)
			}
			after := first.snapshot()
			if changed := string(before) != string(after); changed != changes || changed && want != nil {
				t.Fatalf("command %d: changed %v, foretold %v, error %v", index, changed, changes, want)
			}
			if string(second.snapshot()) != string(after) {
				t.Fatalf("command %d: two servers, two states", index)
			}
			checkInvariants(t, first.State)
			if rapid.IntRange(0, 9).Draw(t, "restart") == 0 {
				restored, err := Restore(after)
				if err != nil {
					t.Fatalf("restore after command %d: %v", index, err)
				}
				second.State = restored
			}
		}
	})
}

// refusal is the refusal in err, 0 where there is no error.
func refusal(err error) Refusal {
	if r, ok := RefusalOf(err); ok || err == nil {
		return r
	}
	return ^Refusal(0)
}

// fatal is rapid's test as the helpers want one.
type fatal struct {
	testing.TB
	t *rapid.T
}

func (f *fatal) Helper()                           { f.t.Helper() }
func (f *fatal) Fatal(args ...any)                 { f.t.Fatal(args...) }
func (f *fatal) Fatalf(format string, args ...any) { f.t.Fatalf(format, args...) }

// rich is a state with something in every field.
func rich(t testing.TB, n *network) *log {
	l := n.log(t)
	agencies := []ed25519.PrivateKey{seeded("agency", 0), seeded("agency", 1), seeded("agency", 2), seeded("agency", 3)}
	l.admit(n, agencies[0], "denver-pd", 1)
	l.admit(n, agencies[1], "boulder-pd", 1)
	l.takes(decides(n.decision(l.State, 0, Suspend, agencies[1], "left")))
	l.invite(n, agencies[2], agencies[3])
	l.takes(applies(n.application(agencies[2], "aurora-pd", "", 1)))
	l.takes(decides(n.decision(l.State, 1, Approve, agencies[2], "")))
	l.takes(applies(n.application(agencies[3], "nobody", "", 1)))
	l.takes(decides(n.decision(l.State, 1, Refuse, agencies[3], "not an agency")))
	l.publish(n, 1, 2)
	return l
}

func TestASnapshotIsTheState(t *testing.T) {
	n := newNetwork(t, 3, 2)
	l := rich(t, n)
	before := l.snapshot()
	restored, err := Restore(before)
	if err != nil {
		t.Fatal(err)
	}
	l.State = restored
	if string(l.snapshot()) != string(before) {
		t.Fatal("restored state has another snapshot")
	}
	l.wantPublished(l.Version(), 2)
	l.wantStatus(seeded("agency", 0), directory.Active)
	l.wantStatus(seeded("agency", 1), directory.Suspended)
	l.wantStatus(seeded("agency", 2), directory.Pending)
	l.wantStatus(seeded("agency", 3), directory.Refused)
	l.takes(decides(n.decision(l.State, 0, Approve, seeded("agency", 2), "")))
	l.wantStatus(seeded("agency", 2), directory.Active)
}

func TestASnapshotCarriesItsOwnProof(t *testing.T) {
	n := newNetwork(t, 3, 2)
	b := rich(t, n).snapshot()
	rows := []struct {
		name   string
		change func(m *wire.RegistryState)
	}{
		{"no genesis", func(m *wire.RegistryState) { m.Genesis = nil }},
		{"other operators", func(m *wire.RegistryState) { m.Genesis.Operators[0].Name = "mallory" }},
		{"version 0", func(m *wire.RegistryState) { m.Version = 0 }},
		{"an earlier version", func(m *wire.RegistryState) { m.Version-- }},
		{"a later version", func(m *wire.RegistryState) { m.Version++ }},
		{"an agency out of order", func(m *wire.RegistryState) { m.Agencies[0], m.Agencies[1] = m.Agencies[1], m.Agencies[0] }},
		{"an agency twice", func(m *wire.RegistryState) { m.Agencies = append(m.Agencies, m.Agencies[1]) }},
		{"an agency without its application", func(m *wire.RegistryState) { m.Agencies[0].Application = nil }},
		{"an agency changed", func(m *wire.RegistryState) { m.Agencies[0].Application.Name = "changed" }},
		{"an agency of another hash", func(m *wire.RegistryState) { m.Agencies[0].Hash[0] ^= 1 }},
		{"an agency of another number", func(m *wire.RegistryState) { m.Agencies[0].Number++ }},
		{"an agency with one approval", func(m *wire.RegistryState) { m.Agencies[0].Approvals = m.Agencies[0].Approvals[:1] }},
		{"an agency approved twice by one", func(m *wire.RegistryState) { m.Agencies[0].Approvals[1] = m.Agencies[0].Approvals[0] }},
		{"an agency reinstated", func(m *wire.RegistryState) { m.Agencies[0].Status, m.Agencies[0].Suspension = 2, nil }},
		{"an agency suspended by nobody", func(m *wire.RegistryState) { m.Agencies[1].Status = 3 }},
		{"an agency suspended by an approval", func(m *wire.RegistryState) { m.Agencies[0].Suspension = m.Agencies[0].Approvals[0] }},
		{"an agency of no status", func(m *wire.RegistryState) { m.Agencies[1].Status = 7 }},
		{"a pending application changed", func(m *wire.RegistryState) { m.Pending[0].Application.Contact = "changed" }},
		{"a pending application of another hash", func(m *wire.RegistryState) { m.Pending[0].Hash[0] ^= 1 }},
		{"a pending application of another number", func(m *wire.RegistryState) { m.Pending[0].Number-- }},
		{"a pending application twice", func(m *wire.RegistryState) { m.Pending = append(m.Pending, m.Pending[0]) }},
		{"an approval forged", func(m *wire.RegistryState) { m.Pending[0].Approvals[0].Signature[3] ^= 1 }},
		{"a refusal without its decision", func(m *wire.RegistryState) { m.Refused[0].Decision = nil }},
		{"a refusal twice", func(m *wire.RegistryState) { m.Refused = append(m.Refused, m.Refused[0]) }},
		{"a refusal that is an approval", func(m *wire.RegistryState) { m.Refused[0].Decision = m.Pending[0].Approvals[0] }},
		{"a refusal of nobody", func(m *wire.RegistryState) { m.Refused[0].Key = nil }},
		{"an endorsement forged", func(m *wire.RegistryState) { m.Endorsements[0].Signature[3] ^= 1 }},
		{"an endorsement too few", func(m *wire.RegistryState) { m.Endorsements = m.Endorsements[:1] }},
		{"endorsements out of order", func(m *wire.RegistryState) {
			m.Endorsements[0], m.Endorsements[1] = m.Endorsements[1], m.Endorsements[0]
		}},
		{"nothing published", func(m *wire.RegistryState) { m.Published = nil }},
		{"published with one endorsement", func(m *wire.RegistryState) { m.Published.Endorsements = m.Published.Endorsements[:1] }},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			var m wire.RegistryState
			if err := wire.Unmarshal(b, &m); err != nil {
				t.Fatal(err)
			}
			row.change(&m)
			changed, err := wire.Marshal(&m)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := Restore(changed); !errors.Is(err, ErrSnapshot) {
				t.Fatalf("got %v, want %v", err, ErrSnapshot)
			}
		})
	}
}

func TestASnapshotOfTheBeginningRestores(t *testing.T) {
	l := newNetwork(t, 1, 2).log(t)
	restored, err := Restore(l.snapshot())
	if err != nil {
		t.Fatal(err)
	}
	want, got := l.Directory(), restored.Directory()
	if diff := cmp.Diff(want.Version, got.Version); diff != "" {
		t.Fatal(diff)
	}
}

func FuzzRestore(f *testing.F) {
	n := newNetwork(f, 3, 2)
	f.Add(rich(f, n).snapshot())
	f.Add(n.log(f).snapshot())
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := Restore(b)
		if err != nil {
			return
		}
		again, err := s.Snapshot()
		if err != nil {
			t.Fatal(err)
		}
		if string(again) != string(b) {
			t.Fatal("two snapshots of one state")
		}
	})
}
