package centre

import (
	"bytes"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"interlock/crypto/oprf"
	"interlock/crypto/vault"
	"interlock/protocol/directory"
	"interlock/protocol/wire"
	"interlock/replication/cluster"
	"interlock/replication/registry"
)

// seedBackup is the backup of the first server of a network at its founding.
func seedBackup(t testing.TB, genesis *wire.Genesis) *Backup {
	t.Helper()
	state, err := registry.New(genesis)
	if err != nil {
		t.Fatal(err)
	}
	b, err := state.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	first := state.Servers()[0]
	return &Backup{
		Manifest: Manifest{
			Network: state.Name, Genesis: hexOf(state.Hash[:]), Server: 1, Name: first.Name, Key: first.Key.Hex(),
			Taken: time.Unix(1e9, 0).UTC(), Incarnation: 1, Version: state.Version(), State: stateHash(b),
		},
		files: map[string][]byte{stateFile: b, configFile: []byte("x")},
	}
}

func (n *centreNet) operatorKeys(name string) *vault.Keys {
	n.t.Helper()
	at := filepath.Join(n.dir, operatorsDir, name)
	lock, err := vault.KeyFile(at + operatorKey)
	if err != nil {
		n.t.Fatal(err)
	}
	keys, err := vault.LoadKeys(at+operatorExt, lock)
	if err != nil {
		n.t.Fatal(err)
	}
	return keys
}

// order is one for this network, signed by some operators.
func (n *centreNet) order(o Order, by ...string) *Order {
	n.t.Helper()
	o.Genesis, o.Time, o.Reason = n.network.Genesis, 1e9, "a flood"
	for _, name := range by {
		if err := o.Sign(n.operatorKeys(name)); err != nil {
			n.t.Fatal(err)
		}
	}
	return &o
}

func TestOnlyTwoOperatorsOrderARecovery(t *testing.T) {
	n := planned(t, 3)
	genesis, err := readGenesis(filepath.Join(n.dir, genesisFile))
	if err != nil {
		t.Fatal(err)
	}
	carol := n.operatorKeys("carol")
	for _, o := range genesis.Operators {
		if o.Name == "carol" {
			o.Roles = uint32(registry.Admission)
		}
	}
	state, err := registry.New(genesis)
	if err != nil {
		t.Fatal(err)
	}
	n.network.Genesis = state.Hash
	stranger, err := vault.GenerateKeys(nil)
	if err != nil {
		t.Fatal(err)
	}
	good := Order{Incarnation: 2, Survivors: []oprf.Index{1, 3}}
	if by, err := n.order(good, "alice", "bob").Holds(state, 1); err != nil || !slices.Equal(by, []string{"alice", "bob"}) {
		t.Fatalf("got %v, %v, want alice and bob", by, err)
	}
	changed := func(change func(*Order)) *Order {
		o := n.order(good, "alice", "bob")
		change(o)
		return o
	}
	signed := func(keys *vault.Keys) *Order {
		o := n.order(good, "alice")
		if err := o.Sign(keys); err != nil {
			t.Fatal(err)
		}
		return o
	}
	for what, o := range map[string]*Order{
		"nobody":              n.order(good),
		"one operator":        n.order(good, "alice"),
		"one operator twice":  changed(func(o *Order) { o.Signatures[1] = o.Signatures[0] }),
		"without operations":  signed(carol),
		"a stranger":          signed(stranger),
		"other survivors":     changed(func(o *Order) { o.Survivors = []oprf.Index{1, 2} }),
		"another time":        changed(func(o *Order) { o.Time++ }),
		"another reason":      changed(func(o *Order) { o.Reason = "a fire" }),
		"from a backup":       changed(func(o *Order) { o.Survivors, o.State[0] = o.Survivors[:1], 1 }),
		"another network":     changed(func(o *Order) { o.Genesis[0] ^= 1 }),
		"another incarnation": changed(func(o *Order) { o.Incarnation++ }),
		"swapped signatures": changed(func(o *Order) {
			o.Signatures[0].Operator, o.Signatures[1].Operator = o.Signatures[1].Operator, o.Signatures[0].Operator
		}),
		"no survivors":          changed(func(o *Order) { o.Survivors = nil }),
		"survivors out of step": changed(func(o *Order) { o.Survivors = []oprf.Index{3, 1} }),
	} {
		if _, err := o.Holds(state, 1); !errors.Is(err, ErrOrder) {
			t.Errorf("%s: got %v, want %v", what, err, ErrOrder)
		}
	}
	// Once it was carried out, the survivor is of incarnation 2.
	if _, err := n.order(good, "alice", "bob").Holds(state, 2); !errors.Is(err, ErrOrder) {
		t.Errorf("replayed: got %v, want %v", err, ErrOrder)
	}
	if err := n.order(good, "alice").Sign(n.operatorKeys("alice")); !errors.Is(err, ErrOrder) {
		t.Errorf("signed twice: got %v, want %v", err, ErrOrder)
	}
}

