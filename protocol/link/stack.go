package link

import (
	"context"
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"syscall"
	"time"

	"github.com/libp2p/go-libp2p/core/connmgr"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/peerstore"
	"github.com/libp2p/go-libp2p/core/sec"
	"github.com/libp2p/go-libp2p/core/transport"
	"github.com/libp2p/go-libp2p/gologshim"
	"github.com/libp2p/go-libp2p/p2p/host/eventbus"
	"github.com/libp2p/go-libp2p/p2p/host/peerstore/pstoremem"
	"github.com/libp2p/go-libp2p/p2p/muxer/yamux"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	"github.com/libp2p/go-libp2p/p2p/net/upgrader"
	"github.com/libp2p/go-libp2p/p2p/security/noise"
	libp2ptls "github.com/libp2p/go-libp2p/p2p/security/tls"
	libp2pquic "github.com/libp2p/go-libp2p/p2p/transport/quic"
	"github.com/libp2p/go-libp2p/p2p/transport/quicreuse"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	"github.com/quic-go/quic-go"
)

// keepAlive is how often an idle TCP connection is probed. QUIC's, fixed by
// libp2p, is the same.
const keepAlive = 15 * time.Second

// dialTimeout bounds a dial with its handshake, on a local network too: libp2p
// allows 5 seconds there, which hundreds of members coming back at once exceed.
const dialTimeout = 15 * time.Second

var errListenCircuit = errors.New("an address through a relay is not listened on")

// stack is the part of libp2p that Interlock uses: a swarm with two transports.
// There is no libp2p host on top of it, hence no identify, ping, address
// translation or discovery that a stranger could speak with; relays, where a
// Host has them, are behind its own rules.
type stack struct {
	swarm  *swarm.Swarm
	store  peerstore.Peerstore
	udp    *quicreuse.ConnManager
	limits *limits
	// upgrader makes a connection of bytes that somebody carries.
	upgrader transport.Upgrader
}

// newStack makes a stack; applicant says which peers get no more than what an
// applicant may hold.
func newStack(key ed25519.PrivateKey, gate connmgr.ConnectionGater, applicant func(peer.ID) bool) (*stack, error) {
	// libp2p's own log lines name whole keys and addresses.
	gologshim.SetDefaultHandler(slog.DiscardHandler)
	identity, err := crypto.UnmarshalEd25519PrivateKey(key)
	if err != nil {
		return nil, err
	}
	id, err := peer.IDFromPrivateKey(identity)
	if err != nil {
		return nil, err
	}
	s := &stack{}
	if s.limits, err = newLimits(applicant); err != nil {
		return nil, err
	}
	if err := s.assemble(id, identity, gate); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

func (s *stack) assemble(id peer.ID, key crypto.PrivKey, gate connmgr.ConnectionGater) error {
	var err error
	if s.store, err = pstoremem.NewPeerstore(); err != nil {
		return err
	}
	if s.udp, err = newUDP(key, s.limits); err != nil {
		return err
	}
	s.swarm, err = swarm.NewSwarm(id, s.store, eventbus.NewBus(),
		swarm.WithConnectionGater(gate),
		swarm.WithResourceManager(s.limits),
		swarm.WithDialTimeout(dialTimeout),
		swarm.WithDialTimeoutLocal(dialTimeout),
		// The addresses come from a signed directory; that a hundred of them
		// are down does not mean that UDP or IPv6 is.
		swarm.WithUDPBlackHoleSuccessCounter(nil),
		swarm.WithIPv6BlackHoleSuccessCounter(nil),
	)
	if err != nil {
		return err
	}
	if err := s.addTCP(key, gate); err != nil {
		return err
	}
	q, err := libp2pquic.NewTransport(key, s.udp, nil, gate, s.limits)
	if err != nil {
		return err
	}
	return s.swarm.AddTransport(q)
}

func (s *stack) addTCP(key crypto.PrivKey, gate connmgr.ConnectionGater) error {
	mux := *yamux.DefaultTransport
	mux.KeepAliveInterval = keepAlive
	muxers := []upgrader.StreamMuxer{{ID: yamux.ID, Muxer: &mux}}
	n, err := noise.New(noise.ID, key, muxers)
	if err != nil {
		return err
	}
	t, err := libp2ptls.New(libp2ptls.ID, key, muxers)
	if err != nil {
		return err
	}
	s.upgrader, err = upgrader.New([]sec.SecureTransport{n, t}, muxers, nil, s.limits, gate)
	if err != nil {
		return err
	}
	// With shared ports a taken port would not be noticed, and two hosts that
	// dial each other at once would meet in one TCP connection.
	overTCP, err := tcp.NewTCPTransport(s.upgrader, s.limits, nil, tcp.DisableReuseport())
	if err != nil {
		return err
	}
	return s.swarm.AddTransport(overTCP)
}

// newUDP makes what QUIC listens and dials with. Its two keys outlive a
// restart, so that a peer notices at once that its connection is gone.
func newUDP(key crypto.PrivKey, limits network.ResourceManager) (*quicreuse.ConnManager, error) {
	raw, err := key.Raw()
	if err != nil {
		return nil, err
	}
	defer clear(raw)
	reset, err := hkdf.Key(sha256.New, raw, nil, "interlock quic stateless reset", len(quic.StatelessResetKey{}))
	if err != nil {
		return nil, err
	}
	token, err := hkdf.Key(sha256.New, raw, nil, "interlock quic token", len(quic.TokenGeneratorKey{}))
	if err != nil {
		return nil, err
	}
	return quicreuse.NewConnManager(quic.StatelessResetKey(reset), quic.TokenGeneratorKey(token),
		quicreuse.VerifySourceAddress(limits.VerifySourceAddress),
		quicreuse.ConnContext(func(ctx context.Context, client *quic.ClientInfo) (context.Context, error) {
			addr, err := quicreuse.ToQuicMultiaddr(client.RemoteAddr, quic.Version1)
			if err != nil {
				return ctx, err
			}
			scope, err := limits.OpenConnection(network.DirInbound, false, addr)
			if err != nil {
				return ctx, err
			}
			context.AfterFunc(ctx, scope.Done)
			return network.WithConnManagementScope(ctx, scope), nil
		}))
}

func (s *stack) listen(addr string) error {
	a, err := parseAddress(addr)
	if err == nil && isCircuit(a) {
		err = errListenCircuit
	}
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	err = s.swarm.AddListenAddr(a)
	if errors.Is(err, syscall.EADDRINUSE) {
		err = ErrAddressInUse
	}
	if err != nil {
		return fmt.Errorf("listen on %s: %w", addr, err)
	}
	return nil
}

// close ends what was assembled, in the order of use.
func (s *stack) close() error {
	var errs []error
	if s.swarm != nil {
		errs = append(errs, s.swarm.Close())
	}
	if s.udp != nil {
		errs = append(errs, s.udp.Close())
	}
	if s.store != nil {
		errs = append(errs, s.store.Close())
	}
	if s.limits != nil {
		errs = append(errs, s.limits.Close())
	}
	if err := errors.Join(errs...); err != nil && !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("close libp2p: %w", err)
	}
	return nil
}
