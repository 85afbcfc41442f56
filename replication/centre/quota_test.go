package centre

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"interlock/crypto/oprf"
	"interlock/protocol/directory"
	"interlock/protocol/wire"
	"interlock/replication/registry"
)

// allowed is the policy that gives every agency so many identifiers a day.
func (n *centreNet) allowed(daily uint64) {
	n.t.Helper()
	n.moved(&wire.Motion{Of: &wire.Motion_Policy{Policy: directory.Policy{Daily: daily, SuspendForks: true}.Message()}})
	for i, s := range n.servers {
		if s != nil {
			n.awaitPublished(i, "the policy", func(d *directory.Directory) bool { return d.Policy.Daily == daily })
		}
	}
}

// leasedToday is what all servers together have leased for an agency, and what of
// it each server holds unspent.
func (n *centreNet) leasedToday(c *client) (leased, unspent uint64) {
	n.t.Helper()
	for _, s := range n.servers {
		leased += s.leased(c.id).Amount
		b := s.budgets.of(c.id, s.leased(c.id))
		b.turn <- struct{}{}
		b.learn(s.leased(c.id))
		unspent += b.left
		<-b.turn
	}
	return leased, unspent
}

// batchOf are n inputs that nobody else has.
func batchOf(name string, n int) (inputs []string) {
	for i := range n {
		inputs = append(inputs, fmt.Sprintf("%s-%d@example.org", name, i))
	}
	return inputs
}

// isRefusedFor reports whether a budget that is used up ended the request.
func isBusy(err error) bool {
	var refusal *wire.Refusal
	return errors.As(err, &refusal) && refusal.Code == wire.CodeBusy
}

func TestABudgetCanBeUsedUpAndNoMore(t *testing.T) {
	t.Parallel()
	n := found(t, 3)
	n.allowed(100)
	denver := n.enrolled("denver-pd")
	got, refused := 0, 0
	for i := 0; refused < 3; i++ {
		quorum := [][]oprf.Index{{1, 2}, {1, 3}, {2, 3}}[i%3]
		m, r := denver.blind(0, quorum, batchOf(fmt.Sprint(i), 5)...)
		answers, err := denver.answers(m)
		if isBusy(err) {
			refused++
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		list, err := r.Finalize(quorum, answers)
		if err != nil {
			t.Fatal(err)
		}
		got += len(list)
	}
	if got > 100 || got < 90 {
		t.Fatalf("got %d tokens of 100 that are allowed", got)
	}
	if leased, _ := n.leasedToday(denver); leased > 200 {
		t.Fatalf("the servers leased %d partial evaluations, want 200 at most", leased)
	}
	status, err := n.operator("carol").Status(n.ctx())
	if err != nil || status.Activity["denver-pd"].Daily != 100 || status.Activity["denver-pd"].Used > 100 {
		t.Fatalf("status: got %v, %v", status.Activity, err)
	}
}

func TestServersThatCrashGiveNoMoreThanTheBudget(t *testing.T) {
	t.Parallel()
	const daily, clients, batch, kills = 600, 20, 5, 4
	n := found(t, 3)
	n.allowed(daily)
	denver := n.enrolled("denver-pd")
	running := &running{servers: append([]*Server{}, n.servers...)}
	var tokens, partial atomic.Uint64
	ctx, cancel := context.WithCancel(n.ctx())
	defer cancel()
	var all sync.WaitGroup
	for i := range clients {
		all.Go(func() { denver.asksUntil(ctx, running, i, batch, &tokens, &partial) })
	}
	var outstanding uint64
	for round := range kills {
		i := round % 3
		killed := n.servers[i]
		n.stop(i, (*Server).Kill)
		outstanding += killed.budgets.of("denver-pd", registry.Leased{}).left
		n.start(i)
		running.set(i, n.servers[i])
		n.awaitReady(i)
		if led := n.leader(i); led != i {
			if err := n.servers[led].cluster.StepDown(n.ctx()); err != nil {
				t.Log(err)
			}
		}
	}
	n.eventually("the budget to be used up", func() bool {
		var left uint64
		n.servers[0].View(func(s *registry.State) { left = s.Leased(1, "denver-pd").Left })
		return left == 0
	})
	cancel()
	all.Wait()
	leased, unspent := n.leasedToday(denver)
	t.Logf("%d tokens of %d; %d partial evaluations answered, of %d leased %d are held and %d died with a server", tokens.Load(), daily, partial.Load(), leased, unspent, outstanding)
	if got := tokens.Load(); got > daily || got == 0 {
		t.Fatalf("got %d tokens, want some and at most %d", got, daily)
	}
	if leased > 2*daily || partial.Load() > leased {
		t.Fatalf("%d partial evaluations were answered of %d leased, want %d at most", partial.Load(), leased, 2*daily)
	}
	// Beside that, what a client did not hear of when its server died, once for each client.
	if lost, most := leased-partial.Load()-unspent, outstanding+kills*clients*batch; lost > most {
		t.Fatalf("%d partial evaluations were lost, want %d at most", lost, most)
	}
}

// running are the servers that clients find, while they are killed and started.
type running struct {
	mu      sync.Mutex
	servers []*Server // owned by mu
}

func (r *running) set(i int, s *Server) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.servers[i] = s
}

