// Package centre is one server of the registry: what a national centre runs.
//
// It answers members' evaluations with its share of the token key, sends the
// signed directory to whoever follows it, takes applications, and takes
// operators' decisions; all servers together replicate the registry's state
// (package cluster) by its rules (package registry).
//
// It promises that only an agency that is active now gets an evaluation, and all
// servers together give it no more than its budget of the day; that no server
// ever holds the token key; that it sees blinded elements and never an identifier; that it endorses no
// directory but the one that the replicated state says; and that without a
// majority of the servers it evaluates nothing, takes nothing, and goes on
// showing the last directory. It does not decide who is admitted: operators do.
//
// Found makes a network, Start runs a server, and an Operator is the
// operators' side. The command line and the testnet call it.
package centre

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"time"

	"interlock/crypto/oprf"
	"interlock/crypto/vault"
	"interlock/protocol/link"
	"interlock/protocol/wire"
	"interlock/replication/cluster"
	"interlock/replication/registry"
)

// Options are what a server is started with.
type Options struct {
	Config Config
	Unlock vault.Lock     // opens the server's identity; Config.Lock has it
	Timing cluster.Timing // zero for servers in different places
	// Patience is how long the others wait for a server that is silent in a key
	// ceremony; zero for DefaultPatience.
	Patience time.Duration
	Now      func() time.Time     // this server's clock; nil for the machine's
	Cut      func(wire.Peer) bool // as link.Options has it
	Observer Observer             // nil for none
	Log      *slog.Logger         // nil for none
}

// QuickTiming suits servers on one machine.
func QuickTiming() cluster.Timing {
	return cluster.Timing{
		Heartbeat: 500 * time.Millisecond, Election: 500 * time.Millisecond,
		Lease: 400 * time.Millisecond, Commit: 5 * time.Millisecond,
	}
}

// Server is a running server. Its methods may be called from any goroutine.
type Server struct {
	config  Config
	log     *slog.Logger
	secrets *secrets
	shares  *shares
	host    *link.Host
	cluster *cluster.Cluster
	now     func() time.Time

	patience time.Duration

	ctx    context.Context // of the tasks
	cancel context.CancelFunc
	tasks  sync.WaitGroup
	once   sync.Once // of the end
	ended  error

	opened    chan struct{} // closed once cluster is set; peers may call before
	ready     chan struct{} // closed once it has seen what was committed before it started
	published publication
	evaluate  chan struct{} // a slot for each evaluation at a time
	budgets   *budgets
	activity  *activity
	limits    *limits
	measured  *measured
}

