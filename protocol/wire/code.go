package wire

import "fmt"

// Code says on the wire why a stream was refused. It tells a peer what is
// wrong with its bytes, never what is known about it: a stranger and a member
// without the right get the same code.
type Code uint32

// The codes; their numbers are part of the protocol.
const (
	CodeNone        Code = 0
	CodeRefused     Code = 1 // not admitted, or not to this
	CodeMalformed   Code = 2 // not a message in its accepted encoding
	CodeTooLarge    Code = 3 // frame over the limit
	CodeForged      Code = 4 // signature, chain or proof does not hold
	CodeGap         Code = 5 // entries do not follow on
	CodeBusy        Code = 6 // a limit is reached; try again later
	CodeUnavailable Code = 7 // cannot serve now: no leader, no share, closing
	CodeTimeout     Code = 8 // too slow
)

var codeNames = [...]string{"none", "refused", "malformed", "too large", "forged", "gap", "busy", "unavailable", "timeout"}

func (c Code) String() string {
	if int(c) < len(codeNames) {
		return codeNames[c]
	}
	return fmt.Sprintf("code %d", uint32(c))
}

// Refusal is the error of a stream that ended with a code, given by us or by
// the other side.
type Refusal struct {
	Code Code
	By   string // "us" or "peer"
	Err  error  // what led to it; nil where the peer refused
}

func (r *Refusal) Error() string {
	if r.Err == nil {
		return fmt.Sprintf("stream refused by %s: %s", r.By, r.Code)
	}
	return fmt.Sprintf("stream refused by %s: %s: %v", r.By, r.Code, r.Err)
}

func (r *Refusal) Unwrap() error { return r.Err }

// Refuse is the error a handler returns to end its stream with code c.
func Refuse(c Code, err error) error { return &Refusal{Code: c, By: "us", Err: err} }
