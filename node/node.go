// Package node is an agency's node: its keys, its store, its links, the flow of
// identifiers between them, and the officers' pages on top.
//
// Flow is the way of an identifier; Node is the wiring around it: it opens
// what a configuration names, runs the tasks that never end (following the
// directory and the members' feeds, catching up on tokens), and closes
// everything in order. cmd/interlock and testnet start nodes.
package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"interlock/crypto/token"
	"interlock/crypto/vault"
	"interlock/node/alert"
	"interlock/node/desk"
	"interlock/node/exchange"
	"interlock/node/membership"
	"interlock/node/store"
	"interlock/node/tokens"
	"interlock/protocol/directory"
	"interlock/protocol/link"
	"interlock/protocol/wire"
)

// Options are what a node is started from.
type Options struct {
	Config Config
	Unlock vault.Lock // opens identity.age
	Log    *slog.Logger
	Pauses Pauses
	// Cut and Disk are a testnet's faults: see link.Options and store.Options.
	Cut  func(wire.Peer) bool
	Disk func() error
	// Direct is up to how many members are all linked and followed directly; 0 for
	// DefaultDirect.
	Direct int
}

// DefaultDirect is up to how many members a node follows all directly. In a larger
// network it is linked to some, and hears of the feeds of the others by gossip.
const DefaultDirect = 64

// Pauses are the waits between attempts at what does not go now.
type Pauses struct {
	Registry time.Duration // asking the registry again
	Feed     exchange.Pause
	Receipts time.Duration // after our feeds have grown, before members are asked how far they are
	Spread   exchange.Spreading
}

// DefaultPauses are those of a node in service.
var DefaultPauses = Pauses{Registry: 3 * time.Second, Feed: exchange.Pause{First: 250 * time.Millisecond, Last: 15 * time.Second}, Receipts: 3 * time.Second, Spread: exchange.DefaultSpreading}

// Node is a running node.
type Node struct {
	o         Options
	agency    directory.Agency
	keys      *vault.Keys
	store     *store.Store
	host      *link.Host
	roster    *membership.Roster
	directory *membership.Follower
	flow      *Flow
	followers *exchange.Followers
	spread    *exchange.Spread
	tokens    *tokens.Queue
	desk      *desk.Desk
	standing  atomic.Int32  // directory.Status, as the registry last said
	unstored  atomic.Bool   // the directory in force is not on the disk
	forked    atomic.Bool   // the registry signed two directories of one version
	otherKey  atomic.Bool   // the directory knows the agency by another key
	admitted  chan struct{} // closed once the registry or the disk says that we are a member
	admitting sync.Once     // of the closing
	asking    chan struct{} // receives, without blocking, when a secret is missing

	next   *vault.Keys // owned by keepStanding; as the file said that was written at nextOf
	nextOf time.Time

	offering sync.Mutex
	offered  map[token.Epoch]token.Secret // owned by offering; sent and not yet vouched for

	failed chan error // has room for every server, and for ErrKeysChanged

	ctx    context.Context
	cancel context.CancelFunc
	tasks  sync.WaitGroup
}

// Start opens the node's folder and runs it until Close.
func Start(o Options) (*Node, error) {
	n := &Node{o: o, agency: o.Config.agency(), admitted: make(chan struct{}), asking: make(chan struct{}, 1), failed: make(chan error, 3)}
	n.ctx, n.cancel = context.WithCancel(context.Background())
	if err := n.open(); err != nil {
		return nil, errors.Join(fmt.Errorf("start node %s: %w", o.Config.Agency, err), n.Close())
	}
	for _, task := range []func(){n.keepStanding, n.keepDirectory, n.keepCatchingUp, n.keepDeriving, n.keepCompacting, n.keepAcks, n.keepReporting, n.keepReceipts, n.keepSpreading} {
		n.tasks.Go(task)
	}
	return n, nil
}

// open brings up everything that can fail.
func (n *Node) open() (err error) {
	if err := n.loadKeys(); err != nil {
		return err
	}
	network, err := loadNetwork(n.o.Config)
	if err != nil {
		return err
	}
	n.roster = membership.NewRoster(network)
	n.store, err = store.Open(store.Options{
		Dir: n.o.Config.path("store"), Key: n.keys.Disk, Agency: n.agency.ID, Cache: int64(n.o.Config.Cache) << 20, Log: n.o.Log, Disk: n.o.Disk,
	})
	if err != nil {
		return err
	}
	if err := n.takeOver(); err != nil {
		return err
	}
	if n.host, err = link.New(link.Options{
		Key: n.keys.Signing, Listen: n.o.Config.Listen, Roles: n.roster.Role, Cut: n.o.Cut, Log: n.o.Log,
		Relay: n.o.Config.Relay, Relays: n.o.Config.Relays,
	}); err != nil {
		return err
	}
	return n.wire(network)
}