func TestAnOrderThatWasTouchedIsNone(t *testing.T) {
	n := planned(t, 1)
	want := n.order(Order{Incarnation: 2, Survivors: []oprf.Index{1}, State: [32]byte{1}}, "alice", "bob")
	b, err := want.Encode()
	if err != nil {
		t.Fatal(err)
	}
	got, err := ParseOrder(b)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := got.Encode(); err != nil || !bytes.Equal(again, b) {
		t.Fatalf("read and written it differs: %v", err)
	}
	for what, bad := range map[string]string{
		"a comment":        string(b) + "# harmless\n",
		"an unknown key":   string(b) + "x = 1\n",
		"no survivors":     strings.Replace(string(b), "survivors = [1]", "survivors = []", 1),
		"server 0":         strings.Replace(string(b), "survivors = [1]", "survivors = [0]", 1),
		"no reason":        strings.Replace(string(b), "a flood", "", 1),
		"a second of time": strings.Replace(string(b), ":40Z", ":40.5Z", 1),
		"nothing":          "",
		"too much":         string(b) + strings.Repeat("\n", maxOrder),
	} {
		if bad == string(b) {
			t.Fatalf("%s: nothing was changed", what)
		}
		if _, err := ParseOrder([]byte(bad)); !errors.Is(err, ErrOrder) {
			t.Errorf("%s: got %v, want %v", what, err, ErrOrder)
		}
	}
}

func FuzzOrder(f *testing.F) {
	n := planned(f, 1)
	for _, o := range []*Order{
		n.order(Order{Incarnation: 2, Survivors: []oprf.Index{1, 3}}),
		n.order(Order{Incarnation: 9, Survivors: []oprf.Index{1}, State: [32]byte{1}}, "alice", "bob"),
	} {
		b, err := o.Encode()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		o, err := ParseOrder(b)
		if err != nil {
			return
		}
		if again, err := o.Encode(); err != nil || !bytes.Equal(again, b) {
			t.Fatalf("parsed and encoded anew it differs: %v", err)
		}
	})
}

// recover carries out an order in the folder at a position.
func (n *centreNet) recover(at int, o *Order) (Recovered, error) {
	n.t.Helper()
	options := n.options(at)
	return Recover(n.ctx(), options.Config, options.Unlock, o)
}

func policyOf(daily uint64) *wire.Motion {
	p := directory.FirstPolicy()
	p.Daily = daily
	return &wire.Motion{Of: &wire.Motion_Policy{Policy: p.Message()}}
}

