package registry

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"interlock/crypto/oprf"
	"interlock/protocol/directory"
	"interlock/protocol/wire"
)

func (n *network) leaseOf(s *State, server uint32, amount uint64) *wire.Lease {
	return signed(n, &wire.Lease{
		Server: server, Agency: "denver-pd", Day: s.Day(), Amount: amount,
		Number: s.Leased(oprf.Index(server), "denver-pd").Number + 1,
	})
}

// budgeted is a log with one agency, whose budget is daily identifiers.
func budgeted(t testing.TB, n *network, daily uint64) *log {
	l := n.founded(t, 1)
	l.admit(n, seeded("agency", 0), "denver-pd", 1)
	l.carries(n, policies(daily))
	return l
}

func TestNoInterleavingOfLeasesExceedsABudget(t *testing.T) {
	n := newNetwork(t, 3, 2)
	const daily = 100
	begun := budgeted(t, n, daily).snapshot()
	rapid.Check(t, func(t *rapid.T) {
		s, err := Restore(begun)
		if err != nil {
			t.Fatal(err)
		}
		granted, lost := map[uint64]uint64{}, []*wire.Command{}
		for i := range rapid.IntRange(1, 60).Draw(t, "commands") {
			server := uint32(rapid.IntRange(1, 3).Draw(t, "server"))
			before := s.accounts["denver-pd"].granted()
			c := leases(n.leaseOf(s, server, rapid.Uint64Range(1, 120).Draw(t, "amount")))
			switch rapid.IntRange(0, 4).Draw(t, "kind") {
			case 0:
				c = ticks(signed(n, &wire.Tick{Server: server, Day: s.Day() + rapid.Uint64Range(0, 2).Draw(t, "ahead")}))
			case 1:
				if len(lost) > 0 {
					c = rapid.SampledFrom(lost).Draw(t, "again")
				}
			}
			lost = append(lost, c)
			day := s.Day()
			err := s.Apply(uint64(1000+i), c)
			if _, ok := RefusalOf(err); err != nil && !ok {
				t.Fatal(err)
			}
			if s.Day() == day {
				granted[day] += s.accounts["denver-pd"].granted() - before
			}
		}
		for day, sum := range granted {
			if sum > 2*daily {
				t.Fatalf("day %d: granted %d partial evaluations, want at most %d", day, sum, 2*daily)
			}
		}
	})
}

func TestALeaseThatIsSentAgainIsOneLease(t *testing.T) {
	n := newNetwork(t, 3, 2)
	l := budgeted(t, n, 100)
	first := n.leaseOf(l.State, 1, 50)
	l.takes(leases(first))
	l.repeats(leases(first))
	l.takes(leases(n.leaseOf(l.State, 1, 30)))
	l.refuses(leases(first), ErrStale)
	if got := l.Leased(1, "denver-pd"); got.Day != 1 || got.Number != 2 || got.Amount != 80 || got.Last != 30 {
		t.Fatalf("leased: got %+v, want 80 in 2 leases, 30 in the last", got)
	}
	// What is left is granted, then nothing.
	l.takes(leases(n.leaseOf(l.State, 2, 500)))
	if got := l.Leased(2, "denver-pd").Last; got != 120 {
		t.Fatalf("the rest: got %d, want 120 of 200", got)
	}
	l.refuses(leases(n.leaseOf(l.State, 3, 1)), ErrBudget)
	l.restart()
	l.refuses(leases(n.leaseOf(l.State, 3, 1)), ErrBudget)
	if got := l.Status().Activity[0]; got.Used != 100 || got.Daily != 100 {
		t.Fatalf("status: got %d of %d used, want 100 of 100", got.Used, got.Daily)
	}
	l.dawns(n, 2)
	l.takes(leases(n.leaseOf(l.State, 3, 1)))
	l.refuses(leases(first), ErrStale)
}

func TestWhoGetsNoLease(t *testing.T) {
	n := newNetwork(t, 3, 2)
	early := n.log(t)
	early.admit(n, seeded("agency", 0), "denver-pd", 1)
	early.refuses(leases(n.leaseOf(early.State, 1, 1)), ErrStale) // no day has begun

	l := budgeted(t, n, 100)
	with := func(change func(*wire.Lease)) *wire.Command {
		m := n.leaseOf(l.State, 1, 10)
		change(m)
		return leases(signed(n, m))
	}
	l.refuses(with(func(m *wire.Lease) { m.Agency = "boulder-pd" }), ErrUnknownAgency)
	l.refuses(with(func(m *wire.Lease) { m.Day++ }), ErrStale)
	l.refuses(with(func(m *wire.Lease) { m.Number++ }), ErrStale)
	l.refuses(with(func(m *wire.Lease) { m.Number = 0 }), ErrStale)
	l.refuses(with(func(m *wire.Lease) { m.Amount = 0 }), ErrMalformed)
	l.refuses(with(func(m *wire.Lease) { m.Amount = MaxLease + 1 }), ErrMalformed)
	l.refuses(with(func(m *wire.Lease) { m.Server = 4 }), ErrUnknownServer)
	l.refuses(with(func(m *wire.Lease) { m.Server = 65537 }), ErrUnknownServer)
	l.refuses(leases(nil), ErrUnknownServer)
	forged := n.leaseOf(l.State, 1, 10)
	forged.Amount++
	l.refuses(leases(forged), ErrBadSignature)
	other := n.leaseOf(l.State, 1, 10)
	other.Server = 2
	l.refuses(leases(other), ErrBadSignature)

	l.takes(decides(n.decision(l.State, 0, Suspend, seeded("agency", 0), "left")))
	l.refuses(leases(n.leaseOf(l.State, 1, 10)), ErrUnknownAgency)
}

