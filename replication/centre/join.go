package centre

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"

	"interlock/crypto/oprf"
	"interlock/protocol/directory"
	"interlock/protocol/link"
	"interlock/protocol/wire"
)

// askToJoin is how often a server that waits to be added asks.
const askToJoin = 2 * time.Second

// askTry bounds how long one server is asked for the directory.
const askTry = 10 * time.Second

// number is that of the server with a key in the newest directory that this one
// has seen, or in the founding document; 0 for none.
func (s *Server) number(key wire.Peer) oprf.Index {
	for _, m := range s.known() {
		if m.Key == key {
			return m.Index
		}
	}
	return 0
}

// known are the network's servers as far as the disk has it.
func (s *Server) known() []directory.Server {
	if d := s.published.directory(); d != nil {
		return d.Servers
	}
	return s.secrets.foundation.Founders
}

// awaitNumber returns this server's number. One that is not among the servers
// it knows waits until operators have added it: it follows the directory from
// the founders on, by the chain of signatures.
func (s *Server) awaitNumber(ctx context.Context, o Options) (oprf.Index, error) {
	key := wire.PeerOf(s.secrets.keys.Signing)
	if n := s.number(key); n != 0 {
		return n, ctx.Err()
	}
	told, err := o.Config.told(s.secrets.foundation.Hash)
	if err != nil {
		return 0, err
	}
	host, err := link.New(link.Options{Key: s.secrets.keys.Signing, Cut: o.Cut, Log: s.log, Roles: func(p wire.Peer) wire.Role {
		if s.number(p) != 0 || slices.ContainsFunc(told, func(m directory.Server) bool { return m.Key == p }) {
			return wire.RegistryServer
		}
		return wire.Nobody
	}})
	if err != nil {
		return 0, err
	}
	err = s.followToNumber(ctx, host, key, told)
	return s.number(key), errors.Join(err, host.Close())
}

// told are the servers of the network file, where one was put into the folder of
// a server that is new: of the founders none may be left. What they show is
// believed by the chain of signatures from the founders on, as anybody's.
func (c Config) told(genesis directory.GenesisHash) (list []directory.Server, err error) {
	b, err := os.ReadFile(c.path(networkFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	n, err := directory.ParseNetwork(b)
	if err == nil && n.Genesis != genesis {
		err = directory.ErrOtherNetwork
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", networkFile, err)
	}
	for _, m := range n.Servers {
		list = append(list, directory.Server{Index: m.Index, Name: m.Name, Key: m.Key, Addresses: m.Addresses})
	}
	return list, nil
}

func (s *Server) followToNumber(ctx context.Context, host *link.Host, key wire.Peer, told []directory.Server) error {
	s.log.Info("registry server waits to be added by two operators")
	ticker := time.NewTicker(askToJoin)
	defer ticker.Stop()
	for {
		for _, m := range slices.Concat(s.known(), told) {
			if err := host.SetAddresses(m.Key, m.Addresses); err != nil {
				return err
			}
			if err := s.askDirectory(ctx, host, m.Key); err != nil {
				s.log.Debug("server does not show the directory yet", "cause", err)
			}
			if s.number(key) != 0 {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
	}
}

// askDirectory takes the newest directory that a server shows, by the chain of
// signatures from the one on the disk, or from the founders.
func (s *Server) askDirectory(ctx context.Context, host *link.Host, server wire.Peer) error {
	ctx, cancel := context.WithTimeout(ctx, askTry)
	defer cancel()
	f := s.secrets.foundation
	chain := directory.FromTrust(f.Trust())
	if signed, _, _ := s.published.get(); signed != nil {
		var err error
		if chain, err = directory.Resume(signed, f.Hash); err != nil {
			return err
		}
	}
	led, d, err := followDirectory(ctx, host, server, chain, nil)
	if err != nil || len(led) == 0 {
		return err
	}
	return s.keepPublished(led[len(led)-1], d)
}

// seek asks the servers that this one knows for the newest directory while it
// hears from no leader: one of whom it never heard may lead by now, and could not
// reach it as long as it takes that one for a stranger.
func (s *Server) seek() {
	ticker := time.NewTicker(askToJoin)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-s.ctx.Done():
			return
		}
		if s.Status().Leader != 0 {
			continue
		}
		for _, m := range s.known() {
			if m.Key == s.Peer() {
				continue
			}
			if err := s.askDirectory(s.ctx, s.host, m.Key); err != nil && s.ctx.Err() == nil {
				s.log.Debug("server does not show the directory", "server", s.Index(), "other", m.Index, "cause", err)
			}
		}
	}
}
