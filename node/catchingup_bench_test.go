package node

import (
	"context"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/sec"
	"github.com/libp2p/go-libp2p/p2p/host/eventbus"
	"github.com/libp2p/go-libp2p/p2p/host/peerstore/pstoremem"
	"github.com/libp2p/go-libp2p/p2p/muxer/yamux"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	"github.com/libp2p/go-libp2p/p2p/net/upgrader"
	"github.com/libp2p/go-libp2p/p2p/security/noise"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	ma "github.com/multiformats/go-multiaddr"

	"interlock/node/exchange"
	"interlock/protocol/directory"
	"interlock/protocol/feed"
	"interlock/protocol/link"
	"interlock/protocol/wire"
)

const (
	caughtUpOn = 1_000_000 // entries of the other's feed
	ownBefore  = 10_000    // identifiers that the new member has
	inCommon   = 100
)

// BenchmarkCatchingUp is a member that has identifiers of its own and takes the
// whole feed of another for the first time: over real links, verified, matched,
// and on the disk at the end. The reference is a libp2p stream over which the
// same bytes are copied, and thrown away.
func BenchmarkCatchingUp(b *testing.B) {
	r := &registry{}
	own := people(b, ownBefore)
	denver := onDisk(b, "denver-pd", r, b.TempDir())
	denver.join(b, directory.Agency{ID: "boulder-so", Key: wire.PeerOf(signingKey("boulder-so")), Status: directory.Active})
	random := rand.NewChaCha8([32]byte{1})
	entries := make([]feed.Entry, caughtUpOn)
	for i := range entries {
		if i%(caughtUpOn/inCommon) == 0 {
			entries[i] = met(b, denver.agency.ID, uint64(i+1), own[i/(caughtUpOn/inCommon)])
			continue
		}
		entries[i] = strange(random, uint64(i+1))
	}
	denver.announce(b, entries)
	host := linked(b, denver.flow.key)
	server := &exchange.Server{Self: denver.agency.ID, Source: denver.flow, Acknowledged: denver.flow.Acknowledge}
	host.Handle(wire.ProtocolFeed, func(ctx context.Context, s *link.Stream) error {
		return server.Serve(ctx, "boulder-so", s)
	})
	boulder := boulderBefore(b, r, denver.agency)
	var ours, bare, faster []float64
	for n := 0; b.Loop(); n++ {
		b.StopTimer()
		began := boulder(b)
		b.StartTimer()
		mine := began(denver.agency, host)
		b.StopTimer()
		other := copied(b, caughtUpOn*feed.EntrySize)
		ours, bare = append(ours, caughtUpOn/mine.Seconds()), append(bare, caughtUpOn/other.Seconds())
		faster = append(faster, other.Seconds()/mine.Seconds())
		b.StartTimer()
	}
	b.ReportMetric(median(ours), "ours-entries/s")
	b.ReportMetric(median(bare), "reference-entries/s")
	b.ReportMetric(median(faster), "times-faster")
}

// boulderBefore is a member with identifiers of its own, each time anew as it was
// before it had anything of the other's.
func boulderBefore(b *testing.B, r *registry, denver directory.Agency) func(*testing.B) func(directory.Agency, *link.Host) time.Duration {
	dir := b.TempDir()
	func() {
		boulder := onDisk(b, "boulder-so", r, dir)
		boulder.join(b, denver)
		boulder.open(b, 1)
		boulder.enterMany(b, people(b, ownBefore))
		if err := boulder.store.Close(); err != nil {
			b.Fatal(err)
		}
	}()
	return func(b *testing.B) func(directory.Agency, *link.Host) time.Duration {
		again := filepath.Join(b.TempDir(), "boulder")
		if err := os.CopyFS(again, os.DirFS(dir)); err != nil {
			b.Fatal(err)
		}
		boulder := onDisk(b, "boulder-so", r, again)
		boulder.join(b, denver)
		return func(from directory.Agency, at *link.Host) time.Duration { return boulder.catchesUp(b, from, at) }
	}
}

