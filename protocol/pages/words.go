package pages

import (
	"strconv"
	"time"
)

// Moment is a time for people and for machines.
type Moment struct {
	Text    string
	Machine string
}

// At writes t in the time zone of now; today's times without the date.
func At(t, now time.Time) Moment {
	t = t.In(now.Location())
	text := t.Format("2 Jan 2006, 15:04")
	if t.Year() == now.Year() && t.YearDay() == now.YearDay() {
		text = "today, " + t.Format("15:04")
	}
	return Moment{text, t.Format(time.RFC3339)}
}

// Many writes a number with its noun: "1 alert", "1,204 identifiers".
func Many[N ~int | ~uint32 | ~uint64](n N, one, more string) string {
	if n == 1 {
		return "1 " + one
	}
	return Grouped(n) + " " + more
}

// Grouped writes a number with commas between its thousands.
func Grouped[N ~int | ~uint32 | ~uint64](n N) string {
	digits := strconv.FormatUint(uint64(n), 10)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// InAWhile writes a wait for people, rounded up.
func InAWhile(d time.Duration) string {
	if d <= time.Minute {
		return Many(max(1, int((d+time.Second-1)/time.Second)), "second", "seconds")
	}
	return Many(int((d+time.Minute-1)/time.Minute), "minute", "minutes")
}
