package registry

import (
	"crypto/ed25519"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"interlock/protocol/directory"
	"interlock/protocol/wire"
)

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
	l := n.founded(t, 10)
	agencies := []ed25519.PrivateKey{seeded("agency", 0), seeded("agency", 1), seeded("agency", 2), seeded("agency", 3), seeded("agency", 4)}
	l.admit(n, agencies[0], "denver-pd", 1)
	l.admit(n, agencies[1], "boulder-pd", 1)
	l.admit(n, agencies[4], "golden-pd", 1)
	l.takes(decides(n.decision(l.State, 0, Suspend, agencies[1], "left")))
	l.takes(proves(fork(t, "golden-pd", agencies[4])))
	l.admit(n, seeded("agency", 5), "removed-pd", 1)
	l.carries(n, changesAgency("removed-pd", RemoveAgency))
	l.carries(n, changesOperator(n.newOperator(Audit), false))
	l.carries(n, changesOperator(&wire.Operator{Key: n.genesis.Operators[2].Key}, true))
	l.carries(n, newEpoch(0))
	l.performs(3)
	l.publish(n, 1, 2)
	l.carries(n, changesServer(&wire.ServerChange{Server: n.newServer(), Replaces: 3}))
	l.publish(n, 1, 2, 3)
	l.says(l.next())
	l.takes(ticks(signed(n, &wire.Tick{Server: 2, Day: 11})))
	l.takes(leases(signed(n, &wire.Lease{Server: 1, Agency: "denver-pd", Day: 10, Number: 1, Amount: 9})))
	l.takes(leases(signed(n, &wire.Lease{Server: 2, Agency: "denver-pd", Day: 10, Number: 1, Amount: 9})))
	l.invite(n, agencies[2], agencies[3], seeded("agency", 6))
	l.takes(applies(n.application(agencies[2], "aurora-pd", "", 1)))
	l.takes(decides(n.decision(l.State, 1, Approve, agencies[2], "")))
	l.takes(applies(n.application(agencies[3], "nobody", "", 1)))
	l.takes(decides(n.decision(l.State, 1, Refuse, agencies[3], "not an agency")))
	l.takes(decides(n.motion(l.State, 0, policies(7))))
	l.publish(n, 1, 2)
	return l
}

