package cluster

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"testing"

	"interlock/crypto/oprf"
	"interlock/protocol/wire"
	"interlock/replication/registry"
)

func TestASurvivorRecoversAndTheLostAreRefused(t *testing.T) {
	n := newTestnet(t, 3)
	command := n.application("denver-pd")
	n.propose(0, command)
	survivor := n.others(n.leader())[0]
	n.await(survivor, "the application", has(command))
	lost := n.others(survivor)
	for i := range 3 {
		n.stop(i)
	}
	n.start(survivor)
	ctx, cancel := context.WithTimeout(context.Background(), 4*quick.Heartbeat)
	defer cancel()
	if err := n.clusters[survivor].Read(ctx, func(*registry.State) {}); !errors.Is(err, ErrUnavailable) {
		t.Fatalf("before it was recovered: got %v, want %v", err, ErrUnavailable)
	}
	self := oprf.Index(survivor + 1)
	if err := Recover(n.dirs[survivor], n.genesis, self, []oprf.Index{self}); !errors.Is(err, ErrInUse) {
		t.Fatalf("while it runs: got %v, want %v", err, ErrInUse)
	}
	n.stop(survivor)
	if err := Recover(n.dirs[survivor], n.genesis, self, []oprf.Index{self}); err != nil {
		t.Fatal(err)
	}
	n.start(survivor)
	later := n.application("boulder-pd")
	n.propose(survivor, later)
	if c := n.clusters[survivor]; !has(command)(c) || !has(later)(c) || c.Status().Incarnation != 2 {
		t.Fatalf("the survivor lost something, or is of incarnation %d, want 2", c.Status().Incarnation)
	}
	n.join()
	n.start(3)
	n.addServer(survivor, 3)
	n.await(3, "its vote", standing(Voting))
	n.await(3, "the application", has(later))

	// The old ones are a majority of what they know, and come back.
	term := n.term(survivor)
	for _, i := range lost {
		n.start(i)
	}
	for _, i := range lost {
		n.await(i, "being told", standing(Outdated))
		if _, err := n.clusters[i].Propose(n.ctx(), later); !errors.Is(err, ErrOutdated) {
			t.Errorf("proposed by an old one: got %v, want %v", err, ErrOutdated)
		}
		if has(later)(n.clusters[i]) {
			t.Errorf("old server %d takes part", i+1)
		}
	}
	last := n.application("aurora-pd")
	n.propose(survivor, last)
	if got := n.term(survivor); got != term {
		t.Errorf("the old ones disturbed the others: term %d, was %d", got, term)
	}

	// With an empty folder they are welcome.
	n.stop(lost[0])
	n.dirs[lost[0]] = filepath.Join(t.TempDir(), "raft")
	n.rejoin[lost[0]] = true
	n.start(lost[0])
	n.await(lost[0], "its vote", standing(Voting))
	n.await(lost[0], "the application", has(last))
}

func TestRecoveryIsRefusedWhereItMakesNoSense(t *testing.T) {
	n := newTestnet(t, 3)
	command := n.application("denver-pd")
	n.propose(0, command)
	n.await(0, "the application", has(command))
	for i := range 3 {
		n.stop(i)
	}
	for _, row := range []struct {
		what      string
		path      string
		nonce     byte
		self      oprf.Index
		survivors []oprf.Index
		want      error
	}{
		{"an empty folder", t.TempDir(), 0, 1, []oprf.Index{1}, ErrNoPart},
		{"another network", n.dirs[0], 1, 1, []oprf.Index{1}, ErrOtherNetwork},
		{"not among the survivors", n.dirs[0], 0, 1, []oprf.Index{2}, ErrNotSurvivor},
		{"a survivor that is none", n.dirs[0], 0, 1, []oprf.Index{1, 7}, ErrNotSurvivor},
		{"a survivor twice", n.dirs[0], 0, 1, []oprf.Index{1, 1}, ErrNotSurvivor},
		{"no survivors", n.dirs[0], 0, 1, nil, ErrNotSurvivor},
	} {
		n.genesis.Nonce[0] = row.nonce
		if err := Recover(row.path, n.genesis, row.self, row.survivors); !errors.Is(err, row.want) {
			t.Errorf("%s: got %v, want %v", row.what, err, row.want)
		}
	}
	n.genesis.Nonce[0] = 0
	for i := range 3 {
		n.start(i)
	}
	n.propose(0, n.application("boulder-pd"))
	n.stop(1)
	n.loseLog(0)
	if err := Recover(n.dirs[0], n.genesis, 1, []oprf.Index{1}); !errors.Is(err, ErrStateLost) {
		t.Errorf("a lost log: got %v, want %v", err, ErrStateLost)
	}
}

