package registry

import (
	"errors"
	"fmt"

	"interlock/protocol/wire"
)

// Refusal says why a command was not taken. It is an error that callers branch
// on with errors.Is; its number is part of the protocol between servers, and
// its text is a sentence for whoever asked.
type Refusal uint32

// The refusals.
const (
	ErrMalformed        Refusal = 1
	ErrWrongNetwork     Refusal = 2
	ErrBadSignature     Refusal = 3
	ErrNotOperator      Refusal = 4
	ErrUnknownAgency    Refusal = 5
	ErrTaken            Refusal = 6
	ErrStale            Refusal = 7
	ErrSameOperator     Refusal = 8
	ErrWrongHash        Refusal = 9
	ErrAlreadyActive    Refusal = 10
	ErrAlreadySuspended Refusal = 11
	ErrAlreadyRefused   Refusal = 12
	ErrNoReason         Refusal = 13
	ErrFull             Refusal = 14
	ErrUnknownServer    Refusal = 15
	ErrNotInvited       Refusal = 16
	ErrRole             Refusal = 17
	ErrUnknownOperator  Refusal = 18
	ErrNoChange         Refusal = 19
	ErrTooFew           Refusal = 20
	ErrCeremony         Refusal = 21
	ErrUnknownEpoch     Refusal = 22
	ErrBudget           Refusal = 23
	ErrNoEvidence       Refusal = 24
)

var refusals = [...]struct {
	sentence string
	code     wire.Code
}{
	0:                   {"the request was taken", wire.CodeNone},
	ErrMalformed:        {"the request is not in the accepted form", wire.CodeMalformed},
	ErrWrongNetwork:     {"the request is for another network", wire.CodeRefused},
	ErrBadSignature:     {"the signature does not verify", wire.CodeForged},
	ErrNotOperator:      {"the key is not one of this network's operators", wire.CodeRefused},
	ErrUnknownAgency:    {"no agency has this id, and none has applied under it", wire.CodeRefused},
	ErrTaken:            {"the id or the key belongs to somebody else in this network", wire.CodeRefused},
	ErrStale:            {"this was decided or replaced in the meantime; look at it again", wire.CodeRefused},
	ErrSameOperator:     {"this operator has approved already; a second operator must", wire.CodeRefused},
	ErrWrongHash:        {"the application is not the one that was decided upon", wire.CodeRefused},
	ErrAlreadyActive:    {"the agency is active already", wire.CodeRefused},
	ErrAlreadySuspended: {"the agency is suspended already", wire.CodeRefused},
	ErrAlreadyRefused:   {"this application was refused; change it and apply again", wire.CodeRefused},
	ErrNoReason:         {"a refusal or suspension needs a reason of at most 200 bytes on one line", wire.CodeMalformed},
	ErrFull:             {"the registry holds as much as it can; ask an operator", wire.CodeBusy},
	ErrUnknownServer:    {"no server of this network has this number", wire.CodeRefused},
	ErrNotInvited:       {"a new agency needs an invitation that is open; ask the centre for one", wire.CodeRefused},
	ErrRole:             {"this operator's roles do not allow it", wire.CodeRefused},
	ErrUnknownOperator:  {"no operator holds this key", wire.CodeRefused},
	ErrNoChange:         {"it is so already", wire.CodeRefused},
	ErrTooFew:           {"too few would be left", wire.CodeRefused},
	ErrCeremony:         {"the key ceremony does not take this now", wire.CodeRefused},
	ErrUnknownEpoch:     {"no key epoch with this number can be retired", wire.CodeRefused},
	ErrBudget:           {"the agency's budget of today is used up", wire.CodeBusy},
	ErrNoEvidence:       {"these two heads do not prove a fork", wire.CodeRefused},
}

// Error is the refusal as a sentence.
func (r Refusal) Error() string {
	if int(r) < len(refusals) {
		return refusals[r].sentence
	}
	return fmt.Sprintf("the request was refused with number %d", uint32(r))
}

// Code is the code that ends a stream refused for this reason.
func (r Refusal) Code() wire.Code {
	if int(r) < len(refusals) {
		return refusals[r].code
	}
	return wire.CodeRefused
}

// With is the refusal with a sentence that says more, as it came from another
// server.
func (r Refusal) With(sentence string) error {
	if sentence == "" || sentence == r.Error() {
		return r
	}
	return &detailed{refusal: r, sentence: sentence}
}

// RefusalOf returns the refusal that err is or wraps.
func RefusalOf(err error) (Refusal, bool) {
	var r Refusal
	ok := errors.As(err, &r)
	return r, ok
}

type detailed struct {
	refusal  Refusal
	sentence string
}

func (d *detailed) Error() string { return d.sentence }
func (d *detailed) Unwrap() error { return d.refusal }