func TestAnAgencysOwnQuotaCounts(t *testing.T) {
	n := newNetwork(t, 3, 2)
	l := budgeted(t, n, 100)
	p := directory.FirstPolicy()
	p.Quotas = []directory.Quota{{Agency: "denver-pd", Daily: 3}}
	l.carries(n, &wire.Motion{Of: &wire.Motion_Policy{Policy: p.Message()}})
	l.takes(leases(n.leaseOf(l.State, 1, 50)))
	if got := l.Leased(1, "denver-pd").Last; got != 6 {
		t.Fatalf("granted: got %d, want 6 for 3 identifiers", got)
	}
}

func TestADayBeginsWhenAMajorityHasReachedIt(t *testing.T) {
	n := newNetwork(t, 3, 2)
	l := n.founded(t, 10)
	l.takes(ticks(signed(n, &wire.Tick{Server: 1, Day: 11})))
	l.repeats(ticks(signed(n, &wire.Tick{Server: 1, Day: 11})))
	l.repeats(ticks(signed(n, &wire.Tick{Server: 1, Day: 3})))
	if l.Day() != 10 || l.Reached(1) != 11 {
		t.Fatalf("one of three: got day %d", l.Day())
	}
	l.takes(ticks(signed(n, &wire.Tick{Server: 2, Day: 12})))
	if l.Day() != 11 {
		t.Fatalf("two of three: got day %d, want 11", l.Day())
	}
	forged := signed(n, &wire.Tick{Server: 3, Day: 12})
	forged.Day = 13
	l.refuses(ticks(forged), ErrBadSignature)
	l.refuses(ticks(signed(n, &wire.Tick{Server: 4, Day: 12})), ErrUnknownServer)
	l.refuses(ticks(signed(n, &wire.Tick{Server: 3, Day: lastDay + 1})), ErrMalformed)
}

func TestAClockThatJumpsChangesNothing(t *testing.T) {
	n := newNetwork(t, 3, 2)
	l := n.founded(t, 10)
	usage := []*wire.Usage{{Agency: "denver-pd", Elements: 1}}
	l.takes(ticks(signed(n, &wire.Tick{Server: 1, Day: 99_999, Usage: usage})))
	size := l.Record().Size()
	for day := uint64(100_000); day < 100_010; day++ {
		l.refuses(ticks(signed(n, &wire.Tick{Server: 1, Day: day, Usage: usage})), ErrStale)
	}
	if l.Day() != 10 || l.Record().Size() != size {
		t.Fatalf("got day %d, and %d entries more in the record", l.Day(), l.Record().Size()-size)
	}
	// The clock is set right; a week later it counts again.
	for day := uint64(11); day <= 18; day++ {
		l.takes(ticks(signed(n, &wire.Tick{Server: 2, Day: day})))
		l.takes(ticks(signed(n, &wire.Tick{Server: 3, Day: day})))
	}
	l.takes(ticks(signed(n, &wire.Tick{Server: 1, Day: 18, Usage: usage})))
	if l.Reached(1) != 18 || l.Record().Size() != size+1 {
		t.Fatalf("server 1 has reached %d, want 18", l.Reached(1))
	}
}

func TestAClockThatWasWrongAtTheFoundingCountsAgain(t *testing.T) {
	n := newNetwork(t, 3, 2)
	l := n.log(t)
	l.takes(ticks(signed(n, &wire.Tick{Server: 1, Day: 99_999})))
	l.takes(ticks(signed(n, &wire.Tick{Server: 2, Day: 10})))
	if l.Day() != 10 || l.Reached(1) > 10+maxAhead {
		t.Fatalf("got day %d and %d for the clock ahead", l.Day(), l.Reached(1))
	}
}

func TestServersThatRestedCatchUp(t *testing.T) {
	n := newNetwork(t, 3, 2)
	l := n.founded(t, 10)
	for l.Day() < 40 {
		before := l.Day()
		for i := uint32(1); i <= 2; i++ {
			l.takes(ticks(signed(n, &wire.Tick{Server: i, Day: 40})))
		}
		if l.Day() == before {
			t.Fatalf("the day stands at %d, want 40", before)
		}
	}
}

