package cluster

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"interlock/protocol/wire"
	"interlock/replication/registry"
)

// The environment of the long runs: how many, and the first seed of those that
// are to be repeated.
const (
	runsVariable = "INTERLOCK_LINEARIZABLE_RUNS"
	seedVariable = "INTERLOCK_LINEARIZABLE_SEED"
)

func numberOf(t *testing.T, variable string, otherwise uint64) uint64 {
	t.Helper()
	text, set := os.LookupEnv(variable)
	if !set {
		return otherwise
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("%s: %v", variable, err)
	}
	return n
}

// hasty makes elections quick, so that a short run sees many.
var hasty = Timing{Heartbeat: 150 * time.Millisecond, Election: 150 * time.Millisecond, Lease: 100 * time.Millisecond, Commit: 5 * time.Millisecond}

// TestLinearizable records what clients of three servers saw while leaders were
// killed, paths cut both ways and one way, disks slow, clocks wrong and logs
// lost, and checks that one order of everything explains it.
func TestLinearizable(t *testing.T) {
	first := numberOf(t, seedVariable, rand.Uint64()>>1)
	runs := numberOf(t, runsVariable, 2)
	t.Logf("seeds %d to %d; %s and %s say otherwise", first, first+runs-1, seedVariable, runsVariable)
	var operations, unanswered, overtaken, elections uint64
	for seed := first; seed < first+runs; seed++ {
		ok := t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			w := newWorld(t, seed)
			w.run()
			w.check()
			operations, unanswered = operations+uint64(len(w.history)), unanswered+w.unanswered
			overtaken, elections = overtaken+w.overtaken, elections+w.n.term(w.n.running())-1
		})
		if !ok {
			break
		}
	}
	t.Logf("%d operations, %d writes unanswered, %d overtaken, %d terms", operations, unanswered, overtaken, elections)
}

// world is three servers, their clients, and what goes wrong.
type world struct {
	t      *testing.T
	n      *testnet
	random *rand.Rand // of the faults
	walls  *walls
	slow   [3]atomic.Int64 // disks
	clocks [3]atomic.Int64 // seconds that the servers' clocks are off
	keys   []ed25519.PrivateKey
	begun  time.Time
	last   atomic.Uint64 // application

	mu         sync.Mutex
	live       [3]*Cluster           // owned by mu
	history    []porcupine.Operation // owned by mu
	unanswered uint64                // owned by mu
	overtaken  uint64                // owned by mu
}

const agencies = 3

func newWorld(t *testing.T, seed uint64) *world {
	w := &world{t: t, random: rand.New(rand.NewPCG(seed, 0)), walls: newWalls(), begun: time.Now()}
	w.n = newTestnetAt(t, 3, hasty, func(n *testnet) {
		n.hooks = func(i int) hooks {
			return hooks{
				log:  func(l logStore) logStore { return slowDisk{l, &w.slow[i]} },
				conn: w.walls.conn(n.peer(i)),
			}
		}
	})
	t.Cleanup(func() {
		if t.Failed() {
			lines := strings.Split(w.n.log.String(), "\n")
			t.Logf("the end of the log:\n%s", strings.Join(lines[max(0, len(lines)-400):], "\n"))
		}
	})
	for k := range agencies {
		w.keys = append(w.keys, newKey(t))
		first := w.next(k)
		invitation := w.n.invite(w.id(k))
		w.n.propose(0, w.n.signed(w.keys[k], invitation, w.id(k), first.contact, first.time))
		w.record(input{k, writes, first}, first, 0, 1)
	}
	copy(w.live[:], w.n.clusters)
	return w
}

func (w *world) id(key int) string { return fmt.Sprintf("agency-%d", key) }

// next is what somebody writes next, by a clock that goes back and forth.
func (w *world) next(int) value {
	number := w.last.Add(1)
	at := 1000*(100+number) - uint64(rand.IntN(3))*5000 + number%1000
	return value{time: at, contact: fmt.Sprint(number)}
}

func (w *world) now() int64 { return 2 + int64(time.Since(w.begun)) }

func (w *world) record(in input, out value, call, ret int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.history = append(w.history, porcupine.Operation{ClientId: 0, Input: in, Output: out, Call: call, Return: ret})
	switch {
	case in.kind == mayWrite && ret == forever:
		w.unanswered++
	case in.kind == mayWrite:
		w.overtaken++
	}
}

func (w *world) server(i int) *Cluster {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.live[i]
}

func (w *world) setLive(i int, c *Cluster) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.live[i] = c
}

// client asks server i until done, one thing after another.
func (w *world) client(i int, random *rand.Rand, done <-chan struct{}) {
	for {
		select {
		case <-done:
			return
		case <-time.After(time.Duration(random.IntN(int(8 * time.Millisecond)))):
		}
		c := w.server(i)
		if c == nil {
			continue
		}
		ctx, cancel := context.WithTimeout(context.Background(), 4*hasty.Heartbeat)
		if key := random.IntN(agencies); random.IntN(2) == 0 {
			w.read(ctx, c, key)
		} else {
			w.write(ctx, c, key, i)
		}
		cancel()
	}
}

