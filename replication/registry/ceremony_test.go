package registry

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"interlock/crypto/dkg"
	"interlock/crypto/oprf"
	"interlock/protocol/directory"
	"interlock/protocol/wire"
)

// noticed are the texts of the notices of a kind.
func (l *log) texts(kind uint32) (texts []string) {
	for _, n := range l.Status().Notices {
		if n.Kind == kind {
			texts = append(texts, n.Text)
		}
	}
	return texts
}

// wantKey checks the key in force.
func (l *log) wantKey(epoch, generation uint32, servers ...oprf.Index) directory.KeyEpoch {
	l.t.Helper()
	k, ok := l.Directory().Current()
	if !ok || uint32(k.Epoch) != epoch || k.Generation != generation {
		l.t.Fatalf("key: got %v, epoch %d, generation %d; want epoch %d, generation %d", ok, k.Epoch, k.Generation, epoch, generation)
	}
	var holders []oprf.Index
	for _, s := range k.Keys.Shares {
		holders = append(holders, s.Index)
	}
	if diff := cmp.Diff(servers, holders); diff != "" {
		l.t.Fatalf("holders (-want +got): %s", diff)
	}
	return k
}

func TestFoundingMakesTheFirstKey(t *testing.T) {
	n := newNetwork(t, 3, 2)
	l := n.log(t)
	if _, ok := l.Directory().Current(); ok || len(l.Epochs()) != 0 {
		t.Fatal("there is a key before anybody made one")
	}
	if got := l.Status().Ceremony; got.GetPhase() != "joining" || len(got.Expected) != 3 {
		t.Fatalf("status: got %v", got)
	}
	l.performs()
	k := l.wantKey(1, 1, 1, 2, 3)
	if k.Keys.Threshold != 2 || k.Keys.Validate() != nil {
		t.Fatalf("key: got threshold %d, %v", k.Keys.Threshold, k.Keys.Validate())
	}
	for i, held := range l.cast.holdings {
		if !slices.Contains(k.Keys.Shares, held.Share.Public()) || held.Federation.Commit() != k.Federation {
			t.Fatalf("server %d holds something else than the directory says", i)
		}
	}
	if l.Status().Ceremony != nil || len(l.Status().Notices) != 0 {
		t.Fatal("a ceremony or notices are left")
	}
	for _, s := range l.Status().ServerActivity {
		if s.Generation != 1 {
			t.Fatalf("server %d: got generation %d, want 1", s.Server, s.Generation)
		}
	}
}

func TestACeremonyIsOfItsServersAlone(t *testing.T) {
	n := newNetwork(t, 3, 2)
	l := n.log(t)
	first := l.next()
	with := func(change func(*wire.CeremonyMessage)) *wire.Command {
		m := clone(first)
		change(m)
		return speaks(signed(n, m))
	}
	forged := clone(first)
	forged.Signature[3] ^= 1
	l.refuses(speaks(forged), ErrBadSignature)
	l.refuses(speaks(nil), ErrUnknownServer) // number 0 is that of the first ceremony
	l.refuses(with(func(m *wire.CeremonyMessage) { m.Ceremony = 9 }), ErrStale)
	l.refuses(with(func(m *wire.CeremonyMessage) { m.Server = 2 }), ErrBadSignature)
	l.refuses(with(func(m *wire.CeremonyMessage) { m.Server = 4 }), ErrUnknownServer)
	l.refuses(with(func(m *wire.CeremonyMessage) { m.Message = m.Message[1:] }), ErrMalformed)
	l.refuses(with(func(m *wire.CeremonyMessage) { m.Message = nil }), ErrMalformed)
	l.refuses(with(func(m *wire.CeremonyMessage) { m.Close = 1 }), ErrMalformed)
	now, _ := l.Ceremony()
	closing, err := now.Transcript.Closing().MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	l.refuses(with(func(m *wire.CeremonyMessage) { m.Message = closing }), ErrBadSignature)
	l.says(first)
	l.repeats(speaks(first))
	l.says(l.next())
	l.says(l.next())
	l.refuses(with(func(m *wire.CeremonyMessage) { m.Message, m.Close = nil, uint32(dkg.Joining) }), ErrStale)
}

func TestClosingAPhaseTakesAMajority(t *testing.T) {
	n := newNetwork(t, 3, 2)
	l := n.log(t)
	for range 2 {
		l.says(l.next(3))
	}
	now, _ := l.Ceremony()
	first := l.cast.closes(now, 3) // even by the one who is silent
	l.says(first)
	l.repeats(speaks(first))
	now, _ = l.Ceremony()
	if !now.Closed(3) || now.Closed(1) || now.Transcript.Phase() != dkg.Joining {
		t.Fatalf("one of three closed the phase: %s", now.Transcript.Phase())
	}
	l.restart()
	l.says(l.cast.closes(now, 1))
	now, _ = l.Ceremony()
	if now.Transcript.Phase() != dkg.Dealing {
		t.Fatalf("phase: got %s, want dealing", now.Transcript.Phase())
	}
	l.performs()
	l.wantKey(1, 1, 1, 2)
	if got := l.texts(ServerDisqualified); len(got) != 1 || !strings.Contains(got[0], "server 3") || !strings.Contains(got[0], "silent") {
		t.Fatalf("notices: got %q", got)
	}
}

