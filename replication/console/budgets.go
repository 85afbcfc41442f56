package console

import "time"

// remembered is how many keys each set of budgets has room for.
const remembered = 10_000

// budgets are the budgets of many keys: burst tries, and one more each refill.
// Of a key it keeps when its budget is full again, and forgets it then; never
// before, or whoever can invent keys could push out the one that is spent.
type budgets[K comparable] struct {
	burst  int
	refill time.Duration
	full   map[K]time.Time
}

func newBudgets[K comparable](burst int, refill time.Duration) *budgets[K] {
	return &budgets[K]{burst, refill, map[K]time.Time{}}
}

// wait returns how long key must wait for its next try. Keys that there is no
// room for wait together, until a budget is full again.
func (b *budgets[K]) wait(key K, now time.Time) time.Duration {
	full, known := b.full[key]
	if !known {
		return b.room(now)
	}
	return max(0, full.Sub(now)-time.Duration(b.burst-1)*b.refill)
}

// take counts a try of key, which wait has let through.
func (b *budgets[K]) take(key K, now time.Time) {
	full := b.full[key]
	if full.Before(now) {
		full = now
	}
	b.full[key] = full.Add(b.refill)
}

// room returns how long until there is room for another key: none, if need be
// by forgetting the budgets that are full, or until the first of them is.
func (b *budgets[K]) room(now time.Time) time.Duration {
	if len(b.full) < remembered {
		return 0
	}
	var soonest time.Duration
	for key, full := range b.full {
		left := full.Sub(now)
		switch {
		case left <= 0:
			delete(b.full, key)
		case soonest == 0 || left < soonest:
			soonest = left
		}
	}
	if len(b.full) < remembered {
		return 0
	}
	return soonest
}
