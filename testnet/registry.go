package testnet

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"

	"interlock/protocol/directory"
	"interlock/protocol/invitation"
	"interlock/protocol/wire"
	"interlock/replication/centre"
)

// Server is one registry server of the federation, running or stopped.
type Server struct {
	net    *Net
	config string
	peer   wire.Peer

	mu     sync.Mutex
	server *centre.Server // owned by mu; nil while stopped
}

// found founds the registry and starts its servers.
func (n *Net) found() error {
	ports, err := n.ports.Free(n.plan.Servers)
	if err != nil {
		return err
	}
	f := centre.Rehearsal{
		Name: "Testnet", Dir: filepath.Dir(n.network), Threshold: n.plan.Threshold, Operators: operators,
	}
	for i, port := range ports {
		f.Servers = append(f.Servers, centre.FoundingServer{
			Name: fmt.Sprintf("server-%d", i+1), Listen: []string{fmt.Sprintf("/ip4/127.0.0.1/tcp/%d", port)},
		})
	}
	network, err := centre.Rehearse(f)
	if err != nil {
		return fmt.Errorf("found the registry: %w", err)
	}
	for i, s := range network.Servers {
		config := filepath.Join(f.Dir, fmt.Sprintf("server-%d", i+1), "registry.toml")
		n.servers = append(n.servers, &Server{net: n, config: config, peer: s.Key})
	}
	for _, s := range n.servers {
		if err := s.Start(); err != nil {
			return err
		}
	}
	return n.AwaitDirectory(context.Background(), func(d *directory.Directory) bool {
		_, made := d.Current()
		return made
	})
}

// AwaitDirectory returns once the registry's directory shows what is wanted.
func (n *Net) AwaitDirectory(ctx context.Context, shows func(*directory.Directory) bool) error {
	return n.As(operators[0], func(o *centre.Operator) error {
		_, err := o.Await(ctx, shows)
		return err
	})
}

// Start starts the server.
func (s *Server) Start() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, err := centre.Load(s.config)
	if err != nil {
		return err
	}
	lock, err := c.Lock()
	if err != nil {
		return err
	}
	s.server, err = centre.Start(context.Background(), centre.Options{
		Config: c, Unlock: lock, Timing: centre.QuickTiming(), Patience: s.net.plan.Patience, Cut: s.net.faults.from(s.peer), Log: s.net.plan.Log,
	})
	return err
}

// Stop stops the server as a kill would, if it runs: nobody is told.
func (s *Server) Stop() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.server == nil {
		return nil
	}
	server := s.server
	s.server = nil
	return server.Kill()
}

// Peer is the server's key.
func (s *Server) Peer() wire.Peer { return s.peer }

// Addresses are the multiaddrs it listens on; it must run.
func (s *Server) Addresses() []string { return s.running().Addresses() }

func (s *Server) running() *centre.Server {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.server
}

func (s *Server) review() {
	if server := s.running(); server != nil {
		server.Host().Review()
	}
}

// Leader returns the server that leads, once there is one.
func (n *Net) Leader(ctx context.Context) (leader *Server, err error) {
	err = n.await(ctx, "a leader", func() (bool, error) {
		for _, s := range n.servers {
			if server := s.running(); server != nil && server.Status().Leading {
				leader = s
			}
		}
		return leader != nil, nil
	})
	return leader, err
}

// Invite has an operator invite somebody.
func (n *Net) Invite(ctx context.Context, label string) (v invitation.Invitation, err error) {
	err = n.As(operators[0], func(o *centre.Operator) (err error) {
		v, err = o.Invite(ctx, label, 7)
		return err
	})
	return v, err
}

// Decide has one operator decide upon an agency.
func (n *Net) Decide(ctx context.Context, operator string, verb centre.Verb, agency, reason string) error {
	return n.As(operator, func(o *centre.Operator) error {
		return n.await(ctx, operator+" to decide upon "+agency, func() (bool, error) {
			err := o.Decide(ctx, verb, directory.AgencyID(agency), reason)
			if errors.Is(err, centre.ErrNoSubject) {
				return false, nil // a server that hears from no leader shows what it knew
			}
			return err == nil, err
		})
	})
}

// As does something as one of the operators.
func (n *Net) As(operator string, do func(*centre.Operator) error) (err error) {
	keys := filepath.Join(filepath.Dir(n.network), "operators", operator+".age")
	o, err := centre.LoadOperator(n.network, keys, "", slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, o.Close()) }()
	return do(o)
}
