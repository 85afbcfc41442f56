package node

import (
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"interlock/crypto/token"
	"interlock/node/desk"
	"interlock/node/exchange"
	"interlock/node/membership"
	"interlock/node/store"
	"interlock/protocol/directory"
	"interlock/protocol/link"
	"interlock/protocol/wire"
)

// What the node remembers about its network, by name.
const (
	metaDirectory = "directory"
	metaAgency    = "agency"
)

// ErrOtherAgency refuses a folder whose store was written by another agency.
var ErrOtherAgency = errors.New("the store belongs to another agency")

// restore brings back what a former run knew of the network, so that the node
// works while the registry is down.
func (n *Node) restore() error {
	if err := n.store.Update(n.claim); err != nil {
		return err
	}
	chain, err := n.stored()
	if err != nil || chain.Directory() == nil {
		return err // or not admitted yet
	}
	var secrets map[token.Epoch]token.Secret
	err = n.store.View(func(tx *store.Tx) (err error) {
		if secrets, err = readSecrets(tx); errors.Is(err, store.ErrNotFound) {
			return nil // admitted before there was a token key
		}
		return err
	})
	if err != nil {
		return err
	}
	n.flow.secrets.Store(&secrets)
	n.admit()
	return n.takeDirectory(chain)
}

// claim makes the store this agency's, or refuses one that is another's.
func (n *Node) claim(tx *store.Tx) error {
	owner, err := tx.Meta(metaAgency)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return tx.PutMeta(metaAgency, []byte(n.agency.ID))
	case err == nil && string(owner) != string(n.agency.ID):
		return fmt.Errorf("%w, %s", ErrOtherAgency, owner)
	}
	return err
}

// takeDirectory acts on a verified directory: it is stored with what it means
// for matching; then peers that are out lose their links, and those that are
// in are followed.
func (n *Node) takeDirectory(c directory.Chain) error {
	d := c.Directory()
	b, err := wire.Marshal(c.Signed())
	if err != nil {
		return err
	}
	if err := n.takeSecrets(d); err != nil {
		return err
	}
	// A disk that takes no writes must not keep a suspended member in: the links
	// are cut all the same, and what could not be stored is tried again.
	stored := n.flow.Join(d, func(tx *store.Tx) error { return tx.PutMeta(metaDirectory, b) })
	n.unstored.Store(stored != nil)
	n.roster.Set(c)
	for _, s := range d.Servers {
		if err := n.host.SetAddresses(s.Key, s.Addresses); err != nil {
			n.o.Log.Warn("registry server's addresses are not usable", "server", s.Index, "cause", err)
		}
	}
	n.host.Review()
	if err := n.pin(d); err != nil {
		n.o.Log.Warn("the registry's servers could not be written to the network file", "cause", err)
	}
	var follow []directory.Agency
	for _, a := range d.Active() {
		if a.ID == n.agency.ID {
			continue
		}
		if err := n.host.SetAddresses(a.Key, a.Addresses); err != nil {
			n.o.Log.Warn("agency's addresses are not usable", "agency", a.ID, "cause", err)
			continue
		}
		follow = append(follow, a)
	}
	n.followers.Set(n.ctx, n.neighbours(d, follow))
	if own, ok := d.Agency(n.agency.ID); ok {
		n.standing.Store(int32(own.Status))
	}
	poke(n.flow.waiting)
	n.o.Log.Info("directory taken", "version", d.Version, "agencies", len(d.Agencies))
	if stored != nil {
		return stored
	}
	return n.checkKey(d)
}

// neighbours are the members that are followed directly: all of them in a small
// network, and in a larger one those that hold it together and those that are in
// a group with us.
func (n *Node) neighbours(d *directory.Directory, all []directory.Agency) []directory.Agency {
	limit := n.o.Direct
	if limit == 0 {
		limit = DefaultDirect
	}
	near := exchange.Neighbours(n.agency.ID, all, limit)
	if len(near) == len(all) {
		return near
	}
	for _, g := range d.Policy.Groups {
		if !slices.Contains(g.Agencies, n.agency.ID) {
			continue
		}
		for _, a := range all {
			if slices.Contains(g.Agencies, a.ID) && !slices.ContainsFunc(near, func(b directory.Agency) bool { return b.ID == a.ID }) {
				near = append(near, a)
			}
		}
	}
	return near
}

