package centre

import (
	"context"
	"errors"
	"path/filepath"
	"testing"

	"google.golang.org/protobuf/proto"

	"interlock/crypto/vault"
	"interlock/protocol/directory"
	"interlock/protocol/link"
	"interlock/protocol/wire"
	"interlock/replication/registry"
)

// joined is a new operator with some roles, whom alice and bob have taken in.
func (n *centreNet) joined(name string, roles registry.Role) *Operator {
	n.t.Helper()
	dir := n.t.TempDir()
	lock, err := vault.NewKeyFile(filepath.Join(dir, name+operatorKey))
	if err != nil {
		n.t.Fatal(err)
	}
	card, err := NewOperator(dir, name, roles, lock)
	if err != nil {
		n.t.Fatal(err)
	}
	m, err := card.Message()
	if err != nil {
		n.t.Fatal(err)
	}
	n.moved(&wire.Motion{Of: &wire.Motion_Operator{Operator: &wire.OperatorChange{Operator: m}}})
	o, err := LoadOperator(filepath.Join(n.dir, networkFile), filepath.Join(dir, name+operatorExt), "", nil)
	if err != nil {
		n.t.Fatal(err)
	}
	n.operators[name] = o
	n.t.Cleanup(func() {
		if err := o.Close(); err != nil {
			n.t.Error(err)
		}
	})
	return o
}

func wantDeclined(t *testing.T, what string, err error, want registry.Refusal) {
	t.Helper()
	if declined := Declined(""); !errors.As(err, &declined) || declined.Error() != want.Error() {
		t.Fatalf("%s: got %v, want %v", what, err, want)
	}
}

func TestAnOperatorDoesWhatItsRolesAllow(t *testing.T) {
	t.Parallel()
	n := found(t, 3)
	denver := n.enrolled("denver-pd")
	auditor, clerk := n.joined("dora", registry.Audit), n.joined("emil", registry.Admission)
	policy := &wire.Motion{Of: &wire.Motion_Policy{Policy: directory.Policy{Daily: 77, SuspendForks: true}.Message()}}
	_, err := auditor.Move(n.ctx(), policy, "a test")
	wantDeclined(t, "an auditor's motion", err, registry.ErrRole)
	wantDeclined(t, "an auditor's suspension", auditor.Decide(n.ctx(), Suspend, "denver-pd", "a test"), registry.ErrRole)
	_, err = auditor.Invite(n.ctx(), "somebody", 7)
	wantDeclined(t, "an auditor's invitation", err, registry.ErrRole)
	if entries, err := auditor.Record(n.ctx(), 0, 10); err != nil || len(entries) == 0 {
		t.Fatalf("an auditor reads the record: got %d entries, %v", len(entries), err)
	}
	_, err = clerk.Move(n.ctx(), policy, "a test")
	wantDeclined(t, "a clerk's motion upon policy", err, registry.ErrRole)
	status := n.put(policy)
	_, err = clerk.DecideMotion(n.ctx(), Approve, status.Motions[0], "")
	wantDeclined(t, "a clerk's approval of it", err, registry.ErrRole)
	if err := clerk.Decide(n.ctx(), Suspend, "denver-pd", "a test"); err != nil {
		t.Fatalf("a clerk's suspension: %v", err)
	}
	if err := clerk.Confirm(n.ctx(), denver.id, directory.Suspended); err != nil {
		t.Fatal(err)
	}
}

func TestAMotionTakesASecondOperator(t *testing.T) {
	t.Parallel()
	n := found(t, 3)
	policy := &wire.Motion{Of: &wire.Motion_Policy{Policy: directory.Policy{Daily: 77}.Message()}}
	status := n.put(policy)
	if len(status.Motions) != 1 || status.Motions[0].By != "alice" || !proto.Equal(status.Motions[0].What, policy) {
		t.Fatalf("got %+v", status.Motions)
	}
	alice, bob := n.operator("alice"), n.operator("bob")
	_, err := alice.DecideMotion(n.ctx(), Approve, status.Motions[0], "")
	wantDeclined(t, "whoever put it", err, registry.ErrSameOperator)
	other := status.Motions[0]
	other.Hash[0] ^= 1
	_, err = bob.DecideMotion(n.ctx(), Approve, other, "")
	wantDeclined(t, "another motion under its number", err, registry.ErrWrongHash)
	if _, err := bob.DecideMotion(n.ctx(), Refuse, status.Motions[0], "too few"); err != nil {
		t.Fatal(err)
	}
	_, err = bob.DecideMotion(n.ctx(), Approve, status.Motions[0], "")
	wantDeclined(t, "one that was refused", err, registry.ErrStale)
	n.moved(policy)
	d, err := bob.Await(n.ctx(), func(d *directory.Directory) bool { return d.Policy.Daily == 77 })
	if err != nil || d.Policy.SuspendForks {
		t.Fatalf("policy: got %v", err)
	}
}

func TestAFormerOperatorIsTurnedAway(t *testing.T) {
	t.Parallel()
	n := found(t, 3)
	dora := n.joined("dora", registry.AllRoles)
	if _, err := dora.Status(n.ctx()); err != nil {
		t.Fatal(err)
	}
	key := dora.Key()
	n.moved(&wire.Motion{Of: &wire.Motion_Operator{Operator: &wire.OperatorChange{Operator: &wire.Operator{Name: "dora", Key: key[:]}, Remove: true}}})
	n.eventually("dora to be turned away", func() bool {
		_, err := dora.Status(n.ctx())
		return err != nil
	})
}

// An operator goes on to the next server where one shows what does not hold together.
func TestALyingServersStatusIsRefused(t *testing.T) {
	t.Parallel()
	n := found(t, 3)
	n.put(&wire.Motion{Of: &wire.Motion_Policy{Policy: directory.Policy{Daily: 77}.Message()}})
	liar := n.servers[0]
	rows := []struct {
		name string
		lie  func(m *wire.RegistryStatus)
	}{
		{"a motion under another's hash", func(m *wire.RegistryStatus) {
			m.Motions[0].Decision.Motion = &wire.Motion{Of: &wire.Motion_Policy{Policy: directory.Policy{Daily: 1}.Message()}}
		}},
		{"a motion of nothing", func(m *wire.RegistryStatus) { m.Motions[0].Decision = nil }},
		{"another network", func(m *wire.RegistryStatus) { m.Genesis[0] ^= 1 }},
		{"an operator without a key", func(m *wire.RegistryStatus) { m.Operators[0].Key = nil }},
	}
	for _, row := range rows {
		m := proto.Clone(liar.status(n.ctx())).(*wire.RegistryStatus)
		if _, err := readStatus(n.network, m); err != nil {
			t.Fatalf("the truth: %v", err)
		}
		row.lie(m)
		if _, err := readStatus(n.network, m); !errors.Is(err, ErrStatus) {
			t.Fatalf("%s: got %v, want %v", row.name, err, ErrStatus)
		}
	}
	liar.host.Handle(wire.ProtocolOperate, func(_ context.Context, st *link.Stream) error {
		if err := st.Receive(&wire.OperateRequest{}); err != nil {
			return err
		}
		return st.Send(&wire.OperateResponse{Status: &wire.RegistryStatus{}})
	})
	status, err := n.operator("bob").Status(n.ctx())
	if err != nil || status.Asked == "Server 1" || len(status.Motions) != 1 {
		t.Fatalf("with a liar first: got %+v, %v", status, err)
	}
}