// After the newest backup the servers have signed one more directory, which a
// member holds. The registry begins again from the backup.
func TestAMemberFollowsTheRegistryThatBeganAgainFromABackup(t *testing.T) {
	n := found(t, 3)
	lock, to := keeper(t)
	var paths []string
	for i := range 3 {
		path, _ := n.backedUp(i, to)
		paths = append(paths, path)
	}
	backup, err := OpenBackup(paths[1], lock)
	if err != nil {
		t.Fatal(err)
	}
	n.moved(policyOf(4321))
	pinned := n.awaitPublished(0, "the policy", func(d *directory.Directory) bool { return d.Policy.Daily == 4321 })
	signed, _, _ := n.servers[0].published.get()
	chain, err := directory.Resume(signed, n.network.Genesis)
	if err != nil {
		t.Fatal(err)
	}
	if pinned.Version <= backup.Version {
		t.Fatalf("the member holds version %d, want one after the backup's %d", pinned.Version, backup.Version)
	}
	for i := range 3 {
		n.stop(i, (*Server).Close)
	}

	seed := n.restored(paths[1], lock)
	o := Order{Incarnation: 2, Survivors: []oprf.Index{2}}
	copy(o.State[:], bytesOf(t, backup.State))
	r, err := n.recover(seed, n.order(o, "alice", "bob"))
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Lost) != 2 {
		t.Fatalf("got %d lost servers, want 2", len(r.Lost))
	}
	n.start(seed)
	for _, i := range []int{0, 2} {
		n.start(n.restored(paths[i], lock))
	}
	n.moved(policyOf(1234))
	n.awaitPublished(seed, "another policy", func(d *directory.Directory) bool { return d.Policy.Daily == 1234 })
	signed, _, _ = n.servers[seed].published.get()
	next, taken, err := chain.Take(signed)
	if err != nil || !taken {
		t.Fatalf("got %v, %v: the member does not follow", taken, err)
	}
	if k, ok := next.Directory().Current(); !ok || k.Keys.Public != currentKey(t, pinned) {
		t.Error("the token key is another")
	}
}

func TestARecoveryDialsWhoIsCalledLost(t *testing.T) {
	n := found(t, 3)
	n.stop(1, (*Server).Close)
	n.stop(2, (*Server).Close)
	// Server 1 runs alone; server 2 cannot be made the survivor behind its back.
	order := n.order(Order{Incarnation: 2, Survivors: []oprf.Index{2}}, "alice", "bob")
	if _, err := n.recover(1, order); !errors.Is(err, ErrLostAnswer) {
		t.Fatalf("got %v, want %v", err, ErrLostAnswer)
	}
	n.stop(0, (*Server).Close)
	// A backup's order is not that of a survivor, and nobody recovers another's folder.
	seeds := n.order(Order{Incarnation: 2, Survivors: []oprf.Index{2}, State: [32]byte{1}}, "alice", "bob")
	for at, o := range map[int]*Order{1: seeds, 2: order} {
		if _, err := n.recover(at, o); !errors.Is(err, ErrOrder) {
			t.Errorf("server %d: got %v, want %v", at+1, err, ErrOrder)
		}
	}
	if _, err := n.recover(1, order); err != nil {
		t.Fatal(err)
	}
	n.start(1)
	n.leader(1)
	if got := n.servers[1].Status().Incarnation; got != 2 {
		t.Errorf("got incarnation %d, want 2", got)
	}
	// The old ones come back with a majority of the old log.
	n.start(0)
	n.start(2)
	for _, i := range []int{0, 2} {
		n.eventually("being told", func() bool { return n.servers[i].Status().Standing == cluster.Outdated })
	}
	if !strings.Contains(n.log.String(), "the network was recovered without this server") {
		t.Error("nobody was told why")
	}
}

func TestAServerThatForgetsItsLogIsTakenIn(t *testing.T) {
	n := found(t, 3)
	config := n.options(2).Config
	if _, err := Rejoin(config); !errors.Is(err, cluster.ErrInUse) {
		t.Fatalf("while it runs: got %v, want %v", err, cluster.ErrInUse)
	}
	n.stop(2, (*Server).Close)
	n.moved(policyOf(4321))
	if _, err := Rejoin(config); err != nil {
		t.Fatal(err)
	}
	n.start(2)
	n.eventually("its vote", func() bool { return n.servers[2].Status().Standing == cluster.Voting })
	n.await(2, "the policy", func(s *registry.State) bool { return s.Directory().Policy.Daily == 4321 })
}

func hexOf(b []byte) string { return wire.Peer(b).Hex() }

func bytesOf(t *testing.T, text string) []byte {
	t.Helper()
	b, err := directory.ParseKey("state", text)
	if err != nil {
		t.Fatal(err)
	}
	return b[:]
}

func currentKey(t *testing.T, d *directory.Directory) (key oprf.PublicKey) {
	t.Helper()
	k, ok := d.Current()
	if !ok {
		t.Fatal("no key")
	}
	return k.Keys.Public
}
