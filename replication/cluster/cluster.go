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
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"interlock/crypto/oprf"
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
	// ErrOtherNetwork says that the folder belongs to another network.
	ErrOtherNetwork = errors.New("the folder belongs to another network")
)

// Options are what a Cluster is opened with.
type Options struct {
	Folder  *Folder // claimed; Close releases it
	Host    *link.Host
	Genesis *wire.Genesis
	Self    oprf.Index // this server's number in Genesis
	Timing  Timing     // zero for the defaults
	Log     *slog.Logger
}

// Cluster is one server's part in the replication. Its methods may be called
// from any goroutine.
type Cluster struct {
	self      oprf.Index
	host      *link.Host
	folder    *Folder
	timing    Timing
	log       *slog.Logger
	peers     map[raft.ServerAddress]server
	machine   *machine
	changed   *broadcast
	layer     *streamLayer
	transport *raft.NetworkTransport
	raft      *raft.Raft
	journal   *journal
	closed    chan struct{}
	once      sync.Once // of Close
}

// server is one voter.
type server struct {
	index oprf.Index
	peer  wire.Peer
}

// Open takes part in the cluster, founding it where the folder is new. It
// takes over the host's raft and propose protocols.
func Open(o Options) (*Cluster, error) {
	state, err := registry.New(o.Genesis)
	if err != nil {
		return nil, fmt.Errorf("open cluster: %w", err)
	}
	if o.Self < 1 || int(o.Self) > len(state.Servers) || state.Servers[o.Self-1].Key != o.Host.Peer() {
		return nil, fmt.Errorf("open cluster: this key is not that of server %d", o.Self)
	}
	c := &Cluster{
		self: o.Self, host: o.Host, folder: o.Folder, timing: o.Timing.orDefault(), log: o.Log,
		peers: make(map[raft.ServerAddress]server), changed: newBroadcast(), closed: make(chan struct{}),
	}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	for _, s := range state.Servers {
		c.peers[addressOf(s.Key)] = server{index: s.Index, peer: s.Key}
	}
	c.machine = newMachine(state, c.changed.notify)
	c.layer = newStreamLayer(o.Host, c.peers)
	if err := c.start(state); err != nil {
		return nil, errors.Join(fmt.Errorf("open cluster: %w", err), c.layer.Close())
	}
	o.Host.Handle(wire.ProtocolRaft, c.layer.serve)
	o.Host.Handle(wire.ProtocolPropose, c.serveProposals)
	return c, nil
}

func (c *Cluster) start(state *registry.State) (err error) {
	logger := bridge(c.log, c.peers)
	if c.journal, err = openLog(c.folder, c.log); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.journal.Close())
		}
	}()
	snapshots, err := raft.NewFileSnapshotStoreWithLogger(c.folder.path, snapshotsKept, logger)
	if err != nil {
		return fmt.Errorf("open snapshots: %w", err)
	}
	c.transport = raft.NewNetworkTransportWithConfig(&raft.NetworkTransportConfig{
		Stream: c.layer, MaxPool: pooledStreams, MaxRPCsInFlight: rpcsInFlight, Timeout: c.timing.rpc(), Logger: logger,
	})
	defer func() {
		if err != nil {
			err = errors.Join(err, c.transport.Close())
		}
	}()
	config := c.timing.config(c.layer.self, logger)
	if err := found(c.folder, state, config, c.journal, snapshots, c.transport); err != nil {
		return err
	}
	if c.raft, err = raft.NewRaft(config, c.machine, c.journal, c.journal, snapshots, c.transport); err != nil {
		return fmt.Errorf("start raft: %w", err)
	}
	c.raft.RegisterObserver(raft.NewObserver(nil, false, c.observe))
	c.changed.notify()
	return nil
}

// observe is called by raft, which must not wait for us.
func (c *Cluster) observe(o *raft.Observation) bool {
	switch o.Data.(type) {
	case raft.LeaderObservation, raft.RaftState:
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
	close(c.closed)
	// Raft waits for calls under way; without their streams they end at once.
	err := c.transport.Close()
	if stop := c.raft.Shutdown().Error(); stop != nil {
		err = errors.Join(err, fmt.Errorf("stop raft: %w", stop))
	}
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
	if c.raft.State() != raft.Leader || len(c.peers) == 1 {
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

// Status is where this server stands.
type Status struct {
	Leader  oprf.Index // the server that leads, as far as is known here; 0 for none
	Leading bool       // this one does
	Applied uint64     // log index of the last command in the state
}

// Status returns where this server stands now.
func (c *Cluster) Status() Status {
	leader, ok := c.leader()
	s := Status{Leading: c.raft.State() == raft.Leader, Applied: c.machine.lastApplied()}
	if ok {
		s.Leader = leader.index
	}
	return s
}

// leader returns the server that leads, as far as is known here.
func (c *Cluster) leader() (server, bool) {
	address, _ := c.raft.LeaderWithID()
	s, ok := c.peers[address]
	return s, ok
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
