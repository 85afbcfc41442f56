package link

import (
	"net/netip"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	rcmgr "github.com/libp2p/go-libp2p/p2p/host/resource-manager"
	"github.com/libp2p/go-libp2p/x/rate"
)

// What libp2p may hold. A directory has some hundreds of members, a member has
// some streams, and a whole testnet shares one address, so these are far above
// libp2p's defaults for a stranger-facing node; who gets in at all is decided
// by roles. There is no connection manager: it would drop members to make room.
const (
	maxConns     = 4096 // each way
	maxStreams   = 32768
	maxShaking   = 512     // connections before their peer is known
	addrShaking  = 16      // of them from one address, off loopback
	netShaking   = 32      // and from one network
	maxMemory    = 2 << 30 // promised to receive windows, and mostly not used
	peerConns    = 8       // each way
	peerStreams  = 256     // each way
	peerMemory   = 64 << 20
	addressConns = 1024 // connections with one IPv4 address, off loopback
	addressRate  = 32   // new ones a second
)

// What a peer may hold that is an applicant and nothing else, over all its
// connections: any key can be one. TCP's multiplexer sets 256 KiB aside for
// each stream before anybody is asked about the stream.
const (
	applicantStreams = 2
	applicantMemory  = 1 << 20
)

func applicantLimit() rcmgr.Limit {
	return rcmgr.BaseLimit{
		StreamsInbound: applicantStreams, StreamsOutbound: applicantStreams, Streams: applicantStreams,
		Memory:       applicantMemory,
		ConnsInbound: peerConns, ConnsOutbound: peerConns, Conns: 2 * peerConns, FD: 2 * peerConns,
	}
}

func newLimits(applicant func(peer.ID) bool) (*limits, error) {
	streams := rcmgr.ResourceLimits{
		StreamsInbound: maxStreams, StreamsOutbound: maxStreams, Streams: 2 * maxStreams, Memory: maxMemory,
	}
	system := streams
	system.ConnsInbound, system.ConnsOutbound, system.Conns = maxConns, maxConns, 2*maxConns
	onePeer := rcmgr.ResourceLimits{
		StreamsInbound: peerStreams, StreamsOutbound: peerStreams, Streams: 2 * peerStreams, Memory: peerMemory,
		ConnsInbound: peerConns, ConnsOutbound: peerConns, Conns: 2 * peerConns, FD: 2 * peerConns,
	}
	numbers := rcmgr.PartialLimitConfig{
		System: system,
		Transient: rcmgr.ResourceLimits{
			ConnsInbound: maxShaking, ConnsOutbound: maxShaking, Conns: 2 * maxShaking, FD: maxShaking,
			StreamsInbound: maxStreams, StreamsOutbound: maxStreams, Streams: 2 * maxStreams, Memory: maxMemory,
		},
		ProtocolDefault:     streams,
		ProtocolPeerDefault: onePeer,
		PeerDefault:         onePeer,
	}.Build(rcmgr.DefaultLimits.AutoScale())
	manager, err := rcmgr.NewResourceManager(peerLimiter{rcmgr.NewFixedLimiter(numbers)},
		rcmgr.WithMetricsDisabled(),
		rcmgr.WithLimitPerSubnet(
			[]rcmgr.ConnLimitPerSubnet{{PrefixLength: 32, ConnCount: addressConns}},
			[]rcmgr.ConnLimitPerSubnet{{PrefixLength: 56, ConnCount: addressConns}}),
		rcmgr.WithConnRateLimiters(connRates()))
	if err != nil {
		return nil, err
	}
	return &limits{
		ResourceManager: manager,
		applicant:       applicant,
		shaking:         newCrowd(addrShaking, netShaking),
	}, nil
}

// connRates limits how fast one address may connect, except loopback.
func connRates() *rate.Limiter {
	limit := rate.Limit{RPS: addressRate, Burst: addressConns}
	return &rate.Limiter{
		NetworkPrefixLimits: []rate.PrefixLimit{
			{Prefix: netip.MustParsePrefix("127.0.0.0/8"), Limit: rate.Limit{}},
			{Prefix: netip.MustParsePrefix("::1/128"), Limit: rate.Limit{}},
		},
		SubnetRateLimiter: rate.SubnetLimiter{
			IPv4SubnetLimits: []rate.SubnetLimit{{PrefixLength: 32, Limit: limit}},
			IPv6SubnetLimits: []rate.SubnetLimit{{PrefixLength: 56, Limit: limit}},
			GracePeriod:      time.Minute,
		},
	}
}

// A request is small in every protocol, whatever its answer may be.
const (
	maxRequest     = 256 << 10 // from the side that opened the stream
	maxApplication = 32 << 10  // from a peer that is an applicant and nothing else
)

// requestLimit is the largest frame that the opener of a stream may send.
func requestLimit(frame int, applicant bool) int {
	if applicant {
		return min(frame, maxApplication)
	}
	return min(frame, maxRequest)
}
