package centre

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"interlock/crypto/oprf"
	"interlock/protocol/directory"
	"interlock/protocol/wire"
	"interlock/replication/registry"
)

// prepared is a server that was not added yet: its folder, and what others need
// to know of it.
func (n *centreNet) prepared(name string) (position int, m *wire.Server) {
	n.t.Helper()
	dir := filepath.Join(n.t.TempDir(), "server")
	card, err := NewServer(dir, FoundingServer{Name: name, Listen: freeAddresses(n.t, 1)})
	if err != nil {
		n.t.Fatal(err)
	}
	document, err := os.ReadFile(filepath.Join(n.dir, genesisFile))
	if err == nil {
		err = writeFile(filepath.Join(dir, genesisFile), document, 0o600)
	}
	if err != nil {
		n.t.Fatal(err)
	}
	// The network file of now says whom to ask: the founders may be gone.
	i := slices.IndexFunc(n.servers, func(s *Server) bool { return s != nil && s.Index() != 0 })
	file, err := n.servers[i].published.directory().Network("Test network").Encode()
	if err == nil {
		err = writeFile(filepath.Join(dir, networkFile), file, 0o600)
	}
	if err != nil {
		n.t.Fatal(err)
	}
	if m, err = card.Message(); err != nil {
		n.t.Fatal(err)
	}
	return n.place(dir), m
}

// starts starts the server at a position, which returns when it was added.
func (n *centreNet) starts(i int) <-chan error {
	options, ctx := n.options(i), n.ctx()
	done := make(chan error, 1)
	go func() {
		s, err := Start(ctx, options)
		if err == nil {
			n.servers[i] = s
			n.peers.Store(s.Peer(), true)
		}
		done <- err
	}()
	return done
}

// added is a new server that has joined.
func (n *centreNet) added(change *wire.ServerChange) (position int) {
	n.t.Helper()
	i, m := n.prepared(fmt.Sprintf("Server %d", len(n.servers)+1))
	change.Server = m
	n.moved(&wire.Motion{Of: &wire.Motion_Server{Server: change}})
	if err := <-n.starts(i); err != nil {
		n.t.Fatal(err)
	}
	return i
}

func TestANewServerWaitsUntilTwoOperatorsHaveAddedIt(t *testing.T) {
	t.Parallel()
	n := found(t, 3)
	denver := n.enrolled("denver-pd")
	want := denver.token([]oprf.Index{1, 2}, "j.doe@example.org")
	secret := n.copiedSecret(0, generation{1, 1})
	i, m := n.prepared("Server 4")
	started := n.starts(i)
	n.put(&wire.Motion{Of: &wire.Motion_Server{Server: &wire.ServerChange{Server: m}}})
	select {
	case err := <-started:
		t.Fatalf("it started when one operator had moved to add it: %v", err)
	default:
	}
	n.seconded()
	if err := <-started; err != nil {
		t.Fatal(err)
	}
	k := n.awaitKey(1, 2)
	n.awaitReady(i)
	if n.servers[i].Index() != 4 || len(k.Keys.Shares) != 4 {
		t.Fatalf("it has number %d, and %d servers have a share", n.servers[i].Index(), len(k.Keys.Shares))
	}
	for _, quorum := range [][]oprf.Index{{1, 4}, {3, 4}} {
		if got := denver.token(quorum, "j.doe@example.org"); got != want {
			t.Fatalf("quorum %v makes another token", quorum)
		}
	}
	if n.copiedSecret(i, generation{1, 2}) != secret {
		t.Fatal("it has another federation secret")
	}
	n.stop(i, (*Server).Kill)
	n.start(i)
	n.awaitReady(i)
	if got := denver.token([]oprf.Index{2, 4}, "j.doe@example.org"); got != want {
		t.Fatal("another token after it restarted")
	}
}