// Start starts a server and returns when it listens. It may have no leader and
// know only what it knew before; it catches up by itself.
func Start(ctx context.Context, o Options) (*Server, error) {
	folder, err := cluster.Claim(o.Config.path(raftDir))
	if err != nil {
		return nil, fmt.Errorf("start registry server: %w", err)
	}
	s := &Server{
		config: o.Config, log: o.Log, now: o.Now, patience: o.Patience,
		limits: newLimits(time.Now), budgets: newBudgets(), activity: newActivity(), measured: newMeasured(o.Observer),
		evaluate: make(chan struct{}, runtime.GOMAXPROCS(0)), opened: make(chan struct{}), ready: make(chan struct{}),
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.now == nil {
		s.now = time.Now
	}
	if s.patience == 0 {
		s.patience = DefaultPatience
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	if err := s.start(ctx, o, folder); err != nil {
		return nil, errors.Join(fmt.Errorf("start registry server: %w", err), s.abandon(folder))
	}
	return s, nil
}

func (s *Server) start(ctx context.Context, o Options, folder *cluster.Folder) (err error) {
	if s.secrets, err = o.Config.open(o.Unlock); err != nil {
		return err
	}
	if s.shares, err = newShares(o.Config.path(sharesDir), s.secrets.keys.Age); err != nil {
		return err
	}
	if err := s.published.load(o.Config.path(directoryFile), s.secrets.foundation.Hash); err != nil {
		return err
	}
	self, err := s.awaitNumber(ctx, o)
	if err != nil {
		return err
	}
	if s.host, err = link.New(link.Options{
		Key: s.secrets.keys.Signing, Listen: o.Config.Listen, Roles: s.role, Cut: o.Cut, Log: s.log,
	}); err != nil {
		return err
	}
	rejoin, err := o.Config.rejoins()
	if err != nil {
		return err
	}
	c, err := cluster.Open(cluster.Options{
		Folder: folder, Host: s.host, Genesis: s.secrets.genesis, Self: self, Servers: s.known(), Rejoin: rejoin, Timing: o.Timing, Log: s.log,
	})
	if err != nil {
		return err
	}
	s.cluster = c
	s.rejoining()
	close(s.opened)
	s.serve()
	return nil
}

// serve answers peers and begins the tasks.
func (s *Server) serve() {
	s.handle(wire.ProtocolEvaluate, s.serveEvaluations)
	s.handle(wire.ProtocolDirectory, s.serveDirectory)
	s.handle(wire.ProtocolAdmission, s.serveAdmission)
	s.handle(wire.ProtocolOperate, s.serveOperator)
	s.handle(wire.ProtocolRecord, s.serveRecord)
	s.handle(wire.ProtocolEvidence, s.serveEvidence)
	s.tasks.Go(s.catchUp)
	s.tasks.Go(s.seek)
	s.tasks.Go(s.endorse)
	s.tasks.Go(s.publish)
	s.tasks.Go(s.holdCeremonies)
	s.tasks.Go(s.countDays)
	s.tasks.Go(s.keepTime)
	s.log.Info("registry server listens", "server", s.Index())
}

// Run runs a server until ctx ends.
func Run(ctx context.Context, o Options) error {
	s, err := Start(ctx, o)
	if err != nil {
		return err
	}
	<-ctx.Done()
	return s.Close()
}

// handOver bounds how long a server that stops waits for another to lead.
const handOver = 2 * time.Second

// Close hands the leadership over, where this server has it, and stops.
func (s *Server) Close() error {
	return s.end(func() error {
		ctx, cancel := context.WithTimeout(context.Background(), handOver)
		defer cancel()
		if err := s.cluster.StepDown(ctx); err != nil {
			s.log.Warn("leadership was not handed over", "cause", err)
		}
		return errors.Join(s.cluster.Close(), s.host.Close())
	})
}

// Kill stops as abruptly as one process can without dying: the links go first,
// and nobody is told. For tests of what the others do.
func (s *Server) Kill() error {
	return s.end(func() error { return errors.Join(s.host.Close(), s.cluster.Close()) })
}

func (s *Server) end(stop func() error) error {
	s.once.Do(func() {
		s.cancel()
		s.ended = stop()
		s.tasks.Wait()
		s.shares.destroy()
		s.secrets.destroy()
	})
	return s.ended
}

// abandon undoes a start that failed.
func (s *Server) abandon(folder *cluster.Folder) error {
	s.cancel()
	var err error
	if s.host != nil {
		err = s.host.Close()
	}
	if s.secrets != nil {
		s.secrets.destroy()
	}
	return errors.Join(err, folder.Release())
}

// Index is the server's number in the network, 0 where it has none: it was not
// added yet, or was removed.
func (s *Server) Index() (i oprf.Index) {
	s.cluster.View(func(state *registry.State) { i = s.indexIn(state) })
	return i
}

// indexIn is the server's number in a state.
func (s *Server) indexIn(state *registry.State) oprf.Index {
	self, _ := state.ServerOf(s.host.Peer())
	return self.Index
}

// Peer is the server's key.
func (s *Server) Peer() wire.Peer { return s.host.Peer() }

// Host is the server's end of its links.
func (s *Server) Host() *link.Host { return s.host }

// Addresses are the multiaddrs that the server listens on.
func (s *Server) Addresses() []string { return s.host.Addresses() }

// Status is where the server stands in the cluster.
func (s *Server) Status() cluster.Status { return s.cluster.Status() }

// View calls look with the registry's state as it is here.
func (s *Server) View(look func(*registry.State)) { s.cluster.View(look) }

// Changed is closed when the state here or the known leader changes.
func (s *Server) Changed() <-chan struct{} { return s.cluster.Changed() }