func TestUnusualDemandIsFlaggedOnceAndThrottled(t *testing.T) {
	n := newNetwork(t, 3, 2)
	l := budgeted(t, n, 1_000_000)
	flagged := func() bool { return l.Status().Activity[0].Flagged }
	lease := func() {
		l.takes(leases(n.leaseOf(l.State, 1, MaxLease)))
	}
	for !flagged() {
		if l.Leased(1, "denver-pd").Amount > 2*unusualFloor {
			t.Fatal("demand beyond the floor is not flagged")
		}
		lease()
	}
	lease()
	if got := l.Leased(1, "denver-pd").Last; got != throttled {
		t.Fatalf("a lease when throttled: got %d, want %d", got, throttled)
	}
	notices := func() (count int) {
		for _, m := range l.Status().Notices {
			if m.Kind == UnusualDemand && m.Agency == "denver-pd" {
				count++
			}
		}
		return count
	}
	if notices() != 1 {
		t.Fatalf("got %d notices, want 1", notices())
	}
	clearing := func(number uint64) *wire.Command {
		return decides(n.sign(0, &wire.Decision{
			Verb: uint32(Clear), Agency: "denver-pd", Genesis: n.hash[:], Application: make([]byte, 32), Number: number,
		}))
	}
	l.refuses(clearing(l.Day()+1), ErrStale)
	today := clearing(l.Day())
	l.takes(today)
	l.repeats(today)
	lease()
	if flagged() || notices() != 1 || l.Leased(1, "denver-pd").Last == throttled {
		t.Fatal("flagged again on the day on which it was cleared")
	}
	l.restart()
	l.dawns(n, 2)
	l.refuses(today, ErrStale)
	l.refuses(clearing(2), ErrNoChange)
	for !flagged() {
		lease()
	}
	if notices() != 2 {
		t.Fatalf("the next day: got %d notices, want 2", notices())
	}
	l.refuses(decides(n.sign(0, &wire.Decision{
		Verb: uint32(Clear), Agency: "boulder-pd", Genesis: n.hash[:], Application: make([]byte, 32), Number: 2,
	})), ErrNoChange)
	l.dawns(n, 3)
	if !flagged() {
		t.Fatal("a night ended the throttling that nobody has ended")
	}
}

func TestTheRecordHasTheSumsOfTheDay(t *testing.T) {
	n := newNetwork(t, 3, 2)
	l := budgeted(t, n, 100)
	l.takes(leases(n.leaseOf(l.State, 1, 20)))
	l.takes(leases(n.leaseOf(l.State, 2, 22)))
	usage := []*wire.Usage{{Agency: "denver-pd", Elements: 17}}
	tick := signed(n, &wire.Tick{Server: 1, Day: 2, Usage: usage})
	l.takes(ticks(tick))
	if got := l.entry(-1).GetEvaluated(); !sameMessage(got, tick) {
		t.Fatalf("evaluated: got %v", got)
	}
	l.takes(ticks(signed(n, &wire.Tick{Server: 2, Day: 2})))
	want := &wire.DayUsage{Day: 1, Leased: []*wire.Usage{{Agency: "denver-pd", Elements: 42}}}
	if got := l.entry(-1).GetLeased(); !sameMessage(got, want) {
		t.Fatalf("leased: got %v, want %v", got, want)
	}
	twice := append(usage, usage...)
	l.refuses(ticks(signed(n, &wire.Tick{Server: 3, Day: 3, Usage: twice})), ErrMalformed)
	l.refuses(ticks(signed(n, &wire.Tick{Server: 3, Day: 3, Usage: []*wire.Usage{{Agency: "No"}}})), ErrMalformed)
}

// The usage of a large federation does not fit into one entry.
func TestADayOfManyAgenciesEnds(t *testing.T) {
	n := newNetwork(t, 3, 2)
	l := n.founded(t, 1)
	var usage []*wire.Usage
	for i := range directory.MaxAgencies {
		id := fmt.Sprintf("agency-with-a-very-long-id-%05d", i)
		usage = append(usage, &wire.Usage{Agency: id, Elements: 1 << 40})
		l.accounts[directory.AgencyID(id)] = account{grants: map[oprf.Index]grant{1: {number: 1, amount: 1 << 40, last: 1}}}
	}
	size := l.Record().Size()
	tick := signed(n, &wire.Tick{Server: 1, Day: 2, Usage: usage})
	l.takes(ticks(tick))
	l.takes(ticks(signed(n, &wire.Tick{Server: 2, Day: 2})))
	if l.Day() != 2 {
		t.Fatalf("day: got %d, want 2", l.Day())
	}
	joined, leased := &wire.Tick{Server: 1, Day: 2}, 0
	for i := size; i < l.Record().Size(); i++ {
		e := l.entry(int(i))
		leased += len(e.GetLeased().GetLeased())
		joined.Usage = append(joined.Usage, e.GetEvaluated().GetUsage()...)
		if s := e.GetEvaluated().GetSignature(); s != nil {
			joined.Signature = s
		}
	}
	if !sameMessage(joined, tick) || l.checkStatement(joined) != nil {
		t.Fatal("the parts in the record are not what the server signed")
	}
	if leased != directory.MaxAgencies {
		t.Fatalf("leased: got %d agencies, want all %d", leased, directory.MaxAgencies)
	}
	l.restart()
}
