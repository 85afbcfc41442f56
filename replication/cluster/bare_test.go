package cluster

import (
	"context"
	"errors"
	"io"
	"testing"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"github.com/cockroachdb/pebble/v2/vfs"

	"interlock/protocol/link"
	"interlock/protocol/wire"
)

// idle is a state machine without a state.
type idle struct{}

func (idle) Apply(*raft.Log) any                 { return nil }
func (idle) Snapshot() (raft.FSMSnapshot, error) { return snapshot{}, nil }
func (idle) Restore(from io.ReadCloser) error    { return from.Close() }

// bareConfig is what a transport of ours runs with, for any kind of stream.
func bareConfig() *raft.NetworkTransportConfig {
	return &raft.NetworkTransportConfig{
		MaxPool: pooledStreams, MaxRPCsInFlight: rpcsInFlight, Timeout: unhurried.rpc(), Logger: hclog.NewNullLogger(),
	}
}

// raftOverTCP runs three servers on raft's own transport and returns the one
// that leads.
func raftOverTCP(b *testing.B, machine func() raft.FSM) *raft.Raft {
	var transports []raft.Transport
	for range 3 {
		t, err := raft.NewTCPTransportWithConfig("127.0.0.1:0", nil, bareConfig())
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(closing(b, t.Close))
		transports = append(transports, t)
	}
	return lead(b, transports, machine)
}

// raftOverLinks is the same on streams of links.
func raftOverLinks(b *testing.B) *raft.Raft {
	peers := make(map[raft.ServerAddress]server)
	roles := func(wire.Peer) wire.Role { return wire.RegistryServer }
	var hosts []*link.Host
	for range 3 {
		h, err := link.New(link.Options{Key: newKey(b), Listen: []string{"/ip4/127.0.0.1/tcp/0"}, Roles: roles})
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(closing(b, h.Close))
		hosts = append(hosts, h)
		peers[addressOf(h.Peer())] = server{peer: h.Peer()}
	}
	var transports []raft.Transport
	for _, h := range hosts {
		for _, other := range hosts {
			if err := h.SetAddresses(other.Peer(), other.Addresses()); err != nil {
				b.Fatal(err)
			}
		}
		dial := func(ctx context.Context, to raft.ServerAddress) (*link.Stream, error) {
			return h.Open(ctx, peers[to].peer, wire.ProtocolRaft)
		}
		config, layer := bareConfig(), newStreamLayer(h.Peer(), dial)
		config.Stream = layer
		t := raft.NewNetworkTransportWithConfig(config)
		b.Cleanup(closing(b, t.Close))
		h.Handle(wire.ProtocolRaft, layer.serve)
		transports = append(transports, t)
	}
	return lead(b, transports, func() raft.FSM { return idle{} })
}

// lead starts a server on each transport, with its log on disk, and returns
// the one that they elect.
func lead(b *testing.B, transports []raft.Transport, machine func() raft.FSM) *raft.Raft {
	var voters raft.Configuration
	for _, t := range transports {
		voters.Servers = append(voters.Servers, raft.Server{ID: raft.ServerID(t.LocalAddr()), Address: t.LocalAddr()})
	}
	elected := make(chan *raft.Raft, len(transports))
	for _, t := range transports {
		config := unhurried.config(t.LocalAddr(), hclog.NewNullLogger())
		leads := make(chan bool, 8)
		config.NotifyCh = leads
		store := journalAt(b, b.TempDir(), vfs.Default)
		b.Cleanup(closing(b, store.Close))
		snapshots := raft.NewDiscardSnapshotStore()
		if err := raft.BootstrapCluster(config, store, store, snapshots, t, voters); err != nil {
			b.Fatal(err)
		}
		r, err := raft.NewRaft(config, machine(), store, store, snapshots, t)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(closing(b, func() error { return r.Shutdown().Error() }))
		go func() {
			for range leads {
				if r.VerifyLeader().Error() == nil {
					elected <- r
					return
				}
			}
		}()
	}
	return <-elected
}

func closing(b *testing.B, close func() error) func() {
	return func() {
		if err := close(); err != nil && !errors.Is(err, raft.ErrRaftShutdown) {
			b.Error(err)
		}
	}
}
