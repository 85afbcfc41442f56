// Package cluster replicates the registry: Raft between the registry's servers,
// over streams of their links, with the log, the votes and the snapshots on disk.
// It is the only package that knows raft.
//
// It promises that a command whose Propose returned without an error is on the
// disks of a majority and in the state of every server from then on, whichever
// of them die; that Read sees every command acknowledged before it began,
// whichever server was asked; and that the cluster is founded once, from the
// genesis, and never founds itself again over state that was lost. While no
// majority can be reached nothing is taken, and View goes on showing what was.
//
// It does not decide anything: package registry does. Package centre is its
// only caller. DESIGN.md beside this file has the reasons.
package cluster

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"interlock/crypto/oprf"
	"interlock/protocol/directory"
	"interlock/protocol/link"
	"interlock/protocol/wire"
	"interlock/replication/registry"
)

// Errors that callers branch on; a registry.Refusal is the other kind.
var (
	// ErrUnavailable says that no majority of the servers could be reached in
	// time. The command may still be taken later.
	ErrUnavailable = errors.New("no majority of the registry's servers can be reached")
	// ErrClosed says that the cluster was closed here.
	ErrClosed = errors.New("cluster is closed")
	// ErrInUse says that another process has the folder.
	ErrInUse = errors.New("another process is running on this folder")
	// ErrStateLost says that a folder which took part once has lost its log.
	ErrStateLost = errors.New("this server's log was lost; restore the folder from its backup before it votes again")
	// ErrUnsettled says that a folder was left in the middle of a recovery.
	ErrUnsettled = errors.New("the folder is half rewritten: recover it again, or seed a new one")
	// ErrOutdated says that the network was recovered without this server.
	ErrOutdated = errors.New("the network was recovered without this server, whose log has no part in it any more")
	// ErrRemoved says that this server is none of the network's any more.
	ErrRemoved = errors.New("this server was removed from the network")
	// ErrOtherNetwork says that the folder belongs to another network.
	ErrOtherNetwork = errors.New("the folder belongs to another network")
)

// Options are what a Cluster is opened with.
type Options struct {
	Folder  *Folder // claimed; Close releases it
	Host    *link.Host
	Genesis *wire.Genesis
	Self    oprf.Index // this server's number
	// Servers are the network's as far as the caller knows, from the newest
	// directory it has: where a server that is new begins to ask. The founders
	// are known anyhow.
	Servers []directory.Server
	// Rejoin lets a folder that has lost its log, or was emptied, begin again
	// without one. It has no effect on a log that is there.
	Rejoin bool
	Timing Timing // zero for the defaults
	Log    *slog.Logger

	hooks hooks
}

// hooks are what a test puts between this package and the world.
type hooks struct {
	log  func(logStore) logStore            // a disk that is slow
	conn func(wire.Peer, net.Conn) net.Conn // a path that is open one way
}

// Cluster is one server's part in the replication. Its methods may be called
// from any goroutine.
type Cluster struct {
	self      oprf.Index
	host      *link.Host
	folder    *Folder
	timing    Timing
	log       *slog.Logger
	roster    *roster
	part      *membership
	machine   *machine
	changed   *broadcast
	layer     *streamLayer
	transport *raft.NetworkTransport
	raft      *raft.Raft
	started   chan struct{} // closed once raft is set
	journal   logStore
	ctx       context.Context // ends at Close
	cancel    context.CancelFunc
	tasks     sync.WaitGroup
	once      sync.Once // of Close

	changing sync.Mutex                    // held while raft's configuration is changed
	targets  map[raft.ServerAddress]uint64 // owned by changing: what one without a vote must have applied
}

// Open takes part in the cluster. A founder's new folder founds it; any other
// waits to be taken in. It takes over the host's raft and propose protocols,
// and its addresses of the network's servers.
func Open(o Options) (*Cluster, error) {
	state, err := registry.New(o.Genesis)
	if err != nil {
		return nil, fmt.Errorf("open cluster: %w", err)
	}
	if err := checkSelf(state.Foundation, server{o.Self, o.Host.Peer()}); err != nil {
		return nil, fmt.Errorf("open cluster: %w", err)
	}
	c := &Cluster{
		self: o.Self, host: o.Host, folder: o.Folder, timing: o.Timing.orDefault(), log: o.Log,
		roster: newRoster(), part: &membership{folder: o.Folder}, changed: newBroadcast(),
		targets: make(map[raft.ServerAddress]uint64), started: make(chan struct{}),
	}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	c.learn(state.Servers())
	c.learn(o.Servers)
	c.machine = newMachine(state, c.changed.notify)
	c.layer = newStreamLayer(o.Host.Peer(), c.dial)
	c.layer.wrap = o.hooks.conn
	if err := c.start(state, o); err != nil {
		c.cancel()
		return nil, errors.Join(fmt.Errorf("open cluster: %w", err), c.layer.Close())
	}
	o.Host.Handle(wire.ProtocolRaft, c.serveReplication)
	o.Host.Handle(wire.ProtocolPropose, c.serveProposals)
	c.tasks.Go(c.follow)
	if c.part.now().waiting {
		c.tasks.Go(c.join)
	}
	return c, nil
}