func TestADishonestDealerIsNamed(t *testing.T) {
	n := newNetwork(t, 3, 2)
	l := n.log(t)
	l.cast.twist = func(m dkg.Message) dkg.Message {
		if d, ok := m.Body.(dkg.Deal); ok && m.From == 2 {
			d.Sealed = slices.Clone(d.Sealed)
			for i := range d.Sealed {
				d.Sealed[i] = []byte("nothing that opens")
			}
			m.Body = d
		}
		return m
	}
	l.performs()
	l.wantKey(1, 1, 1, 2, 3)
	if got := l.texts(ServerDisqualified); len(got) != 1 || !strings.Contains(got[0], "server 2 Server 2") || !strings.Contains(got[0], "many complaints") {
		t.Fatalf("notices: got %q", got)
	}
	if got := l.entry(-2).GetNotice(); got.GetServer() != 2 {
		t.Fatalf("record: got %v", got)
	}
}

func TestACeremonyThatFailsBeginsAgain(t *testing.T) {
	n := newNetwork(t, 3, 2)
	l := n.log(t)
	l.says(l.next())
	now, _ := l.Ceremony()
	l.says(l.cast.closes(now, 1))
	l.says(l.cast.closes(now, 2))
	again, ok := l.Ceremony()
	if !ok || again.Number != l.index || again.Transcript.Phase() != dkg.Joining || len(again.Transcript.Joined()) != 0 {
		t.Fatal("the ceremony did not begin again")
	}
	if got := l.texts(CeremonyFailed); len(got) != 1 {
		t.Fatalf("notices: got %q", got)
	}
	l.restart()
	l.performs()
	l.wantKey(1, 1, 1, 2, 3)

	// A reshare that fails leaves the key as it is.
	l.carries(n, reshares(3))
	now, _ = l.Ceremony()
	l.says(l.cast.closes(now, 1))
	l.says(l.cast.closes(now, 2))
	l.wantKey(1, 1, 1, 2, 3)
	l.performs()
	if k := l.wantKey(1, 2, 1, 2, 3); k.Keys.Threshold != 3 {
		t.Fatalf("threshold: got %d, want 3", k.Keys.Threshold)
	}
}

func TestSharesMoveWithTheServers(t *testing.T) {
	n := newNetwork(t, 3, 2)
	l := n.founded(t, 1)
	first := l.wantKey(1, 1, 1, 2, 3)
	l.publish(n, 1, 2)
	steps := []struct {
		name   string
		change func() *wire.ServerChange
		want   []oprf.Index
		sign   []int
	}{
		{"added", func() *wire.ServerChange { return &wire.ServerChange{Server: n.newServer(), Threshold: 3} }, []oprf.Index{1, 2, 3, 4}, []int{1, 2, 3}},
		{"replaced", func() *wire.ServerChange { return &wire.ServerChange{Server: n.newServer(), Replaces: 2} }, []oprf.Index{1, 3, 4, 5}, []int{1, 3, 4}},
		{"removed", func() *wire.ServerChange {
			return &wire.ServerChange{Server: &wire.Server{Index: 1}, Remove: true, Threshold: 2}
		}, []oprf.Index{3, 4, 5}, []int{3, 4, 5}},
	}
	for i, step := range steps {
		t.Run(step.name, func(t *testing.T) {
			l.t = t
			l.carries(n, changesServer(step.change()))
			if _, ok := l.Ceremony(); !ok {
				t.Fatal("the change began no ceremony")
			}
			l.publish(n, step.sign...)
			l.performs()
			l.publish(n, step.sign...)
			k := l.wantKey(1, uint32(i+2), step.want...)
			if k.Keys.Public != first.Keys.Public || k.Federation != first.Federation {
				t.Fatal("the key or the federation secret changed")
			}
		})
	}
}

func TestMessagesOfBeforeAChangeOfServersAreRefused(t *testing.T) {
	n := newNetwork(t, 3, 2)
	l := n.log(t)
	l.says(l.next())
	old := l.next()
	l.carries(n, changesServer(&wire.ServerChange{Server: n.newServer(), Replaces: 3}))
	l.refuses(speaks(old), ErrStale)
	now, _ := l.Ceremony()
	if len(now.Plan.Receivers) != 3 || now.Plan.Receivers[2] != 4 || len(now.Transcript.Joined()) != 0 {
		t.Fatalf("the ceremony did not begin again: receivers %v", now.Plan.Receivers)
	}
	l.refuses(speaks(l.cast.closes(now, 3)), ErrUnknownServer)
	l.performs()
	l.wantKey(1, 1, 1, 2, 4)

	// In a reshare too, and what was half made is of no use.
	l.publish(n, 1, 2)
	l.carries(n, reshares(2))
	l.says(l.next())
	old = l.next()
	l.carries(n, changesServer(&wire.ServerChange{Server: n.newServer()}))
	l.refuses(speaks(old), ErrStale)
	l.performs()
	l.wantKey(1, 2, 1, 2, 4, 5)
}

