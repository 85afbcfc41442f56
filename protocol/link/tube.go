package link

import (
	"sync"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/protocol"

	"interlock/protocol/wire"
)

// tube is a Stream as libp2p's own protocols want it. It ends as a Stream does,
// with our codes and counts.
type tube struct {
	network.Stream
	s     *Stream
	gone  chan struct{} // closed when both halves have ended
	leave func()
}

func newTube(s *Stream, leave func()) *tube {
	t := &tube{Stream: s.raw, s: s, gone: make(chan struct{})}
	t.leave = sync.OnceFunc(func() {
		close(t.gone)
		leave()
	})
	return t
}

func (t *tube) Protocol() protocol.ID { return protocol.ID(t.s.protocol.ID) }

func (t *tube) Read(b []byte) (int, error)  { return conn{t.s}.Read(b) }
func (t *tube) Write(b []byte) (int, error) { return conn{t.s}.Write(b) }

func (t *tube) Close() error {
	defer t.leave()
	return t.s.Close()
}

func (t *tube) Reset() error {
	t.end(wire.CodeNone)
	return nil
}

func (t *tube) ResetWithError(network.StreamErrorCode) error { return t.Reset() }

func (t *tube) end(c wire.Code) {
	defer t.leave()
	t.s.end(c)
}