func TestAWaitingServerStopsWhenItIsTold(t *testing.T) {
	t.Parallel()
	n := found(t, 1)
	i, _ := n.prepared("Server 2")
	other := n.network
	other.Genesis[0] ^= 1
	b, err := other.Encode()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(n.folders[i], networkFile)
	mine, err := os.ReadFile(file)
	if err == nil {
		err = writeFile(file, b, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Start(n.ctx(), n.options(i)); !errors.Is(err, directory.ErrOtherNetwork) {
		t.Fatalf("another network's file: got %v, want %v", err, directory.ErrOtherNetwork)
	}
	if err := writeFile(file, mine, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	options := n.options(i)
	done := make(chan error, 1)
	go func() { done <- Run(ctx, options) }()
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v, want %v", err, context.Canceled)
	}
	again, err := Start(canceled(), options)
	if !errors.Is(err, context.Canceled) || again != nil {
		t.Fatalf("its folder was not given back: %v", err)
	}
}

func canceled() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

func TestAReplacedServerIsRefusedByTheOthers(t *testing.T) {
	t.Parallel()
	n := found(t, 3)
	denver := n.enrolled("denver-pd")
	want := denver.token([]oprf.Index{1, 3}, "j.doe@example.org")
	replaced := n.servers[2]
	n.added(&wire.ServerChange{Replaces: 3})
	n.servers[2] = nil
	defer func() {
		if err := replaced.Kill(); err != nil {
			t.Error(err)
		}
	}()
	n.awaitKey(1, 2)
	if got := denver.token([]oprf.Index{1, 4}, "j.doe@example.org"); got != want {
		t.Fatal("another token by the server that came instead")
	}
	for _, p := range []wire.Protocol{wire.ProtocolRaft, wire.ProtocolPropose, wire.ProtocolDirectory} {
		st, err := replaced.host.Open(n.ctx(), n.servers[0].Peer(), p)
		if err == nil {
			err = st.Receive(&wire.DirectoryUpdate{})
		}
		wantRefusal(t, p.ID, err, wire.CodeRefused)
	}
	// It takes nothing any more, and its share is of no use to anybody.
	n.eventually("the replaced server to hear from no leader", func() bool { return replaced.Status().Leader == 0 })
	if _, err := replaced.evaluateFor(n.ctx(), denver.peer(), generation{1, 1}, []oprf.Index{1, 3}, make([]oprf.Element, 1)); !isUnavailable(err) {
		t.Fatalf("its evaluation: got %v, want none", err)
	}
}

func TestFiveServersOfWhichThreeAreNeeded(t *testing.T) {
	t.Parallel()
	n := found(t, 3)
	denver := n.enrolled("denver-pd")
	before := n.awaitKey(1, 1)
	want := denver.token([]oprf.Index{1, 2}, "j.doe@example.org")
	n.added(&wire.ServerChange{})
	n.added(&wire.ServerChange{Threshold: 3})
	// The second may have come while shares for the first were being made.
	var k directory.KeyEpoch
	for i := range n.servers {
		n.awaitPublished(i, "five shares", func(d *directory.Directory) bool {
			current, ok := d.Current()
			k = current
			return ok && len(k.Keys.Shares) == 5
		})
	}
	if k.Keys.Threshold != 3 || k.Keys.Public != before.Keys.Public {
		t.Fatalf("got threshold %d, want 3 of the same key", k.Keys.Threshold)
	}
	for _, quorum := range [][]oprf.Index{{3, 4, 5}, {1, 2, 4}} {
		if got := denver.token(quorum, "j.doe@example.org"); got != want {
			t.Fatalf("quorum %v makes another token", quorum)
		}
	}
	for i := range n.servers {
		n.awaitKept(i, generationOf(k).file())
	}
	request, _ := denver.blind(0, []oprf.Index{1, 2}, "j.doe@example.org")
	wantRefusal(t, "two of five", denver.askOnce(0, wire.ProtocolEvaluate, request, &wire.EvaluateResponse{}), wire.CodeMalformed)
}

func TestWhoPinnedTheFoundersFollowsToServersThatCameLater(t *testing.T) {
	t.Parallel()
	n := found(t, 3)
	denver := n.enrolled("denver-pd")
	early := directory.NewChain(n.network)
	want := denver.token([]oprf.Index{1, 2}, "j.doe@example.org")
	for old := uint32(1); old <= 3; old++ {
		n.added(&wire.ServerChange{Replaces: old})
		n.stop(int(old-1), (*Server).Kill)
		n.awaitKey(1, old+1)
		if _, err := n.operator("alice").Directory(n.ctx()); err != nil {
			t.Fatal(err)
		}
		if _, err := n.operator("bob").Directory(n.ctx()); err != nil {
			t.Fatal(err)
		}
		early = denver.caughtUp(len(n.servers)-1, early)
	}
	if got := denver.token([]oprf.Index{4, 6}, "j.doe@example.org"); got != want {
		t.Fatal("three servers that were not there at the founding make another token")
	}
	late := denver.caughtUp(5, directory.NewChain(n.network))
	if late.Directory().Version != early.Directory().Version {
		t.Fatalf("who comes late is at version %d, who followed at %d", late.Directory().Version, early.Directory().Version)
	}
	// The servers of now alone convince nobody who has not followed.
	next := *late.Directory()
	next.Version++
	encoded, err := next.Encode()
	if err != nil {
		t.Fatal(err)
	}
	signed := &wire.SignedDirectory{Directory: encoded}
	for _, s := range n.servers[3:] {
		signed.Endorsements = append(signed.Endorsements, &wire.Endorsement{
			Server: uint32(s.Index()), Signature: directory.Endorse(s.secrets.keys.Signing, encoded),
		})
	}
	if _, _, err := directory.NewChain(n.network).Take(signed); !errors.Is(err, directory.ErrNotEndorsed) {
		t.Fatalf("a directory that the new servers alone signed: got %v, want %v", err, directory.ErrNotEndorsed)
	}
	if _, taken, err := late.Take(signed); err != nil || !taken {
		t.Fatalf("who has followed: got %v, want it taken", err)
	}
}

// caughtUp follows server i until all that it has now was taken.
func (c *client) caughtUp(i int, chain directory.Chain) directory.Chain {
	c.net.t.Helper()
	st, err := c.open(i, wire.ProtocolDirectory)
	if err != nil {
		c.net.t.Fatal(err)
	}
	defer st.Reset(wire.CodeNone)
	follow := &wire.FollowDirectory{}
	if d := chain.Directory(); d != nil {
		follow.Version = d.Version
	}
	if err := st.Send(follow); err != nil {
		c.net.t.Fatal(err)
	}
	for {
		var u wire.DirectoryUpdate
		if err := st.Receive(&u); err != nil {
			c.net.t.Fatal(err)
		}
		if chain, _, err = chain.Take(u.Signed); err != nil {
			c.net.t.Fatalf("server %d: %v", i+1, err)
		}
		if !u.More {
			return chain
		}
	}
}

func TestAServerThatWasAwayHearsALeaderWhomItDoesNotKnow(t *testing.T) {
	t.Parallel()
	n := planned(t, 3)
	n.silence = silence
	n.founded()
	n.stop(2, (*Server).Kill)
	i := n.added(&wire.ServerChange{})
	n.awaitKey(1, 2)
	n.eventually("the new server to lead", func() bool {
		led := n.leader(i)
		if led != i {
			if err := n.servers[led].cluster.StepDown(n.ctx()); err != nil {
				t.Log(err)
			}
		}
		return led == i && n.servers[i].Status().Leading
	})
	n.start(2)
	n.awaitReady(2)
	n.await(2, "four servers", func(s *registry.State) bool { return len(s.Servers()) == 4 })
}