func (c *Cluster) start(state *registry.State, o Options) (err error) {
	log, err := openLog(c.folder, c.log)
	if err != nil {
		return err
	}
	c.journal = log
	if o.hooks.log != nil {
		c.journal = o.hooks.log(log)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.journal.Close())
		}
	}()
	c.transport = raft.NewNetworkTransportWithConfig(&raft.NetworkTransportConfig{
		Stream: c.layer, MaxPool: pooledStreams, MaxRPCsInFlight: rpcsInFlight, Timeout: c.timing.rpc(), Logger: c.bridge(),
	})
	defer func() {
		if err != nil {
			err = errors.Join(err, c.transport.Close())
		}
	}()
	snapshots, err := c.begin(state, o.Rejoin)
	if err != nil {
		return err
	}
	if c.raft, err = raft.NewRaft(c.config(), c.machine, c.journal, c.journal, snapshots, c.transport); err != nil {
		return fmt.Errorf("start raft: %w", err)
	}
	close(c.started)
	c.raft.RegisterObserver(raft.NewObserver(nil, false, c.observe))
	c.changed.notify()
	return nil
}

func (c *Cluster) bridge() hclog.Logger { return bridge(c.log, c.roster.named) }

func (c *Cluster) config() *raft.Config { return c.timing.config(c.layer.self, c.bridge()) }

// begin makes the folder ready for raft, as its past demands.
func (c *Cluster) begin(state *registry.State, rejoin bool) (raft.SnapshotStore, error) {
	how, m, err := c.folder.beginning(state.Foundation, server{c.self, c.host.Peer()}, c.journal, rejoin)
	if err != nil {
		return nil, err
	}
	if how == joins {
		// Marked first: whatever happens then, it joins again.
		if err := errors.Join(c.part.set(m, true), c.folder.clear()); err != nil {
			return nil, err
		}
	}
	snapshots, err := raft.NewFileSnapshotStoreWithLogger(c.folder.path, snapshotsKept, c.bridge())
	if err != nil {
		return nil, fmt.Errorf("open snapshots: %w", err)
	}
	if how == founds {
		err = c.found(state, c.config(), snapshots)
	}
	if err == nil && how != joins {
		err = c.part.set(m, false)
	}
	return snapshots, err
}

// observe is called by raft, which must not wait for us.
func (c *Cluster) observe(o *raft.Observation) bool {
	switch o.Data.(type) {
	case raft.LeaderObservation, raft.RaftState, raft.PeerObservation:
		c.changed.notify()
	}
	return false
}

// Sizes that raft runs with. The defaults stall a pipeline of small entries.
const (
	pooledStreams = 3
	rpcsInFlight  = 128
	appendEntries = 1024
	snapshotsKept = 2
)

func (t Timing) config(self raft.ServerAddress, logger hclog.Logger) *raft.Config {
	config := raft.DefaultConfig()
	config.LocalID = raft.ServerID(self)
	config.HeartbeatTimeout = t.Heartbeat
	config.ElectionTimeout = t.Election
	config.LeaderLeaseTimeout = t.Lease
	config.CommitTimeout = t.Commit
	config.MaxAppendEntries = appendEntries
	config.BatchApplyCh = true
	config.NoLegacyTelemetry = true
	config.ShutdownOnRemove = false // it may be taken back
	config.Logger = logger
	return config
}

// Close stops taking part: what was acknowledged is on the disk already. It
// releases the folder.
func (c *Cluster) Close() (err error) {
	c.once.Do(func() { err = c.close() })
	return err
}

func (c *Cluster) close() error {
	c.cancel()
	// Raft waits for calls under way; without their streams they end at once.
	err := c.transport.Close()
	if stop := c.raft.Shutdown().Error(); stop != nil {
		err = errors.Join(err, fmt.Errorf("stop raft: %w", stop))
	}
	c.tasks.Wait()
	if stop := c.journal.Close(); stop != nil {
		err = errors.Join(err, fmt.Errorf("close log: %w", stop))
	}
	err = errors.Join(err, c.folder.Release())
	c.changed.notify()
	return err
}

// StepDown hands the leadership to another server, where this one has it, so
// that nobody has to wait for an election. It gives up when ctx ends.
func (c *Cluster) StepDown(ctx context.Context) error {
	if c.raft.State() != raft.Leader || len(c.configuration().Servers) == 1 {
		return nil
	}
	if err := wait(ctx, c.raft.LeadershipTransfer()); err != nil {
		return fmt.Errorf("hand over leadership: %w", err)
	}
	return nil
}

// Compact writes a snapshot and lets go of the log before it. Raft does so by
// itself as the log grows.
func (c *Cluster) Compact() error {
	err := c.raft.Snapshot().Error()
	if err != nil && !errors.Is(err, raft.ErrNothingNewToSnapshot) {
		return fmt.Errorf("write snapshot: %w", err)
	}
	return nil
}

// View calls look with the state as it is here, which may be behind the
// cluster's. look must be quick, and keep nothing that it may not.
func (c *Cluster) View(look func(*registry.State)) { c.machine.view(look) }

// Changed returns a channel that is closed when the state here or the known
// leader has changed since the call. To miss nothing, take it before looking.
func (c *Cluster) Changed() <-chan struct{} { return c.changed.next() }

// wait waits for one of raft's futures, no longer than ctx. Raft answers every
// future when it loses the leadership or stops, so the goroutine ends.
func wait(ctx context.Context, f raft.Future) error {
	done := make(chan error, 1)
	go func() { done <- f.Error() }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// enqueueWait bounds how long raft's queue may be full.
const enqueueWait = 5 * time.Second
