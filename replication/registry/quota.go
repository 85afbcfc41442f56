package registry

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"interlock/crypto/oprf"
	"interlock/protocol/directory"
	"interlock/protocol/wire"
)

// Budgets count partial evaluations: a token takes one of each of threshold
// servers. What the servers may give an agency in a day is threshold times the
// identifiers that policy allows it, over all servers together, because each of
// them gives only what it has leased before, through the log. A lease that a
// server has not used up when it dies, or when the day ends, is lost.
const (
	// MaxLease is the most partial evaluations in one lease.
	MaxLease = 16 * wire.MaxEvaluate
	// throttled is the most in one lease of an agency whose demand is unusual.
	throttled = 256
	// An agency's demand is unusual when it exceeds unusualTimes its smoothed
	// daily demand and, times threshold, unusualFloor: somebody may be going
	// through a dictionary.
	unusualTimes = 8
	unusualFloor = 10_000
	// smoothing is the weight, one in so many, of a day in the average.
	smoothing = 4

	// A clock counts as at most maxAhead days before the registry's day. So one
	// that jumps far ahead counts again soon after it was set right, and cannot fill
	// the record; and after a long rest of all servers they catch up in steps.
	maxAhead = 7
	// lastDay bounds the days that are believed at all (the year 10000 or so).
	lastDay = 3_000_000
	// usageEntry is how many agencies' usage one entry of the record holds.
	usageEntry = 1000
)

// account is an agency's budget of the day, in partial evaluations.
type account struct {
	grants  map[oprf.Index]grant
	average uint64 // smoothed, of the days before
	flagged bool   // demand is unusual: leases are small
	cleared bool   // by an operator, today
}

// grant is what one server has leased today.
type grant struct{ number, amount, last uint64 }

func (a account) granted() (sum uint64) {
	for _, g := range a.grants {
		sum += g.amount
	}
	return sum
}

// budget is what may be granted for an agency in a day.
func (s *State) budget(id directory.AgencyID) uint64 {
	return s.policy.DailyOf(id) * uint64(s.threshold())
}

// lease takes a server's lease for an agency. The amount is what is left at
// most; how much it is the server reads from the state.
func (d *draft) lease(m *wire.Lease) (changes bool, err error) {
	if err := d.checkStatement(m); err != nil {
		return false, err
	}
	id, server := directory.AgencyID(m.Agency), oprf.Index(m.Server)
	i, ok := d.find(id)
	switch {
	case !ok || d.agencies[i].agency.Status != directory.Active:
		return false, ErrUnknownAgency
	case m.Day != d.day || d.day == 0:
		return false, ErrStale
	case m.Amount < 1 || m.Amount > MaxLease:
		return false, ErrMalformed
	}
	a := d.accounts[id]
	g := a.grants[server]
	switch {
	case m.Number == g.number && m.Number > 0:
		return false, nil
	case m.Number != g.number+1:
		return false, ErrStale
	}
	granted, budget := a.granted(), d.budget(id)
	if granted >= budget {
		return false, ErrBudget
	}
	amount := min(m.Amount, budget-granted)
	if a.flagged {
		amount = min(amount, throttled)
	}
	a.grants = maps.Clone(a.grants)
	if a.grants == nil {
		a.grants = map[oprf.Index]grant{}
	}
	a.grants[server] = grant{number: m.Number, amount: g.amount + amount, last: amount}
	unusual := granted+amount > max(unusualTimes*a.average, unusualFloor*uint64(d.threshold()))
	raised := unusual && !a.flagged && !a.cleared
	a.flagged = a.flagged || raised
	d.accounts = maps.Clone(d.accounts)
	d.accounts[id] = a
	if raised {
		return true, d.notify(&wire.Notice{
			Kind: UnusualDemand, Agency: m.Agency,
			Text: fmt.Sprintf("%s asks for far more tokens than on other days and is throttled; ask what it imports, then clear or suspend it", id),
		})
	}
	return true, nil
}

// clear ends the throttling of an agency for the rest of the day and after it.
func (d *draft) clear(m *wire.Decision) (changes bool, err error) {
	id := directory.AgencyID(m.Agency)
	a := d.accounts[id]
	switch {
	case m.Number != d.day:
		return false, ErrStale
	case a.cleared && !a.flagged:
		return false, nil
	case !a.flagged:
		return false, ErrNoChange
	}
	a.flagged, a.cleared = false, true
	d.accounts = maps.Clone(d.accounts)
	d.accounts[id] = a
	return true, nil
}