// gossipTopic is where the members of a network tell the heads of their feeds.
func gossipTopic(genesis directory.GenesisHash) string {
	return "interlock/heads/1/" + hex.EncodeToString(genesis[:16])
}

// keepSpreading tells our head, and fetches what others tell of, once this agency is
// admitted.
func (n *Node) keepSpreading() {
	select {
	case <-n.admitted:
	case <-n.ctx.Done():
		return
	}
	topic, err := n.host.Join(gossipTopic(n.roster.Network().Genesis), link.Gossip{Check: n.spread.Check, Deliver: n.spread.Deliver, MaxSize: maxHead})
	if err != nil {
		n.o.Log.Error("heads of feeds are not told: no gossip", "cause", err)
		return
	}
	n.spread.Run(n.ctx, topic)
	if err := topic.Close(); err != nil {
		n.o.Log.Info("gossip ended", "cause", err)
	}
}

// maxHead is the largest encoded head, bytes.
const maxHead = 512

// admit lets the directory be followed; only the first call counts.
func (n *Node) admit() { n.admitting.Do(func() { close(n.admitted) }) }

// wait pauses a task; it reports whether the node goes on.
func (n *Node) wait(pause time.Duration, wake <-chan struct{}) bool {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-n.ctx.Done():
		return false
	case <-timer.C:
	case <-wake:
	}
	return n.ctx.Err() == nil
}

// keepStanding asks the registry how this agency stands whenever its
// directory does not flow, or names a key epoch whose secret is missing here.
func (n *Node) keepStanding() {
	for {
		if n.unstored.Load() {
			if err := n.directory.Again(); err != nil {
				n.o.Log.Error("directory is in force but could not be stored", "cause", err)
			}
		}
		if n.directory.Reached() && n.misjudged() {
			if err := n.directory.Again(); err != nil {
				n.o.Log.Error("directory has us active, and could not be taken again", "cause", err)
			}
		}
		if !n.directory.Reached() || n.lacksSecret() {
			if err := n.askStanding(); err != nil && n.ctx.Err() == nil {
				n.o.Log.Info("registry does not answer", "cause", err)
			}
		}
		if !n.directory.Reached() && n.keysWait() {
			if err := n.askAsNext(); err != nil && n.ctx.Err() == nil {
				n.o.Log.Info("the next keys are not the agency's yet", "cause", err)
			}
		}
		if !n.wait(n.o.Pauses.Registry, n.asking) {
			return
		}
	}
}

// misjudged reports whether the directory has us active, and a server that did not
// know it yet has told us otherwise.
func (n *Node) misjudged() bool {
	d := n.roster.Directory()
	if d == nil || directory.Status(n.standing.Load()) == directory.Active {
		return false
	}
	own, ok := d.Agency(n.agency.ID)
	return ok && own.Status == directory.Active
}

// askStanding takes the admission when it comes, and with it the secrets that
// the directory will vouch for.
func (n *Node) askStanding() error {
	before := n.flow.directory.Load()
	st, err := membership.Ask(n.ctx, n.host, n.roster.Servers(), nil, n.keys.Age)
	if err != nil {
		return err
	}
	if st.Status == directory.Suspended && directory.Status(n.standing.Load()) != directory.Suspended {
		if err := n.flow.Leave(before); err != nil {
			return err
		}
	}
	n.standing.Store(int32(st.Status))
	if st.Status != directory.Active {
		return nil
	}
	n.offer(st.Secrets)
	n.admit()
	if d := n.roster.Directory(); d != nil {
		return n.takeSecrets(d)
	}
	return nil
}

// keepDirectory follows the directory, once this agency is admitted.
func (n *Node) keepDirectory() {
	select {
	case <-n.admitted:
		n.directory.Run(n.ctx)
	case <-n.ctx.Done():
	}
}

