package node

import (
	"bytes"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"interlock/crypto/token"
	"interlock/crypto/vault"
	"interlock/protocol/directory"
	"interlock/protocol/feed"
	"interlock/protocol/wire"
)

// pair is a centre and two agencies whose nodes run and have met over one
// address.
func pair(t *testing.T) (c *centre, denver, boulder *office) {
	t.Helper()
	c = newCentre(t)
	denver, boulder = c.enrols("denver-pd"), c.enrols("boulder-so")
	c.approves("denver-pd")
	c.approves("boulder-so")
	denver.starts()
	boulder.starts()
	denver.saves("a@example.org")
	boulder.saves("a@example.org")
	denver.awaitsMeeting("a@example.org")
	boulder.awaitsMeeting("a@example.org")
	return c, denver, boulder
}

func (o *office) fingerprint() wire.Peer {
	o.t.Helper()
	keys, err := vault.LoadKeys(filepath.Join(o.dir, identityFile), o.lock)
	if err != nil {
		o.t.Fatal(err)
	}
	defer keys.Destroy()
	return wire.PeerOf(keys.Signing)
}

func (o *office) rotates() Applied {
	o.t.Helper()
	got, err := Rotate(o.t.Context(), o.config, o.lock, slog.New(slog.DiscardHandler))
	if err != nil {
		o.t.Fatalf("%s rotates: %v", o.id, err)
	}
	return got
}

// restarts waits until the node says that its keys have changed, and starts it
// again.
func (o *office) restarts() {
	o.t.Helper()
	if err := <-o.node.Failed(); !errors.Is(err, ErrKeysChanged) {
		o.t.Fatalf("the node of %s ends with %v, want %v", o.id, err, ErrKeysChanged)
	}
	o.stops()
	o.starts()
}

func TestAnAgencyGoesOnUnderNewKeys(t *testing.T) {
	c, denver, boulder := pair(t)
	old := denver.fingerprint()
	first := denver.rotates()
	if again := denver.rotates(); first.Status != directory.Pending || again != first {
		t.Fatalf("Rotate = %+v, then %+v; want pending both times, with one fingerprint", first, again)
	}
	if got := denver.fingerprint(); got != old {
		t.Fatal("the keys are replaced before anybody has approved")
	}
	denver.saves("b@example.org") // goes on under the old key meanwhile
	boulder.saves("b@example.org")
	boulder.awaitsMeeting("a@example.org", "b@example.org")

	c.approves("denver-pd")
	denver.restarts()
	if got := denver.fingerprint(); got == old || got != denver.node.Agency().Key {
		t.Errorf("the key is %s, was %s; want another one, the running node's", got, old)
	}
	if _, err := os.Stat(filepath.Join(denver.dir, nextFile)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the next keys are still there: %v", err)
	}
	denver.saves("c@example.org")
	boulder.saves("c@example.org")
	for _, o := range []*office{denver, boulder} {
		o.awaitsMeeting("a@example.org", "b@example.org", "c@example.org")
	}
	if boulder.node.roster.Role(old) != wire.Nobody {
		t.Error("the old key still has a role")
	}
	heads := 0
	for n := uint64(0); n <= 3; n++ {
		h, ok, err := denver.node.flow.HeadAt(feed.ID{Author: "denver-pd"}, 1, n)
		if err != nil || ok && !h.Verified(denver.fingerprint()) {
			t.Errorf("head %d is not signed by the new key, %v", n, err)
		}
		if ok {
			heads++
		}
	}
	if heads < 4 {
		t.Errorf("%d heads, want those of before too", heads)
	}
}

// TestANodeThatWasOffTakesItsNewKeysOver: the approval came while it was off.
func TestANodeThatWasOffTakesItsNewKeysOver(t *testing.T) {
	c, denver, boulder := pair(t)
	denver.stops()
	denver.rotates()
	c.approves("denver-pd")
	denver.starts()
	denver.restarts()
	denver.saves("b@example.org")
	boulder.saves("b@example.org")
	denver.awaitsMeeting("a@example.org", "b@example.org")
	boulder.awaitsMeeting("a@example.org", "b@example.org")
}

