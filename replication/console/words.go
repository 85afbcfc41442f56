package console

import (
	"fmt"
	"net/url"
	"strings"
	"time"

	"interlock/protocol/pages"
)

// unix is a time as messages carry it; the zero pages.Moment stands for never.
func (c *Console) unix(seconds uint64) pages.Moment {
	if seconds == 0 || seconds > 1<<40 {
		return pages.Moment{}
	}
	return c.at(time.Unix(int64(seconds), 0))
}

// ago writes how long ago t was.
func (c *Console) ago(t time.Time) pages.Moment {
	m := c.at(t)
	d := c.now().Sub(t)
	switch {
	case d < 2*time.Minute:
		m.Text = "just now"
	case d < 2*time.Hour:
		m.Text = pages.Many(int(d/time.Minute), "minute", "minutes") + " ago"
	case d < 48*time.Hour:
		m.Text = pages.Many(int(d/time.Hour), "hour", "hours") + " ago"
	default:
		m.Text = pages.Many(int(d/(24*time.Hour)), "day", "days") + " ago"
	}
	return m
}

// day writes a Unix day.
func day(n uint64) pages.Moment {
	if n > 1<<24 {
		n = 1 << 24
	}
	t := time.Unix(int64(n)*24*60*60, 0).UTC()
	return pages.Moment{Text: t.Format("2 Jan 2006"), Machine: t.Format("2006-01-02")}
}

// listed writes "a, b and c".
func listed(list []string) string {
	if len(list) < 2 {
		return strings.Join(list, "")
	}
	return strings.Join(list[:len(list)-1], ", ") + " and " + list[len(list)-1]
}

// days writes a number of days where 0 means no limit.
func days(n int, none string) string {
	if n == 0 {
		return none
	}
	return pages.Many(n, "day", "days")
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

// at writes t in the pages' own time.
func (c *Console) at(t time.Time) pages.Moment { return pages.At(t, c.now()) }