// Two that were each told to go on alone are two registries, which do not mix.
func TestTwoThatRecoverAloneStayApart(t *testing.T) {
	n := newTestnet(t, 3)
	command := n.application("denver-pd")
	n.propose(0, command)
	for i := range 3 {
		n.await(i, "the application", has(command))
	}
	applications := []*wire.Command{n.application("boulder-pd"), n.application("aurora-pd")}
	for _, a := range applications {
		n.propose(0, a)
	}
	last := n.application("golden-pd") // its invitation is the last that both have
	for i := range 2 {
		n.await(i, "the last entry", func(c *Cluster) bool { return c.raft.AppliedIndex() == n.clusters[0].raft.LastIndex() })
	}
	for i := range 3 {
		n.stop(i)
	}
	for i := range 2 {
		self := oprf.Index(i + 1)
		if err := Recover(n.dirs[i], n.genesis, self, []oprf.Index{self}); err != nil {
			t.Fatal(err)
		}
		n.start(i)
	}
	n.propose(0, last)
	for i := range 2 {
		n.await(i, "the other's refusal", func(c *Cluster) bool { return slices.Equal(c.Status().RefusedBy, []oprf.Index{oprf.Index(2 - i)}) })
		if got := n.clusters[i].Status(); got.Standing != Voting || got.Incarnation != 2 {
			t.Errorf("server %d: got %+v, want it voting in incarnation 2", i+1, got)
		}
	}
	if has(last)(n.clusters[1]) {
		t.Error("what one registry took is in the other")
	}
}

// Two of five survive, compare how far they are, and both recover.
func TestSeveralSurvivorsRecoverTogether(t *testing.T) {
	n := newTestnet(t, 5)
	command := n.application("denver-pd")
	n.propose(0, command)
	for i := range 5 {
		n.await(i, "the application", has(command))
	}
	for i := range 5 {
		n.stop(i)
	}
	survivors := []oprf.Index{4, 2}
	var at []Position
	for _, i := range survivors {
		p, err := Inspect(n.dirs[i-1], n.genesis)
		if err != nil {
			t.Fatal(err)
		}
		if len(p.Voters) != 5 || p.Index == 0 || p.Term == 0 || p.Incarnation != 1 {
			t.Fatalf("server %d: got position %+v", i, p)
		}
		at = append(at, p)
	}
	if !at[0].Newer(at[1]) && !at[1].Newer(at[0]) {
		t.Fatalf("neither of %+v and %+v is the newer", at[0], at[1])
	}
	for _, i := range survivors {
		if err := Recover(n.dirs[i-1], n.genesis, i, survivors); err != nil {
			t.Fatal(err)
		}
	}
	n.start(1)
	n.start(3)
	later := n.application("boulder-pd")
	n.propose(1, later)
	for _, i := range []int{1, 3} {
		n.await(i, "the application", has(later))
		n.await(i, "both applications", has(command))
	}
}

// A recovery that died half way leaves a folder that does not run, and that can
// be recovered again.
func TestAnInterruptedRecoveryIsRunAgain(t *testing.T) {
	n := newTestnet(t, 3)
	command := n.application("denver-pd")
	n.propose(0, command)
	n.await(0, "the application", has(command))
	for i := range 3 {
		n.stop(i)
	}
	folder := &Folder{path: n.dirs[0]}
	m, err := folder.mark()
	if err != nil {
		t.Fatal(err)
	}
	if err := Recover(n.dirs[0], n.genesis, 1, []oprf.Index{1}); err != nil {
		t.Fatal(err)
	}
	half := *m
	half.stage = unsettled
	if err := folder.write(half); err != nil {
		t.Fatal(err)
	}
	n.listen(0)
	if _, err := n.open(0); !errors.Is(err, ErrUnsettled) {
		t.Fatalf("got %v, want %v", err, ErrUnsettled)
	}
	if err := Recover(n.dirs[0], n.genesis, 1, []oprf.Index{1}); err != nil {
		t.Fatal(err)
	}
	n.start(0)
	n.propose(0, n.application("boulder-pd"))
	if !has(command)(n.clusters[0]) {
		t.Fatal("the second attempt lost what the first had kept")
	}
}

func TestANetworkBeginsAgainFromABackup(t *testing.T) {
	n := newTestnet(t, 3)
	command := n.application("denver-pd")
	n.propose(0, command)
	e, err := n.clusters[n.others(n.leader())[0]].Export(n.ctx())
	if err != nil {
		t.Fatal(err)
	}
	after := n.application("boulder-pd")
	n.propose(0, after)
	for i := range 3 {
		n.stop(i)
		n.dirs[i] = filepath.Join(t.TempDir(), "raft")
	}
	if err := Seed(n.dirs[1], n.genesis, 2, e); err != nil {
		t.Fatal(err)
	}
	n.start(1)
	n.await(1, "leading", func(c *Cluster) bool { return c.Status().Leading })
	if c := n.clusters[1]; !has(command)(c) || has(after)(c) || c.Status().Incarnation != 2 {
		t.Fatal("the state is not that of the backup")
	}
	if index := n.propose(1, n.application("aurora-pd")); index <= e.Index+seedGap {
		t.Fatalf("got number %d, which the lost network may have given", index)
	}
	for _, i := range []int{0, 2} {
		n.rejoin[i] = true
		n.start(i)
		n.await(i, "its vote", standing(Voting))
		n.await(i, "the application", has(command))
	}
	n.stop(1)
	n.propose(2, n.application("golden-pd"))

	for _, row := range []struct {
		what string
		dir  string
		self oprf.Index
		e    Exported
		want error
	}{
		{"a folder that is not empty", n.dirs[1], 2, e, ErrNotEmpty},
		{"a server that the backup does not name", t.TempDir(), 9, e, ErrNoPart},
		{"no backup", t.TempDir(), 1, Exported{State: []byte("x")}, registry.ErrSnapshot},
	} {
		if err := Seed(row.dir, n.genesis, row.self, row.e); !errors.Is(err, row.want) {
			t.Errorf("%s: got %v, want %v", row.what, err, row.want)
		}
	}
}
