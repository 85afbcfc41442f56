package console

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// moment is a time for people and for machines.
type moment struct {
	Text    string
	Machine string
}

// at writes t in the console's own time; today's times without the date.
func (c *Console) at(t time.Time) moment {
	now := c.now()
	t = t.In(now.Location())
	text := t.Format("2 Jan 2006, 15:04")
	if t.Year() == now.Year() && t.YearDay() == now.YearDay() {
		text = "today, " + t.Format("15:04")
	}
	return moment{text, t.Format(time.RFC3339)}
}

// unix is a time as messages carry it; the zero moment stands for never.
func (c *Console) unix(seconds uint64) moment {
	if seconds == 0 || seconds > 1<<40 {
		return moment{}
	}
	return c.at(time.Unix(int64(seconds), 0))
}

// ago writes how long ago t was.
func (c *Console) ago(t time.Time) moment {
	m := c.at(t)
	d := c.now().Sub(t)
	switch {
	case d < 2*time.Minute:
		m.Text = "just now"
	case d < 2*time.Hour:
		m.Text = many(int(d/time.Minute), "minute", "minutes") + " ago"
	case d < 48*time.Hour:
		m.Text = many(int(d/time.Hour), "hour", "hours") + " ago"
	default:
		m.Text = many(int(d/(24*time.Hour)), "day", "days") + " ago"
	}
	return m
}

// day writes a Unix day.
func day(n uint64) moment {
	if n > 1<<24 {
		n = 1 << 24
	}
	t := time.Unix(int64(n)*24*60*60, 0).UTC()
	return moment{t.Format("2 Jan 2006"), t.Format("2006-01-02")}
}

// many writes a number with its noun: "1 motion", "1,204 identifiers".
func many[N ~int | ~uint32 | ~uint64](n N, one, more string) string {
	if n == 1 {
		return "1 " + one
	}
	return grouped(n) + " " + more
}

// grouped writes a number with commas between its thousands.
func grouped[N ~int | ~uint32 | ~uint64](n N) string {
	digits := strconv.FormatUint(uint64(n), 10)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// listed writes "a, b and c".
func listed(list []string) string {
	if len(list) < 2 {
		return strings.Join(list, "")
	}
	return strings.Join(list[:len(list)-1], ", ") + " and " + list[len(list)-1]
}

// inAWhile writes a wait for people, rounded up.
func inAWhile(d time.Duration) string {
	if d <= time.Minute {
		return many(max(1, int((d+time.Second-1)/time.Second)), "second", "seconds")
	}
	return many(int((d+time.Minute-1)/time.Minute), "minute", "minutes")
}

// days writes a number of days where 0 means no limit.
func days(n int, none string) string {
	if n == 0 {
		return none
	}
	return many(n, "day", "days")
}

// pathOf escapes what stands between two slashes of an address.
func pathOf(part string) string { return url.PathEscape(part) }

// firstUpper begins a sentence.
func firstUpper(s string) string {
	for i, r := range s {
		return strings.ToUpper(string(r)) + s[i+len(string(r)):]
	}
	return s
}

// sentenceOf ends a sentence that may have no end yet.
func sentenceOf(s string) string {
	if s = firstUpper(strings.TrimSpace(s)); s == "" || strings.HasSuffix(s, ".") {
		return s
	}
	return s + "."
}

// shortKey is a key in short, to tell two apart on a page.
func shortKey(b []byte) string { return fmt.Sprintf("%.8x…", b) }