func TestANewEpochRetiresTheOldOne(t *testing.T) {
	n := newNetwork(t, 3, 2)
	l := n.log(t)
	l.cannot(n, newEpoch(0), ErrCeremony)
	l.performs()
	first := l.wantKey(1, 1, 1, 2, 3)
	l.cannot(n, newEpoch(4), ErrTooFew)
	l.cannot(n, retires(1), ErrUnknownEpoch)
	l.carries(n, newEpoch(3))
	l.cannot(n, newEpoch(0), ErrCeremony)
	l.performs()
	second := l.wantKey(2, 1, 1, 2, 3)
	if second.Keys.Public == first.Keys.Public || second.Keys.Threshold != 3 {
		t.Fatal("the new epoch has the old key or another threshold")
	}
	epochs := l.Directory().Epochs
	if len(epochs) != 2 || !epochs[0].Retiring || epochs[0].Keys.Public != first.Keys.Public {
		t.Fatalf("epochs: got %v", epochs)
	}
	l.cannot(n, newEpoch(0), ErrUnknownEpoch) // two match already
	l.cannot(n, retires(2), ErrUnknownEpoch)
	l.restart()
	l.carries(n, reshares(2))
	l.carries(n, retires(1)) // while the shares are made anew
	l.performs()
	l.wantKey(2, 2, 1, 2, 3)
	if got := len(l.Directory().Epochs); got != 1 {
		t.Fatalf("epochs: got %d, want 1", got)
	}
}

func TestPolicyRefreshesTheShares(t *testing.T) {
	n := newNetwork(t, 3, 2)
	l := n.founded(t, 10)
	first := l.wantKey(1, 1, 1, 2, 3)
	p := directory.FirstPolicy()
	p.Refresh = 3
	l.carries(n, &wire.Motion{Of: &wire.Motion_Policy{Policy: p.Message()}})
	l.dawns(n, 12)
	if _, ok := l.Ceremony(); ok {
		t.Fatal("refreshed too early")
	}
	l.restart()
	l.dawns(n, 13)
	l.performs()
	if k := l.wantKey(1, 2, 1, 2, 3); k.Keys.Public != first.Keys.Public {
		t.Fatal("a refresh changed the key")
	}
	l.dawns(n, 15)
	if _, ok := l.Ceremony(); ok {
		t.Fatal("refreshed again too early")
	}
	l.dawns(n, 16)
	l.performs()
	l.wantKey(1, 3, 1, 2, 3)
}

// A server that restarts in any place goes on to the same outcome.
func TestARestartInAnyStepOfACeremony(t *testing.T) {
	n := newNetwork(t, 3, 2)
	other := &log{State: n.state(t), t: t}
	l := n.log(t)
	silent := func(step int) []oprf.Index { // somebody is late in every other phase
		if step%2 == 0 {
			return nil
		}
		return []oprf.Index{3}
	}
	perform := func() {
		for step := 0; l.ceremony != nil; step++ {
			m := l.next(silent(step)...)
			l.says(m)
			other.takes(speaks(m))
			l.restart()
			if l.ceremony != nil && m.Close == 0 {
				l.repeats(speaks(m))
				l.index--
			}
			if string(l.snapshot()) != string(other.snapshot()) {
				t.Fatalf("step %d: one server restarted, another did not: two states", step)
			}
		}
	}
	perform()
	for _, m := range []*wire.Motion{reshares(2), newEpoch(2)} {
		put := n.motion(l.State, 0, m)
		for _, c := range []*log{l, other} {
			c.takes(decides(put))
			c.takes(decides(n.onMotion(c.State, 1, Approve)))
		}
		perform()
	}
	if got := fmt.Sprint(len(l.Epochs()), l.Epochs()[0].Generation); got != "2 2" {
		t.Fatalf("got %s epochs and generation", got)
	}
}

// A key can be lost when fewer than the threshold of its holders are left; that
// is refused when it is put, and when servers confirm no share.
func TestALateConfirmationIsNoShare(t *testing.T) {
	n := newNetwork(t, 3, 2)
	l := n.log(t)
	for {
		now, ok := l.Ceremony()
		if !ok {
			break
		}
		if now.Transcript.Phase() != dkg.Confirming {
			l.says(l.next())
			continue
		}
		// Nobody may close before the threshold has confirmed.
		if len(now.Transcript.Expected()) == 3 {
			l.says(l.cast.closes(now, 1))
			l.refuses(speaks(l.cast.closes(now, 2)), ErrCeremony)
			l.says(l.cast.says(t, now, 1))
			now, _ = l.Ceremony()
			l.says(l.cast.says(t, now, 2))
			continue
		}
		l.says(l.cast.closes(now, 2))
	}
	l.wantKey(1, 1, 1, 2)
	l.publish(n, 1, 2)
	// Server 3 holds nothing: neither of the others can go.
	l.cannot(n, changesServer(&wire.ServerChange{Server: n.newServer(), Replaces: 2}), ErrTooFew)
	l.carries(n, reshares(2))
	l.performs()
	l.wantKey(1, 2, 1, 2, 3)
}
