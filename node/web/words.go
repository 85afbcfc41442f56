package web

import (
	"fmt"
	"time"

	"interlock/crypto/token"
	"interlock/protocol/identifier"
	"interlock/protocol/pages"
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

// verb is the form of a verb that goes with n things.
func verb(n int, one, more string) string {
	if n == 1 {
		return one
	}
	return more
}

func megabytes(n int) string { return fmt.Sprintf("%d MB", n>>20) }

// at writes t in the pages' own time.
func (s *site) at(t time.Time) pages.Moment { return pages.At(t, s.now()) }
