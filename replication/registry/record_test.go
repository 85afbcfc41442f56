package registry

import (
	"testing"

	"google.golang.org/protobuf/proto"

	"interlock/protocol/directory"
	"interlock/protocol/wire"
)

func sameMessage(a, b proto.Message) bool { return proto.Equal(a, b) }

// entry is one of the record, from the end where i is negative.
func (l *log) entry(i int) *wire.RecordEntry {
	l.t.Helper()
	if i < 0 {
		i += int(l.Record().Size())
	}
	b, err := l.Record().Entry(uint64(i))
	if err != nil {
		l.t.Fatal(err)
	}
	var e wire.RecordEntry
	if err := wire.Unmarshal(b, &e); err != nil {
		l.t.Fatal(err)
	}
	return &e
}

func TestEverythingOfWeightIsInTheRecord(t *testing.T) {
	n := newNetwork(t, 3, 2)
	l, denver := n.log(t), seeded("agency", 0)
	written := func(what string, c *wire.Command, fits func(*wire.RecordEntry) bool) {
		t.Helper()
		size := l.Record().Size()
		c.Time = 1234
		l.takes(c)
		for i := size; i < l.Record().Size(); i++ {
			if e := l.entry(int(i)); fits(e) && e.Index == l.index && e.Time == 1234 {
				return
			}
		}
		t.Fatalf("%s is not in the record", what)
	}
	decision := func(d *wire.Decision) func(*wire.RecordEntry) bool {
		return func(e *wire.RecordEntry) bool { return sameMessage(e.GetDecision(), d) }
	}
	decided := func(what string, d *wire.Decision) {
		t.Helper()
		written(what, decides(d), decision(d))
	}
	decided("an invitation", n.invitation(0, denver, 9))
	a := n.application(denver, "denver-pd", "", 1)
	written("an application", applies(a), func(e *wire.RecordEntry) bool { return sameMessage(e.GetApplication(), a) })
	decided("a refusal", n.decision(l.State, 0, Refuse, denver, "no"))
	l.takes(applies(n.application(denver, "denver-pd", "desk", 2)))
	decided("a first approval", n.decision(l.State, 0, Approve, denver, ""))
	decided("a second approval", n.decision(l.State, 1, Approve, denver, ""))
	decided("a motion", n.motion(l.State, 0, policies(7)))
	decided("its approval", n.onMotion(l.State, 1, Approve))
	decided("a suspension", n.decision(l.State, 0, Suspend, denver, "left"))
	l.performs()
	key, err := directory.EpochOf(l.entry(-1).GetKey())
	if err != nil || key.Keys.Public != l.Directory().Epochs[0].Keys.Public {
		t.Fatalf("the key is not in the record: %v", err)
	}
}

func TestTheDirectorySignsTheRecord(t *testing.T) {
	n := newNetwork(t, 3, 2)
	l := n.founded(t, 1)
	check := func(after int) { // entries that the next version will sign
		t.Helper()
		d, err := directory.Decode(l.encoded)
		if err != nil {
			t.Fatal(err)
		}
		head, err := l.Record().HeadAt(l.Record().Size() - uint64(after))
		if err != nil {
			t.Fatal(err)
		}
		if d.Record != directory.Head(head) || d.Version != l.Version() {
			t.Fatalf("version %d of %d signs another record than there is", d.Version, l.Version())
		}
	}
	check(0)
	l.invite(n, seeded("agency", 0))
	check(0)
	l.publish(n, 1, 2)
	l.takes(applies(n.application(seeded("agency", 0), "denver-pd", "", 1)))
	l.takes(applies(n.application(seeded("agency", 0), "denver-pd", "desk", 2)))
	check(2)
	l.restart()
	check(2)
	l.wantPublished(l.Version(), 2)
	l.takes(decides(n.decision(l.State, 0, Approve, seeded("agency", 0), "")))
	check(0)
	l.publish(n, 1, 2)
	check(0)
	l.carries(n, reshares(2))
	l.performs()
	check(0)
	l.restart()
	check(0)
}

// Whoever applies again and again keeps nobody from publishing.
func TestAnApplicationTakesNoEndorsementAway(t *testing.T) {
	n := newNetwork(t, 3, 2)
	l, denver := n.founded(t, 1), seeded("agency", 0)
	l.admit(n, denver, "denver-pd", 1)
	l.takes(decides(n.decision(l.State, 0, Suspend, denver, "key stolen")))
	version := l.Version()
	l.publish(n, 1)
	for i := range 5 {
		l.takes(applies(n.application(denver, "denver-pd", "", uint64(i+2))))
	}
	l.publish(n, 2)
	l.wantPublished(version, 2)
}
