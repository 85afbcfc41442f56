package registry

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

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
	case m.Day != d.day:
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
	server := oprf.Index(m.Server)
	if m.Day <= d.days[server] {
		return false, nil
	}
	if len(m.Usage) > directory.MaxAgencies || !slices.IsSortedFunc(m.Usage, func(a, b *wire.Usage) int { return strings.Compare(a.Agency, b.Agency) }) {
		return false, ErrMalformed
	}
	d.days = maps.Clone(d.days)
	d.days[server] = m.Day
	if len(m.Usage) > 0 {
		if err := d.write(&wire.RecordEntry{Of: &wire.RecordEntry_Evaluated{Evaluated: m}}); err != nil {
			return false, err
		}
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

// begin begins a day: yesterday's leases go to the record and end.
func (d *draft) begin(day uint64) error {
	leased := &wire.DayUsage{Day: d.day}
	accounts := make(map[directory.AgencyID]account, len(d.accounts))
	for _, id := range slices.Sorted(maps.Keys(d.accounts)) {
		a := d.accounts[id]
		granted := a.granted()
		if granted > 0 {
			leased.Leased = append(leased.Leased, &wire.Usage{Agency: string(id), Elements: granted})
		}
		average := a.average - a.average/smoothing + granted/smoothing
		accounts[id] = account{average: average, flagged: a.flagged}
	}
	d.accounts, d.day = accounts, day
	if len(leased.Leased) > 0 {
		if err := d.write(&wire.RecordEntry{Of: &wire.RecordEntry_Leased{Leased: leased}}); err != nil {
			return err
		}
	}
	return d.refreshIfDue()
}

// Leased is what a server has leased for an agency today.
type Leased struct {
	Day     uint64
	Number  uint64 // of its last lease
	Amount  uint64 // of all its leases today
	Last    uint64 // of the last lease
	Flagged bool   // demand is unusual
}

// Leased returns what a server has leased for an agency today.
func (s *State) Leased(server oprf.Index, id directory.AgencyID) Leased {
	a := s.accounts[id]
	g := a.grants[server]
	return Leased{Day: s.day, Number: g.number, Amount: g.amount, Last: g.last, Flagged: a.flagged}
}

// Day is the day that the registry counts, as a Unix day; 0 before the first.
func (s *State) Day() uint64 { return s.day }

// Reached is the day that a server's clock has reached.
func (s *State) Reached(server oprf.Index) uint64 { return s.days[server] }