func (r *running) get(i int) *Server {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.servers[i]
}

// asksUntil asks for one batch after another, of any quorum, until ctx ends, and counts
// the complete tokens and the partial evaluations.
func (c *client) asksUntil(ctx context.Context, r *running, name, batch int, tokens, partial *atomic.Uint64) {
	quorums := [][]oprf.Index{{1, 2}, {1, 3}, {2, 3}}
	k, _ := r.get(0).published.directory().Current()
	for i := 0; ctx.Err() == nil; i++ {
		quorum := quorums[rand.IntN(len(quorums))]
		m, request := c.blindFor(k, quorum, batchOf(fmt.Sprintf("%d-%d", name, i), batch)...)
		var answers []oprf.Answer
		for _, number := range quorum {
			var got wire.EvaluateResponse
			server := r.get(int(number) - 1)
			if err := c.askServer(ctx, server, wire.ProtocolEvaluate, m, &got); err != nil {
				break
			}
			partial.Add(uint64(batch))
			answers = append(answers, answerOf(number, &got))
		}
		if len(answers) < len(quorum) {
			continue
		}
		list, err := request.Finalize(quorum, answers)
		if err != nil {
			c.net.t.Error(err)
			return
		}
		tokens.Add(uint64(len(list)))
	}
}

func TestALeaseIsNotLostWithWhoAskedForIt(t *testing.T) {
	t.Parallel()
	n := found(t, 3)
	n.allowed(1000)
	denver := n.enrolled("denver-pd")
	s := n.servers[0]
	n.await(0, "a day", func(s *registry.State) bool { return s.Day() > 0 })
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for range 50 {
		if _, err := s.spend(ctx, "denver-pd", 5); err == nil {
			t.Fatal("spent for somebody who had gone")
		}
	}
	// One whose asker goes while the lease is on its way.
	now := s.leased("denver-pd")
	m, err := registry.SignStatement(s.secrets.keys.Signing, s.secrets.foundation.Hash, &wire.Lease{Server: 1, Agency: "denver-pd", Day: now.Day, Number: now.Number + 1, Amount: 40})
	if err != nil {
		t.Fatal(err)
	}
	if s.budgets.of("denver-pd", now).seen != now.Amount {
		t.Fatal("the budget has not seen what was leased")
	}
	index, err := s.propose(n.ctx(), &wire.Command{Of: &wire.Command_Lease{Lease: m}})
	if err == nil {
		err = s.cluster.Await(n.ctx(), index)
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.spend(n.ctx(), "denver-pd", 40); err != nil {
		t.Fatal(err)
	}
	if got := s.leased("denver-pd").Amount; got != now.Amount+40 {
		t.Fatalf("leased %d, want the 40 that were there to be spent first", got)
	}
	// What could not be evaluated is there again.
	request, _ := denver.blind(0, []oprf.Index{1, 2}, batchOf("x", 30)...)
	request.Blinded[31] = 0xff
	var once uint64
	for i := range 50 {
		if i == 1 {
			once = s.leased("denver-pd").Amount
		}
		wantRefusal(t, "no element", denver.ask(0, wire.ProtocolEvaluate, request, &wire.EvaluateResponse{}), wire.CodeMalformed)
	}
	if got := s.leased("denver-pd").Amount; got != once {
		t.Fatalf("50 malformed requests made the server lease %d, one %d", got, once)
	}
}

func TestADayBeginsWhenAMajorityOfClocksHasReachedIt(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	n := found(t, 3)
	n.allowed(10)
	denver := n.enrolled("denver-pd")
	today := directory.Day(n.clocks[0].now())
	for i := range n.servers {
		n.await(i, "the day", func(s *registry.State) bool { return s.Day() == today })
	}
	usedUp := func() {
		t.Helper()
		for i := 0; ; i++ {
			if _, err := denver.tokens(0, []oprf.Index{1, 2}, batchOf(fmt.Sprint(i), 5)...); isBusy(err) {
				return
			} else if err != nil {
				t.Fatal(err)
			}
			if i > 2 {
				t.Fatal("more than the budget")
			}
		}
	}
	usedUp()
	// One clock that runs far ahead changes nothing, however often it says so.
	n.clocks[2].advance(40 * day)
	for range 3 {
		if err := n.servers[2].tick(); err != nil && !errors.Is(err, registry.ErrStale) {
			t.Fatal(err)
		}
	}
	usedUp()
	n.servers[0].View(func(s *registry.State) {
		if s.Day() != today {
			t.Errorf("one clock moved the day to %d, want %d", s.Day(), today)
		}
	})
	n.clocks[0].advance(day)
	if err := n.servers[0].tick(); err != nil {
		t.Fatal(err)
	}
	for i := range n.servers {
		n.await(i, "tomorrow", func(s *registry.State) bool { return s.Day() == today+1 })
	}
	usedUp()
	// What was evaluated and leased yesterday is in the record.
	n.wantRecorded("server 1 evaluated", "denver-pd 10")
	n.wantRecorded("leased to all servers on", "denver-pd")
}

func TestADayThatWasToldTwiceCountsOnce(t *testing.T) {
	t.Parallel()
	n := found(t, 3)
	denver := n.enrolled("denver-pd")
	n.await(0, "a day", func(s *registry.State) bool { return s.Reached(1) > 0 && s.Day() > 0 })
	denver.token([]oprf.Index{1, 2}, "j.doe@example.org")
	s := n.servers[0]
	n.clocks[0].advance(24 * time.Hour)
	// The answer to the first attempt is lost: it is taken, and told again.
	s.budgets.telling.Lock()
	if !s.reachedDay() {
		t.Fatal("nothing to tell")
	}
	told := s.budgets.told
	s.budgets.telling.Unlock()
	m, err := registry.SignStatement(s.secrets.keys.Signing, s.secrets.foundation.Hash, told)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.propose(n.ctx(), &wire.Command{Of: &wire.Command_Tick{Tick: m}}); err != nil {
		t.Fatal(err)
	}
	if err := s.tick(); err != nil || s.budgets.told != nil {
		t.Fatalf("told again: %v", err)
	}
	if got := len(s.budgets.usage()); got != 0 {
		t.Fatalf("%d agencies would be told of once more", got)
	}
}

func TestUnusualDemandIsThrottledUntilAnOperatorHasLooked(t *testing.T) {
	t.Parallel()
	n := found(t, 1)
	denver := n.enrolled("denver-pd")
	n.await(0, "a day", func(s *registry.State) bool { return s.Day() > 0 })
	var err error
	asked := 0
	for ; err == nil && asked < 100; asked++ {
		_, err = denver.tokens(0, []oprf.Index{1}, batchOf(fmt.Sprint(asked), wire.MaxEvaluate)...)
	}
	if !isBusy(err) {
		t.Fatalf("after %d batches: got %v, want it throttled", asked, err)
	}
	carol := n.operator("carol")
	status, err := carol.Status(n.ctx())
	if err != nil || !status.Activity["denver-pd"].Flagged || len(status.Notices) != 1 || status.Notices[0].Kind != registry.UnusualDemand {
		t.Fatalf("status: got %v, %v, %v", status.Activity, status.Notices, err)
	}
	// It gets a little, a batch of any size among it, as time goes by.
	n.clocks[0].advance(time.Minute)
	if _, err := denver.tokens(0, []oprf.Index{1}, batchOf("later", wire.MaxEvaluate)...); err != nil {
		t.Fatalf("a minute later: %v", err)
	}
	if _, err := denver.tokens(0, []oprf.Index{1}, batchOf("at once", wire.MaxEvaluate)...); !isBusy(err) {
		t.Fatalf("at once: got %v, want it throttled", err)
	}
	if _, err := carol.Clear(n.ctx(), "denver-pd", "they import an old archive"); err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		if _, err := denver.tokens(0, []oprf.Index{1}, batchOf(fmt.Sprint("cleared", i), wire.MaxEvaluate)...); err != nil {
			t.Fatalf("after it was cleared: %v", err)
		}
	}
}

func TestWhoWaitsForALeaseIsNotHeldUpForEver(t *testing.T) {
	t.Parallel()
	n := found(t, 3)
	n.enrolled("denver-pd")
	s := n.servers[0]
	b := s.budgets.of("denver-pd", s.leased("denver-pd"))
	b.turn <- struct{}{} // somebody waits for a lease that does not come
	ctx, cancel := context.WithTimeout(n.ctx(), 50*time.Millisecond)
	defer cancel()
	if _, err := s.spend(ctx, "denver-pd", 1); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("got %v, want %v", err, context.DeadlineExceeded)
	}
	<-b.turn
	if _, err := s.spend(n.ctx(), "denver-pd", 1); err != nil {
		t.Fatal(err)
	}
}
