package oprf

import (
	"errors"
	"fmt"
	"log/slog"
)

// Token is the output of the function for one input (RFC 9497, section 3.3.2).
// Whoever holds it can make everything that is derived from it, so it has no
// textual form: whatever prints it prints "token(redacted)". A token in an
// unexported field of a printed struct is out of reach of these methods.
type Token [TokenSize]byte

const (
	redactedToken   = "token(redacted)"
	redactedShare   = "share(redacted)"
	redactedRequest = "request(redacted)"
)

var errTokenText = errors.New("a token has no textual form")

// String returns "token(redacted)".
func (Token) String() string { return redactedToken }

// GoString returns "token(redacted)".
func (Token) GoString() string { return redactedToken }

// LogValue returns "token(redacted)".
func (Token) LogValue() slog.Value { return slog.StringValue(redactedToken) }

// Format writes "token(redacted)" for every verb.
func (Token) Format(f fmt.State, _ rune) { fmt.Fprint(f, redactedToken) }

// MarshalText refuses, so that no JSON holds a token by accident.
func (Token) MarshalText() ([]byte, error) { return nil, errTokenText }

// String returns "share(redacted)".
func (Share) String() string { return redactedShare }

// LogValue returns "share(redacted)".
func (Share) LogValue() slog.Value { return slog.StringValue(redactedShare) }

// Format writes "share(redacted)" for every verb.
func (Share) Format(f fmt.State, _ rune) { fmt.Fprint(f, redactedShare) }

// String returns "request(redacted)".
func (*Request) String() string { return redactedRequest }

// LogValue returns "request(redacted)".
func (*Request) LogValue() slog.Value { return slog.StringValue(redactedRequest) }

// Format writes "request(redacted)" for every verb.
func (*Request) Format(f fmt.State, _ rune) { fmt.Fprint(f, redactedRequest) }