// keepCatchingUp announces what waits for its token, whenever something does;
// and then, batch by batch, what has one of an older key.
func (n *Node) keepCatchingUp() {
	for n.ctx.Err() == nil {
		done, err := n.flow.CatchUp(n.ctx)
		if done > 0 {
			n.o.Log.Info("waiting identifiers announced", "identifiers", done)
			continue
		}
		more := false
		if err == nil {
			more, err = n.flow.Renew(n.ctx)
		}
		if more {
			continue
		}
		if err == nil {
			err = n.dropSecrets()
		}
		if err != nil && n.ctx.Err() == nil {
			n.o.Log.Info("identifiers go on waiting", "cause", err)
		}
		pause := time.Hour // nothing waits until it says so, or another day begins
		if err != nil {
			pause = n.o.Pauses.Registry
		}
		n.wait(pause, n.flow.waiting)
	}
}

// keepDeriving derives our identifiers for members that joined after them, and
// drops what was derived in epochs that are no more.
func (n *Node) keepDeriving() {
	for n.ctx.Err() == nil {
		more, err := n.flow.DeriveNext()
		if err == nil && !more {
			more, err = n.flow.LookAgain()
		}
		if err == nil && !more {
			more, err = n.flow.CloseAudiences()
		}
		if err == nil && !more {
			more, err = n.flow.Sweep()
		}
		if err != nil {
			n.o.Log.Error("tags could not be derived", "cause", err)
			n.wait(n.o.Pauses.Registry, nil)
			continue
		}
		if !more {
			n.wait(time.Hour, n.flow.joined)
		}
	}
}

// keepCompacting lets our feeds forget what was purged.
func (n *Node) keepCompacting() {
	for n.ctx.Err() == nil {
		more, err := n.flow.Compact()
		if err != nil {
			n.o.Log.Error("a feed could not be compacted", "cause", err)
			n.wait(n.o.Pauses.Registry, nil)
			continue
		}
		if !more {
			n.wait(time.Hour, n.flow.compact)
		}
	}
}

// linkedToRegistry reports whether a link to a registry server is up: an
// applicant has no directory to follow yet.
func (n *Node) linkedToRegistry() bool {
	return slices.ContainsFunc(n.roster.Servers(), func(s directory.NetworkServer) bool { return n.host.Connected(s.Key) })
}

// Directory is the newest directory, nil before admission.
func (n *Node) Directory() *directory.Directory { return n.roster.Directory() }

// troubles are what of the registry and of this agency's standing needs somebody
// to look at it.
func (n *Node) troubles() []string {
	var list []string
	if n.forked.Load() {
		list = append(list, "Servers of the registry have signed two directories of one version. Call the centre before you rely on what this page shows; the node goes on with the one that it had first.")
	}
	if n.unstored.Load() {
		list = append(list, "The directory in force could not be written to this node's disk. The node's log says why.")
	}
	if n.otherKey.Load() {
		list = append(list, "The registry knows this agency by another key than the one on this node: nobody speaks with it. If the key was changed elsewhere, this node must not run any more; otherwise call the centre.")
	}
	if n.keysWait() {
		list = append(list, "New keys of this agency wait for two operators of the registry to approve them.")
	}
	return list
}

// Status is how the federation stands as this node sees it.
func (n *Node) Status() desk.NetworkStatus {
	st := desk.NetworkStatus{
		Standing:          directory.Status(n.standing.Load()),
		RegistryReachable: n.directory.Reached() || n.linkedToRegistry(),
	}
	waiting, err := n.flow.Waiting()
	if err != nil {
		n.o.Log.Error("waiting identifiers could not be counted", "cause", err)
	}
	st.Waiting = waiting
	if st.Renewal, err = n.flow.Renewal(); err != nil {
		n.o.Log.Error("how far tokens are made anew could not be read", "cause", err)
	}
	st.Troubles = n.troubles()
	for _, c := range n.host.Counts() {
		st.Refused = append(st.Refused, desk.Refused{Protocol: c.Protocol, Code: c.Code.String(), By: c.By, Count: c.N})
	}
	d := n.roster.Directory()
	if d == nil {
		return st
	}
	if st.Members, err = n.memberLines(d); err != nil {
		n.o.Log.Error("how far members are could not be read", "cause", err)
	}
	slices.SortFunc(st.Members, func(a, b desk.MemberLine) int { return strings.Compare(a.Agency.Name, b.Agency.Name) })
	return st
}