func (w *world) read(ctx context.Context, c *Cluster, key int) {
	var seen value
	call := w.now()
	err := c.Read(ctx, func(s *registry.State) { seen = applied(s, wire.PeerOf(w.keys[key])) })
	if err == nil {
		w.record(input{key: key, kind: reads}, seen, call, w.now())
	}
}

// applied is what the application of key says.
func applied(s *registry.State, key wire.Peer) value {
	for _, p := range s.Status().Pending {
		if string(p.Application.Key) == string(key[:]) {
			return value{p.Application.Time, p.Application.Contact}
		}
	}
	return value{}
}

// write applies at server i, whose clock may be wrong.
func (w *world) write(ctx context.Context, c *Cluster, key, i int) {
	v := w.next(key)
	command := w.n.signed(w.keys[key], nil, w.id(key), v.contact, v.time)
	command.Time = uint64(time.Now().Unix() + w.clocks[i].Load())
	call := w.now()
	_, err := c.Propose(ctx, command)
	ret := w.now()
	switch {
	case err == nil:
		w.record(input{key, writes, v}, v, call, ret)
	case errors.Is(err, registry.ErrStale):
		// A later one is there. An attempt before may have come first.
		w.record(input{key, mayWrite, v}, v, call, ret)
		w.record(input{key, isAfter, v}, v, call, ret)
	default:
		if _, refused := registry.RefusalOf(err); refused {
			w.t.Errorf("refused: %v", err)
		}
		w.record(input{key, mayWrite, v}, v, call, forever)
	}
}

// run lets six clients work while one thing after another goes wrong.
func (w *world) run() {
	done := make(chan struct{})
	var clients sync.WaitGroup
	for i := range 6 {
		random := rand.New(rand.NewPCG(w.random.Uint64(), 1))
		clients.Go(func() { w.client(i%3, random, done) })
	}
	for range 5 {
		w.wait(200)
		heal := w.fault()
		w.wait(600)
		heal()
	}
	w.wait(200)
	close(done)
	clients.Wait()
}

// wait lets up to so many milliseconds go by.
func (w *world) wait(milliseconds int) {
	<-time.After(time.Duration(w.random.IntN(milliseconds)) * time.Millisecond)
}

// fault makes something go wrong, and returns how it is put right.
func (w *world) fault() (heal func()) {
	i, j := w.random.IntN(3), w.random.IntN(3)
	if w.random.IntN(2) == 0 {
		i = w.leading(i)
	}
	switch w.random.IntN(6) {
	case 0:
		w.kill(i)
		return func() { w.start(i) }
	case 1:
		w.n.partition(i, true)
		return func() { w.n.partition(i, false) }
	case 2: // i is heard by nobody, and hears all
		w.wall(func(from, _ int) bool { return from == i }, true)
		return func() { w.wall(func(int, int) bool { return true }, false) }
	case 3: // i hears nobody, or j alone does not hear i
		all := w.random.IntN(2) == 0
		w.wall(func(from, to int) bool { return all && to == i || !all && from == i && to == j }, true)
		return func() { w.wall(func(int, int) bool { return true }, false) }
	case 4:
		w.clocks[i].Store(w.random.Int64N(2e8) - 1e8)
		w.slow[i].Store(int64(time.Duration(20+w.random.IntN(180)) * time.Millisecond))
		return func() { w.slow[i].Store(0) }
	}
	w.kill(i)
	w.n.loseLog(i)
	w.n.rejoin[i] = true
	return func() {
		w.start(i)
		w.n.await(i, "its vote", standing(Voting))
	}
}

// leading is the server that leads, or otherwise i.
func (w *world) leading(i int) int {
	for k := range 3 {
		if c := w.server(k); c != nil && c.Status().Leading {
			return k
		}
	}
	return i
}

func (w *world) kill(i int) {
	w.setLive(i, nil)
	w.n.stop(i)
}

func (w *world) start(i int) {
	w.n.start(i)
	w.setLive(i, w.n.clusters[i])
}

func (w *world) wall(between func(from, to int) bool, up bool) {
	for from := range 3 {
		for to := range 3 {
			if from != to && between(from, to) {
				w.walls.set(w.n.peer(from), w.n.peer(to), up)
			}
		}
	}
}

// check reads at the end what every server says, and checks the whole history.
func (w *world) check() {
	for i := range 3 {
		for key := range agencies {
			w.read(w.n.ctx(), w.server(i), key)
		}
	}
	w.same()
	w.mu.Lock()
	defer w.mu.Unlock()
	switch result := porcupine.CheckOperationsTimeout(register(), w.history, time.Minute); result {
	case porcupine.Illegal:
		w.t.Errorf("%d operations are not linearizable", len(w.history))
	case porcupine.Unknown:
		w.t.Errorf("%d operations could not be checked in time", len(w.history))
	}
}

// same checks that the servers came to one state.
func (w *world) same() {
	index, err := w.server(0).Propose(w.n.ctx(), w.n.signed(w.keys[0], nil, w.id(0), "last", 1<<60))
	if err != nil {
		w.t.Fatal(err)
	}
	want := []byte(nil)
	for i := range 3 {
		if err := w.server(i).Await(w.n.ctx(), index); err != nil {
			w.t.Fatal(err)
		}
		if got := w.n.snapshot(i); want == nil {
			want = got
		} else if string(got) != string(want) {
			w.t.Errorf("server %d came to another state than server 1", i+1)
		}
	}
}