// loadKeys makes the keys in the folder this node's.
func (n *Node) loadKeys() (err error) {
	if n.keys, err = vault.LoadKeys(n.o.Config.path(identityFile), n.o.Unlock); err != nil {
		return fmt.Errorf("open %s: %w", identityFile, err)
	}
	n.agency.Key = wire.PeerOf(n.keys.Signing)
	n.agency.Recipient = n.keys.Age.Recipient()
	return nil
}

// wire connects the parts.
func (n *Node) wire(network directory.Network) error {
	for _, s := range network.Servers {
		if err := n.host.SetAddresses(s.Key, s.Addresses); err != nil {
			return fmt.Errorf("registry server %s: %w", s.Name, err)
		}
	}
	queue, err := tokens.NewQueue(tokens.New(n.host, n.roster.Directory, n.o.Log))
	if err != nil {
		return err
	}
	n.tokens = queue
	n.flow = &Flow{
		self: n.agency.ID, key: n.keys.Signing, store: n.store, now: time.Now, log: n.o.Log,
		tokens: n.tokens,
		raised: n.raised,
		acked:  make(chan struct{}, 1), waiting: make(chan struct{}, 1), joined: make(chan struct{}, 1), compact: make(chan struct{}, 1), evidence: make(chan struct{}, 1),
	}
	n.followers = exchange.NewFollowers(n.flow, n.host, n.o.Pauses.Feed, n.flow.Convict, n.o.Log, time.Now)
	n.directory = &membership.Follower{
		Roster: n.roster, Open: n.host, Log: n.o.Log, Pause: n.o.Pauses.Registry, Take: n.takeDirectory,
		Software: Software, Forked: func(error) { n.forked.Store(true) },
	}
	n.desk = desk.New(desk.Options{
		Agency: n.agency, Store: n.store, Flow: n.flow, Network: n, Coverage: n, Now: time.Now,
		MuteTags: n.flow.MuteTags, Unmuted: func() { poke(n.flow.joined) },
	})
	server := &exchange.Server{Self: n.agency.ID, Source: n.flow, Acknowledged: n.flow.Acknowledge}
	n.host.Handle(wire.ProtocolFeed, func(ctx context.Context, s *link.Stream) error {
		reader, ok := n.member(s.Peer())
		if !ok {
			return wire.Refuse(wire.CodeRefused, errNoMember)
		}
		return server.Serve(ctx, reader, s)
	})
	n.spread = exchange.NewSpread(exchange.SpreadOptions{
		Self: n.agency.ID, Followers: n.followers, Source: n.flow, Directory: n.roster.Directory, Log: n.o.Log, Pause: n.o.Pauses.Spread,
	})
	n.host.Handle(wire.ProtocolReceipts, n.serveReceipts)
	n.host.Handle(wire.ProtocolHoldings, n.spread.Answer)
	if err := n.flow.Begin(); err != nil {
		return err
	}
	return n.restore()
}

var errNoMember = errors.New("not a member as we know it")

// member is the active agency that holds a key.
func (n *Node) member(p wire.Peer) (directory.AgencyID, bool) {
	d := n.roster.Directory()
	if d == nil {
		return "", false
	}
	a, ok := d.AgencyOf(p)
	return a.ID, ok && a.Status == directory.Active
}

// raised passes alerts on to the officers who look.
func (n *Node) raised(alerts []alert.Alert) {
	n.o.Log.Info("alerts raised", "alerts", len(alerts))
	if err := n.desk.Raised(alerts); err != nil {
		n.o.Log.Error("alerts are in the inbox, but could not be pushed", "cause", err)
	}
}

// Desk is what officers work at.
func (n *Node) Desk() *desk.Desk { return n.desk }

// Agency is the node's own agency as the network knows it.
func (n *Node) Agency() directory.Agency { return n.agency }

// Addresses are the multiaddrs the node listens on.
func (n *Node) Addresses() []string { return n.host.Addresses() }

// Host is the node's end of every link.
func (n *Node) Host() *link.Host { return n.host }

// View reads the node's store.
func (n *Node) View(f func(*store.Tx) error) error { return n.store.View(f) }

// Close ends the tasks and the links, and closes the store last.
func (n *Node) Close() error {
	n.cancel()
	var errs []error
	if n.host != nil {
		errs = append(errs, n.host.Close())
	}
	if n.tokens != nil {
		n.tokens.Close()
	}
	n.tasks.Wait()
	if n.followers != nil {
		n.followers.Wait()
	}
	if n.store != nil {
		errs = append(errs, n.store.Close())
	}
	for _, keys := range []*vault.Keys{n.keys, n.next} {
		if keys != nil {
			keys.Destroy()
		}
	}
	return errors.Join(errs...)
}

// Software is what the registry's operators see that this node runs.
const Software = "interlock 0.3"