// catchesUp follows another until its whole feed is on the disk here, and returns
// how long that took.
func (d *desktop) catchesUp(b *testing.B, from directory.Agency, at *link.Host) time.Duration {
	b.Helper()
	host := linked(b, d.flow.key)
	if err := host.SetAddresses(from.Key, at.Addresses()); err != nil {
		b.Fatal(err)
	}
	followers := exchange.NewFollowers(d.flow, host, DefaultPauses.Feed, d.flow.Convict, slog.New(slog.DiscardHandler), time.Now)
	ctx, cancel := context.WithCancel(b.Context())
	began := time.Now()
	followers.Set(ctx, []directory.Agency{from})
	for {
		changed := d.flow.Changed(from.ID)
		if d.flow.head(b, from.ID).Number == caughtUpOn {
			break
		}
		<-changed
	}
	took := time.Since(began)
	cancel()
	followers.Wait()
	alerts := d.meetings(b)
	if len(alerts) != 1 || len(alerts[0].Values) != inCommon {
		b.Fatalf("%d alerts, want one with %d grounds", len(alerts), inCommon)
	}
	if err := d.store.Close(); err != nil {
		b.Fatal(err)
	}
	return took
}

// copied is how long it takes to send so many bytes over a libp2p stream, TCP and
// Noise as links are, until the other side has read them.
func copied(b *testing.B, size int) time.Duration {
	b.Helper()
	server, client := bareSwarm(b, 1), bareSwarm(b, 2)
	if err := server.AddListenAddr(ma.StringCast("/ip4/127.0.0.1/tcp/0")); err != nil {
		b.Fatal(err)
	}
	read := make(chan error, 1)
	server.SetStreamHandler(func(s network.Stream) {
		n, err := io.Copy(io.Discard, s)
		if n != int64(size) && err == nil {
			err = io.ErrUnexpectedEOF
		}
		read <- err
	})
	client.Peerstore().AddAddrs(server.LocalPeer(), server.ListenAddresses(), time.Hour)
	chunk := make([]byte, wire.MaxBatch*feed.EntrySize)
	began := time.Now()
	s, err := client.NewStream(b.Context(), server.LocalPeer())
	if err != nil {
		b.Fatal(err)
	}
	for left := size; left > 0; left -= len(chunk) {
		chunk = chunk[:min(left, len(chunk))]
		if _, err := s.Write(chunk); err != nil {
			b.Fatal(err)
		}
	}
	if err := s.CloseWrite(); err != nil {
		b.Fatal(err)
	}
	if err := <-read; err != nil {
		b.Fatal(err)
	}
	return time.Since(began)
}

// bareSwarm is the libp2p that links stand on, without a gate or limits.
func bareSwarm(b *testing.B, seed byte) *swarm.Swarm {
	b.Helper()
	key, err := crypto.UnmarshalEd25519PrivateKey(signingKey(directory.AgencyID([]byte{seed})))
	if err != nil {
		b.Fatal(err)
	}
	id, err := peer.IDFromPrivateKey(key)
	if err != nil {
		b.Fatal(err)
	}
	known, err := pstoremem.NewPeerstore()
	if err != nil {
		b.Fatal(err)
	}
	muxers := []upgrader.StreamMuxer{{ID: yamux.ID, Muxer: yamux.DefaultTransport}}
	secure, err := noise.New(noise.ID, key, muxers)
	if err != nil {
		b.Fatal(err)
	}
	up, err := upgrader.New([]sec.SecureTransport{secure}, muxers, nil, nil, nil)
	if err != nil {
		b.Fatal(err)
	}
	over, err := tcp.NewTCPTransport(up, nil, nil)
	if err != nil {
		b.Fatal(err)
	}
	s, err := swarm.NewSwarm(id, known, eventbus.NewBus())
	if err == nil {
		err = s.AddTransport(over)
	}
	if err == nil {
		err = known.AddPrivKey(id, key)
	}
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := s.Close(); err != nil {
			b.Error(err)
		}
	})
	return s
}
