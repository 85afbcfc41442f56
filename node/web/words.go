package web

import (
	"fmt"
	"strconv"
	"time"

	"interlock/crypto/token"
	"interlock/protocol/identifier"
)

// kindName is what officers call a kind of identifier.
func kindName(k identifier.Kind) string {
	switch k {
	case identifier.Email:
		return "E-mail"
	case identifier.Phone:
		return "Telephone"
	case identifier.IP:
		return "IP address"
	case identifier.Domain:
		return "Domain"
	case identifier.URL:
		return "Web address"
	case identifier.Account:
		return "Account"
	case identifier.MD5:
		return "MD5"
	case identifier.SHA1:
		return "SHA-1"
	case identifier.SHA256:
		return "SHA-256"
	case identifier.Wallet:
		return "Wallet"
	}
	return "Other"
}

// handlingRule says in words what a handling code asks for.
func handlingRule(h token.Handling) string {
	switch h {
	case token.H0:
		return "no limit beyond fighting this crime"
	case token.H1:
		return "not in court proceedings without their leave"
	case token.H2:
		return "not to be passed on without their leave"
	}
	return "other limits: ask them before any use"
}

// moment is a time for people and for machines.
type moment struct {
	Text    string
	Machine string
}

// at writes t in the node's own time; today's times without the date.
func (s *site) at(t time.Time) moment {
	now := s.now()
	t = t.In(now.Location())
	text := t.Format("2 Jan 2006, 15:04")
	if t.Year() == now.Year() && t.YearDay() == now.YearDay() {
		text = "today, " + t.Format("15:04")
	}
	return moment{text, t.Format(time.RFC3339)}
}

// many writes a number with its noun: "1 alert", "1,204 identifiers".
func many[N int | uint64](n N, one, more string) string {
	if n == 1 {
		return "1 " + one
	}
	return grouped(n) + " " + more
}

// grouped writes a number with commas between its thousands.
func grouped[N int | uint64](n N) string {
	digits := strconv.FormatUint(uint64(n), 10)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// isAre is the verb for n things.
func isAre(n int) string {
	if n == 1 {
		return "is"
	}
	return "are"
}

func megabytes(n int) string { return fmt.Sprintf("%d MB", n>>20) }

// inAWhile writes a wait for people, rounded up.
func inAWhile(d time.Duration) string {
	if d <= time.Minute {
		return many(max(1, int((d+time.Second-1)/time.Second)), "second", "seconds")
	}
	return many(int((d+time.Minute-1)/time.Minute), "minute", "minutes")
}
