package pages

import "time"

// Remembered is how many keys each set of budgets has room for.
const Remembered = 10_000

// Budgets are the budgets of many keys: burst tries, and one more each refill.
// Of a key it keeps when its budget is full again, and forgets it then; never
// before, or whoever can invent keys could push out the one that is spent.
type Budgets[K comparable] struct {
	burst  int
	refill time.Duration
	full   map[K]time.Time
}

// NewBudgets returns budgets of burst tries each, and one more each refill. They
// are not safe for use by several goroutines.
func NewBudgets[K comparable](burst int, refill time.Duration) *Budgets[K] {
	return &Budgets[K]{burst, refill, map[K]time.Time{}}
}

// Wait returns how long key must wait for its next try. Keys that there is no
// room for wait together, until a budget is full again.
func (b *Budgets[K]) Wait(key K, now time.Time) time.Duration {
	full, known := b.full[key]
	if !known {
		return b.room(now)
	}
	return max(0, full.Sub(now)-time.Duration(b.burst-1)*b.refill)
}

// Take counts a try of key, which Wait has let through.
func (b *Budgets[K]) Take(key K, now time.Time) {
	full := b.full[key]
	if full.Before(now) {
		full = now
	}
	b.full[key] = full.Add(b.refill)
}

// room returns how long until there is room for another key: none, if need be
// by forgetting the budgets that are full, or until the first of them is.
func (b *Budgets[K]) room(now time.Time) time.Duration {
	if len(b.full) < Remembered {
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
	if len(b.full) < Remembered {
		return 0
	}
	return soonest
}

// Len is how many keys are kept.
func (b *Budgets[K]) Len() int { return len(b.full) }