// tick takes a server's word that its clock has reached a day. The day of the
// registry is what a majority of the servers has reached, so that one clock that
// jumps changes nothing.
func (d *draft) tick(m *wire.Tick) (changes bool, err error) {
	if err := d.checkStatement(m); err != nil {
		return false, err
	}
	server, day := oprf.Index(m.Server), d.nearest(m.Day)
	switch {
	case m.Day > lastDay || len(m.Usage) > directory.MaxAgencies || !wellFormed(m.Usage):
		return false, ErrMalformed
	case m.Day <= d.days[server]:
		return false, nil
	case day <= d.days[server]:
		return false, ErrStale // far ahead: it waits for the others
	}
	d.days = maps.Clone(d.days)
	d.days[server] = day
	if err := d.writeEvaluated(m); err != nil {
		return false, err
	}
	reached := make([]uint64, 0, len(d.servers))
	for _, s := range d.servers {
		reached = append(reached, d.days[s.Index])
	}
	slices.SortFunc(reached, func(a, b uint64) int { return cmp.Compare(b, a) })
	if now := reached[directory.Majority(len(reached))-1]; now > d.day {
		return true, d.begin(now)
	}
	return true, nil
}

// nearest is what a clock's day counts as.
func (s *State) nearest(day uint64) uint64 {
	if s.day == 0 {
		return day
	}
	return min(day, s.day+maxAhead)
}

// wellFormed reports whether usage is by agency, ascending, without repetition.
func wellFormed(list []*wire.Usage) bool {
	for i, u := range list {
		if _, err := directory.ParseAgencyID(u.Agency); err != nil || i > 0 && list[i-1].Agency >= u.Agency {
			return false
		}
	}
	return true
}

// writeEvaluated puts what a server evaluated into the record: in parts where it
// is long. The signature stands in the last one, over all of them together.
func (d *draft) writeEvaluated(m *wire.Tick) error {
	for from := 0; from < len(m.Usage); from += usageEntry {
		to := min(from+usageEntry, len(m.Usage))
		part := &wire.Tick{Server: m.Server, Day: m.Day, Usage: m.Usage[from:to]}
		if to == len(m.Usage) {
			part.Signature = m.Signature
		}
		if err := d.write(&wire.RecordEntry{Of: &wire.RecordEntry_Evaluated{Evaluated: part}}); err != nil {
			return err
		}
	}
	return nil
}

// writeLeased puts what was leased today into the record.
func (d *draft) writeLeased(leased []*wire.Usage) error {
	for part := range slices.Chunk(leased, usageEntry) {
		if err := d.write(&wire.RecordEntry{Of: &wire.RecordEntry_Leased{Leased: &wire.DayUsage{Day: d.day, Leased: part}}}); err != nil {
			return err
		}
	}
	return nil
}

// begin begins a day: yesterday's leases go to the record and end.
func (d *draft) begin(day uint64) error {
	var leased []*wire.Usage
	accounts := make(map[directory.AgencyID]account, len(d.accounts))
	for _, id := range slices.Sorted(maps.Keys(d.accounts)) {
		a := d.accounts[id]
		granted := a.granted()
		if granted > 0 {
			leased = append(leased, &wire.Usage{Agency: string(id), Elements: granted})
		}
		average := a.average - a.average/smoothing + granted/smoothing
		accounts[id] = account{average: average, flagged: a.flagged}
	}
	if err := d.writeLeased(leased); err != nil {
		return err
	}
	d.accounts, d.day = accounts, day
	for server, reached := range d.days {
		d.days[server] = d.nearest(reached)
	}
	return d.refreshIfDue()
}

// Leased is what a server has leased for an agency today.
type Leased struct {
	Day     uint64
	Number  uint64 // of its last lease
	Amount  uint64 // of all its leases today
	Last    uint64 // of the last lease
	Left    uint64 // of the agency's budget today, for all servers together
	Flagged bool   // demand is unusual
}

// Leased returns what a server has leased for an agency today.
func (s *State) Leased(server oprf.Index, id directory.AgencyID) Leased {
	a := s.accounts[id]
	g := a.grants[server]
	budget := s.budget(id)
	return Leased{
		Day: s.day, Number: g.number, Amount: g.amount, Last: g.last, Left: budget - min(budget, a.granted()), Flagged: a.flagged,
	}
}

// Day is the day that the registry counts, as a Unix day; 0 before the first.
func (s *State) Day() uint64 { return s.day }

// Reached is the day that a server's clock has reached.
func (s *State) Reached(server oprf.Index) uint64 { return s.days[server] }
