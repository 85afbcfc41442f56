package tokens

import (
	"errors"
	"testing"
	"time"

	"go.uber.org/goleak"

	"interlock/protocol/wire"
)

func TestAStreamServesOneRequestAfterAnother(t *testing.T) {
	servers, c, _ := registry(t, 2, 2)
	for range 4 {
		if _, _, err := tokensOf(t, c, identifiers(t, 1)); err != nil {
			t.Fatal(err)
		}
	}
	for i, s := range servers {
		if got, want := s.opened.Load(), int32(1); got != want || s.asked.Load() != 4 {
			t.Errorf("server %d: %d requests on %d streams", i+1, s.asked.Load(), got)
		}
	}
	c.Close()
	for _, s := range servers {
		<-s.ended
	}
	if _, _, err := tokensOf(t, c, identifiers(t, 1)); err != nil {
		t.Errorf("after Close: %v", err)
	}
	for _, s := range servers {
		<-s.ended // kept no more
	}
}

func TestAServerThatEndedAStreamIsAskedOnANewOne(t *testing.T) {
	servers, c, log := registry(t, 2, 2)
	servers[0].once.Store(true)
	for range 3 {
		if _, _, err := tokensOf(t, c, identifiers(t, 1)); err != nil {
			t.Fatal(err)
		}
		<-servers[0].ended
	}
	if log.Len() > 0 {
		t.Errorf("a server that only ended its stream was found at fault:\n%s", log)
	}
	if got, want := servers[0].opened.Load(), int32(3); got != want {
		t.Errorf("%d streams to the server that ends them, want %d", got, want)
	}
	if got, want := servers[1].opened.Load(), int32(1); got != want {
		t.Errorf("%d streams to the other, want %d", got, want)
	}
}

func TestAServerWhoseKeptStreamHangsIsAskedOnANewOne(t *testing.T) {
	servers, c, log := registry(t, 2, 2)
	if _, _, err := tokensOf(t, c, identifiers(t, 1)); err != nil {
		t.Fatal(err)
	}
	hang := make(chan struct{})
	defer close(hang)
	servers[0].stalls.Store(&hang)
	failed := make(chan error)
	go func() {
		_, _, err := tokensOf(t, c, identifiers(t, 1))
		failed <- err
	}()
	<-servers[0].stalled
	servers[0].stalls.Store(nil)
	if err := <-failed; err != nil || log.Len() > 0 {
		t.Errorf("a stream that hung failed the call (%v), or was blamed on the server:\n%s", err, log)
	}
	if got, want := servers[0].opened.Load(), int32(2); got != want {
		t.Errorf("%d streams to the server, want %d", got, want)
	}
}

func TestAStreamThatIsNotUsedAgainIsEnded(t *testing.T) {
	servers, c, _ := registry(t, 2, 2)
	c.streams.keep = time.Millisecond
	if _, _, err := tokensOf(t, c, identifiers(t, 1)); err != nil {
		t.Fatal(err)
	}
	for _, s := range servers {
		<-s.ended
	}
	c.streams.mu.Lock()
	defer c.streams.mu.Unlock()
	if got := len(c.streams.idle); got != 0 {
		t.Errorf("streams to %d servers are kept", got)
	}
}

func TestNoMoreStreamsAreKeptThanBatchesFly(t *testing.T) {
	servers, c, _ := registry(t, 1, 1)
	to := c.dir().Servers[0].Key
	for range inFlight + 1 {
		stream, err := c.streams.fresh(t.Context(), to)
		if err != nil {
			t.Fatal(err)
		}
		c.streams.put(to, stream)
	}
	<-servers[0].ended
	c.streams.mu.Lock()
	if got := len(c.streams.idle[to]); got != inFlight {
		t.Errorf("%d streams are kept, want %d", got, inFlight)
	}
	c.streams.mu.Unlock()
	if stream, ok := c.streams.used(wire.Peer{}); ok {
		t.Errorf("a stream to nobody: %v", stream)
	}
}

func TestClosingTheQueueLeavesNothingBehind(t *testing.T) {
	servers, c, _ := registry(t, 2, 2)
	q, err := NewQueue(c)
	if err != nil {
		t.Fatal(err)
	}
	ids := identifiers(t, 2)
	if _, _, err := q.Tokens(t.Context(), ids[:1], Officer); err != nil { // the links stand
		t.Fatal(err)
	}
	c.Close()
	<-servers[0].ended
	<-servers[1].ended
	before := goleak.IgnoreCurrent()
	release := make(chan struct{})
	servers[0].stalls.Store(&release)
	answer := ask(t.Context(), q, ids[1:], Import)
	<-servers[0].stalled
	q.Close()
	if r := <-answer; !errors.Is(r.err, ErrUnavailable) || r.tokens != nil {
		t.Errorf("a call when the queue was closed: %d tokens, %v", len(r.tokens), r.err)
	}
	close(release)
	goleak.VerifyNone(t, before)
}
