package link

import (
	"context"
	"io"
	"testing"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/multiformats/go-multistream"

	"interlock/protocol/wire"
)

func onEachTransportB(b *testing.B, bench func(b *testing.B, listen string)) {
	for name, listen := range transports {
		b.Run(name, func(b *testing.B) { bench(b, listen) })
	}
}

func benchHosts(b *testing.B, listen string) (server, client *Host) {
	r := newRoster()
	server, client = newHost(b, r, listen), newHost(b, r)
	knows(b, client, server)
	server.Handle(echo, serveEcho)
	return server, client
}

// bareEcho is a stream to a peer that answers bytes without our rules.
func bareEcho(b *testing.B, listen string, negotiate bool) (open func() network.Stream) {
	server, client := newBare(b, listen), newBare(b)
	server.swarm.SetStreamHandler(func(s network.Stream) {
		if negotiate {
			mux := multistream.NewMultistreamMuxer[string]()
			mux.AddHandler(echo.ID, nil)
			if _, _, err := mux.Negotiate(s); err != nil {
				return
			}
		}
		if _, err := io.Copy(s, s); err != nil {
			return
		}
		if err := s.Close(); err != nil {
			b.Error(err)
		}
	})
	client.store.AddAddrs(idOf(server.peer), server.swarm.ListenAddresses(), patience)
	return func() network.Stream {
		s, err := client.swarm.NewStream(b.Context(), idOf(server.peer))
		if err != nil {
			b.Fatal(err)
		}
		return s
	}
}

// One small frame there and back on an open stream.
func BenchmarkRoundTripOnOpenStream(b *testing.B) {
	onEachTransportB(b, func(b *testing.B, listen string) {
		server, client := benchHosts(b, listen)
		s := open(b, client, server.Peer(), echo)
		b.ReportAllocs()
		for b.Loop() {
			wantEcho(b, s, 1)
		}
	})
}

// The same with a stream opened and closed around it.
func BenchmarkRoundTripOnNewStream(b *testing.B) {
	onEachTransportB(b, func(b *testing.B, listen string) {
		server, client := benchHosts(b, listen)
		wantEcho(b, open(b, client, server.Peer(), echo), 1)
		b.ReportAllocs()
		for b.Loop() {
			s, err := client.Open(b.Context(), server.Peer(), echo)
			if err != nil {
				b.Fatal(err)
			}
			wantEcho(b, s, 1)
			if err := s.Close(); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkBareRoundTripOnOpenStream(b *testing.B) {
	onEachTransportB(b, func(b *testing.B, listen string) {
		s := bareEcho(b, listen, false)()
		frame := make([]byte, 6)
		for b.Loop() {
			echoOnce(b, s, frame)
		}
	})
}

// libp2p's lazy negotiation: the request goes out behind an unanswered hello.
func BenchmarkBareRoundTripOnNewStreamLazy(b *testing.B) {
	onEachTransportB(b, func(b *testing.B, listen string) {
		open := bareEcho(b, listen, true)
		frame := make([]byte, 6)
		for b.Loop() {
			s := open()
			echoOnce(b, multistream.NewMSSelect(s, echo.ID), frame)
			if err := s.Close(); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// libp2p's eager negotiation: a round trip of its own, as Open's.
func BenchmarkBareRoundTripOnNewStreamEager(b *testing.B) {
	onEachTransportB(b, func(b *testing.B, listen string) {
		open := bareEcho(b, listen, true)
		frame := make([]byte, 6)
		for b.Loop() {
			s := open()
			if err := multistream.SelectProtoOrFail(echo.ID, s); err != nil {
				b.Fatal(err)
			}
			echoOnce(b, s, frame)
			if err := s.Close(); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func echoOnce(b *testing.B, s io.ReadWriter, frame []byte) {
	if _, err := s.Write(frame); err != nil {
		b.Fatal(err)
	}
	if _, err := io.ReadFull(s, frame); err != nil {
		b.Fatal(err)
	}
}

// Full frames one way, acknowledged at the end.
func BenchmarkThroughput(b *testing.B) {
	onEachTransportB(b, func(b *testing.B, listen string) {
		server, client := benchHosts(b, listen)
		sink := echo
		sink.ID, sink.Frame = "/interlock/test/sink/1", 256*wire.KiB
		server.Handle(sink, func(_ context.Context, s *Stream) error {
			for {
				if err := s.Receive(&wire.EvaluateResponse{}); err != nil {
					return err
				}
			}
		})
		s := open(b, client, server.Peer(), sink)
		m := &wire.EvaluateResponse{Evaluated: make([]byte, 255*wire.KiB)}
		b.SetBytes(int64(len(m.Evaluated)))
		b.ReportAllocs()
		for b.Loop() {
			if err := s.Send(m); err != nil {
				b.Fatal(err)
			}
		}
		if err := s.CloseWrite(); err != nil {
			b.Fatal(err)
		}
		if err := s.Receive(&wire.Ack{}); err != io.EOF {
			b.Fatal(err)
		}
	})
}

func BenchmarkBareThroughput(b *testing.B) {
	onEachTransportB(b, func(b *testing.B, listen string) {
		server, client := newBare(b, listen), newBare(b)
		server.swarm.SetStreamHandler(func(s network.Stream) {
			if _, err := io.Copy(io.Discard, s); err != nil {
				return
			}
			if err := s.Close(); err != nil {
				b.Error(err)
			}
		})
		client.store.AddAddrs(idOf(server.peer), server.swarm.ListenAddresses(), patience)
		s, err := client.swarm.NewStream(b.Context(), idOf(server.peer))
		if err != nil {
			b.Fatal(err)
		}
		chunk := make([]byte, 255*wire.KiB)
		b.SetBytes(int64(len(chunk)))
		for b.Loop() {
			if _, err := s.Write(chunk); err != nil {
				b.Fatal(err)
			}
		}
		if err := s.CloseWrite(); err != nil {
			b.Fatal(err)
		}
		if _, err := s.Read(chunk); err != io.EOF {
			b.Fatal(err)
		}
	})
}

// Dial, handshake and first stream.
func BenchmarkConnect(b *testing.B) {
	onEachTransportB(b, func(b *testing.B, listen string) {
		server, client := benchHosts(b, listen)
		for b.Loop() {
			s, err := client.Open(b.Context(), server.Peer(), echo)
			if err != nil {
				b.Fatal(err)
			}
			if err := s.raw.Conn().Close(); err != nil {
				b.Fatal(err)
			}
		}
	})
}