func TestASnapshotIsTheState(t *testing.T) {
	n := newNetwork(t, 3, 3)
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
	n := newNetwork(t, 3, 3)
	b := rich(t, n).snapshot()
	rows := []struct {
		name   string
		change func(m *wire.RegistryState)
	}{
		{"no genesis", func(m *wire.RegistryState) { m.Genesis = nil }},
		{"another genesis", func(m *wire.RegistryState) { m.Genesis.Operators[0].Name = "mallory" }},
		{"version 0", func(m *wire.RegistryState) { m.Version = 0 }},
		{"an earlier version", func(m *wire.RegistryState) { m.Version-- }},
		{"a later version", func(m *wire.RegistryState) { m.Version++ }},
		{"an agency out of order", func(m *wire.RegistryState) { m.Agencies[0], m.Agencies[1] = m.Agencies[1], m.Agencies[0] }},
		{"an agency twice", func(m *wire.RegistryState) { m.Agencies = append(m.Agencies, m.Agencies[2]) }},
		{"an agency without its application", func(m *wire.RegistryState) { m.Agencies[0].Application = nil }},
		{"an agency changed", func(m *wire.RegistryState) { m.Agencies[0].Application.Name = "changed" }},
		{"an agency of another hash", func(m *wire.RegistryState) { m.Agencies[0].Hash[0] ^= 1 }},
		{"an agency of another number", func(m *wire.RegistryState) { m.Agencies[0].Number++ }},
		{"an agency with one approval", func(m *wire.RegistryState) { m.Agencies[0].Approvals = m.Agencies[0].Approvals[:1] }},
		{"an agency approved twice by one", func(m *wire.RegistryState) { m.Agencies[0].Approvals[1] = m.Agencies[0].Approvals[0] }},
		{"an agency reinstated", func(m *wire.RegistryState) { m.Agencies[0].Status, m.Agencies[0].Suspension = 2, nil }},
		{"an agency reinstated without a motion", func(m *wire.RegistryState) { m.Agencies[0].Reinstated = 999 }},
		{"evidence that proves nothing", func(m *wire.RegistryState) { m.Agencies[2].Evidence.Second = m.Agencies[2].Evidence.First }},
		{"evidence and a decision", func(m *wire.RegistryState) { m.Agencies[2].Suspension = m.Agencies[0].Suspension }},
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
		{"no servers", func(m *wire.RegistryState) { m.Servers = nil }},
		{"another server", func(m *wire.RegistryState) { m.Servers[2].Name = "mallory" }},
		{"a number that was given", func(m *wire.RegistryState) { m.NextServer = m.Servers[2].Index }},
		{"a number too large", func(m *wire.RegistryState) { m.NextServer = 65536 }},
		{"an operator twice", func(m *wire.RegistryState) { m.Operators = append(m.Operators, m.Operators[0]) }},
		{"an operator who is a server", func(m *wire.RegistryState) { m.Operators[0].Key = m.Servers[0].Key }},
		{"one operator for admission", func(m *wire.RegistryState) { m.Operators[1].Roles = uint32(Audit) }},
		{"an unknown operator's approval", func(m *wire.RegistryState) { m.Operators[1].Key[0] ^= 1 }},
		{"another key", func(m *wire.RegistryState) { m.Epochs[1].Federation[0] ^= 1 }},
		{"two keys in force", func(m *wire.RegistryState) { m.Epochs[0].Retiring = false }},
		{"no key", func(m *wire.RegistryState) { m.Epochs = nil }},
		{"another policy", func(m *wire.RegistryState) { m.Policy.Daily++ }},
		{"no policy", func(m *wire.RegistryState) { m.Policy = nil }},
		{"a motion changed", func(m *wire.RegistryState) { m.Motions[0].Decision.Motion = policies(8) }},
		{"a motion of another hash", func(m *wire.RegistryState) { m.Motions[0].Hash[0] ^= 1 }},
		{"a motion twice", func(m *wire.RegistryState) { m.Motions = append(m.Motions, m.Motions[0]) }},
		{"a motion that is none", func(m *wire.RegistryState) { m.Motions[0].Decision = m.Pending[0].Approvals[0] }},
		{"a motion of nobody", func(m *wire.RegistryState) { m.Motions[0].Decision = nil }},
		{"an invitation of nobody", func(m *wire.RegistryState) { m.Invitations[0].Invitation = nil }},
		{"removed agencies out of order", func(m *wire.RegistryState) { m.Removed = append(m.Removed, m.Removed[0]) }},
		{"days out of order", func(m *wire.RegistryState) { m.Days[0], m.Days[1] = m.Days[1], m.Days[0] }},
		{"the day of server 0", func(m *wire.RegistryState) { m.Days[0].Server = 0 }},
		{"accounts twice", func(m *wire.RegistryState) { m.Accounts = append(m.Accounts, m.Accounts[0]) }},
		{"grants out of order", func(m *wire.RegistryState) {
			g := m.Accounts[0].Grants
			g[0], g[1] = g[1], g[0]
		}},
		{"a grant of server 65537", func(m *wire.RegistryState) { m.Accounts[0].Grants[1].Server = 65537 }},
		{"a ceremony of another kind", func(m *wire.RegistryState) { m.Ceremony.Kind = 3 }},
		{"a ceremony of nobody", func(m *wire.RegistryState) { m.Ceremony.Receivers = nil }},
		{"a message of the ceremony forged", func(m *wire.RegistryState) { m.Ceremony.Messages[0].Signature[3] ^= 1 }},
		{"a message of the ceremony twice", func(m *wire.RegistryState) {
			m.Ceremony.Messages = append(m.Ceremony.Messages, m.Ceremony.Messages[0])
		}},
		{"an entry of the record changed", func(m *wire.RegistryState) { m.Record[3][9] ^= 1 }},
		{"an entry of the record too few", func(m *wire.RegistryState) { m.Record = m.Record[1:] }},
		{"a handover of one", func(m *wire.RegistryState) { m.Handovers[0].Endorsements = m.Handovers[0].Endorsements[:1] }},
		{"a handover changed", func(m *wire.RegistryState) { m.Handovers[0].Directory[40] ^= 1 }},
		{"a handover left out", func(m *wire.RegistryState) { m.Handovers = nil }},
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
	n := newNetwork(f, 3, 3)
	f.Add(rich(f, n).snapshot())
	founding := n.log(f)
	f.Add(founding.snapshot())
	for range 7 {
		founding.says(founding.next())
	}
	f.Add(founding.snapshot())
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