// TestACrashBeforeTheKeysAreInPlaceIsMadeGoodAtTheNextStart: the directory with
// the new key was on the disk, the new key was not in place.
func TestACrashBeforeTheKeysAreInPlaceIsMadeGoodAtTheNextStart(t *testing.T) {
	c, denver, _ := pair(t)
	files := map[string]string{}
	keep := func(name string) {
		b, err := os.ReadFile(filepath.Join(denver.dir, name))
		if err != nil {
			t.Fatal(err)
		}
		files[name] = string(b)
	}
	denver.rotates()
	keep(identityFile)
	keep(nextFile)
	c.approves("denver-pd")
	if err := <-denver.node.Failed(); !errors.Is(err, ErrKeysChanged) {
		t.Fatal(err)
	}
	denver.stops()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(denver.dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	old := denver.fingerprint()
	denver.starts()
	if got := denver.node.Agency().Key; got == old {
		t.Error("the node runs under the old key")
	}
	await(t, "the registry under the new key", denver.node.directory.Reached)
}

// TestAnotherDirectoryDoesNotBringTheNextKeysIn: only one that names them does.
func TestAnotherDirectoryDoesNotBringTheNextKeysIn(t *testing.T) {
	c, denver, _ := pair(t)
	old := denver.fingerprint()
	denver.rotates()
	c.change(func(d *directory.Directory) { d.Policy.Refresh++ })
	version := c.dir.Version
	await(t, "the directory", func() bool { return denver.node.Directory().Version == version })
	if got := denver.fingerprint(); got != old {
		t.Error("the next keys are in place, and nobody has approved them")
	}
	if got := strings.Join(denver.node.Status().Troubles, " "); !strings.Contains(got, "wait for two operators") {
		t.Errorf("the status says %q, want that new keys wait", got)
	}
}

func TestAMembersChangedAddressesWaitForTheOperators(t *testing.T) {
	c, denver, boulder := pair(t)
	path := filepath.Join(denver.dir, configFile)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b = bytes.Replace(b, []byte("contact = 'desk'"), []byte("contact = 'another desk'"), 1)
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	denver.load()
	for range 2 {
		got, err := Enrol(t.Context(), denver.config, denver.lock, slog.New(slog.DiscardHandler))
		if err != nil || got.Status != directory.Active || !got.Changing {
			t.Fatalf("Enrol = %+v, %v; want a member whose change waits", got, err)
		}
	}
	c.approves("denver-pd")
	await(t, "the new contact at the other member", func() bool {
		a, _ := boulder.node.Directory().Agency("denver-pd")
		return a.Contact == "another desk"
	})
	got, err := Enrol(t.Context(), denver.config, denver.lock, slog.New(slog.DiscardHandler))
	if err != nil || got.Changing {
		t.Errorf("Enrol = %+v, %v; want nothing that waits", got, err)
	}
}

// TestTokensAreMadeAnewWhileTheNodesRun: with the registry's answers, secrets
// that come late, and the retirement of the former key.
func TestTokensAreMadeAnewWhileTheNodesRun(t *testing.T) {
	c, denver, boulder := pair(t)
	denver.saves("b@example.org")
	c.set(func() { c.withheld = true })
	c.newEpoch(2)
	await(t, "the new directory", func() bool { return denver.node.Status().Renewal.Epoch == 2 })
	if got := denver.saves("c@example.org"); got.Waiting != 1 {
		t.Errorf("saved %+v without the new secret, want it to wait", got)
	}
	if r := denver.node.Status().Renewal; r.Done != 0 || r.Of != 2 {
		t.Errorf("renewal %+v, want 0 of 2", r)
	}
	c.set(func() { c.withheld = false })
	for _, o := range []*office{denver, boulder} {
		await(t, "renewal", func() bool { return !o.node.Status().Renewal.UnderWay() && o.node.Status().Waiting == 0 })
	}
	c.retire()
	for _, o := range []*office{denver, boulder} {
		await(t, "the secret of the former key to go", func() bool {
			_, former := o.node.flow.secret(1)
			_, now := o.node.flow.secret(2)
			return !former && now
		})
	}
	boulder.saves("b@example.org")
	boulder.saves("c@example.org")
	for _, o := range []*office{denver, boulder} {
		o.awaitsMeeting("a@example.org", "b@example.org", "c@example.org")
	}
	denver.stops()
	denver.starts()
	if _, ok := denver.node.flow.secret(token.Epoch(2)); !ok {
		t.Error("after a restart the secret is gone")
	}
}

func TestTheNetworkFileFollowsTheRegistrysServers(t *testing.T) {
	c, denver, _ := pair(t)
	before, err := loadNetwork(denver.config)
	if err != nil {
		t.Fatal(err)
	}
	second := c.server
	second.Index, second.Name, second.Key = 2, "two", wire.PeerOf(signingKey("two"))
	c.change(func(d *directory.Directory) { d.Servers = append(d.Servers, second) })
	await(t, "the second server in the file", func() bool {
		now, err := loadNetwork(denver.config)
		if err != nil {
			t.Fatalf("the network file: %v", err)
		}
		return len(now.Servers) == 2
	})
	now, err := loadNetwork(denver.config)
	if err != nil || now.Genesis != before.Genesis || now.Name != before.Name || now.Servers[1].Key != second.Key || now.Quorum != 2 {
		t.Errorf("pinned is %+v, %v; want the same network with the second server", now, err)
	}
}

// TestAnAgencyThatLostItsKeysIsAdmittedUnderOthers: with an invitation, and
// without a word of the lost key. Its feed is another one, which others refuse.
func TestAnAgencyThatLostItsKeysIsAdmittedUnderOthers(t *testing.T) {
	c, denver, boulder := pair(t)
	lost := denver.fingerprint()
	denver.stops()
	anew := c.invites("denver-pd")
	got, err := EnrolInPlaceOf(t.Context(), anew.config, anew.lock, lost, slog.New(slog.DiscardHandler))
	if err != nil || got.Status != directory.Pending {
		t.Fatalf("EnrolInPlaceOf = %+v, %v; want pending", got, err)
	}
	c.approves("denver-pd")
	anew.starts()
	await(t, "the directory", func() bool { return anew.node.Directory() != nil })
	await(t, "the lost key to be nobody's", func() bool { return boulder.node.roster.Role(lost) == wire.Nobody })
	boulder.saves("b@example.org")
	anew.saves("b@example.org")
	anew.awaitsMeeting("b@example.org")
	await(t, "the other feed to be refused", func() bool {
		return strings.Contains(boulder.troubleWith("denver-pd"), "not the one that it had before")
	})
}
