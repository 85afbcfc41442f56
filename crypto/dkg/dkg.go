// Package dkg makes the shares of a registry key without a dealer, and moves them
// to other servers and another threshold. No machine ever holds the key.
//
// A ceremony is a list of messages in one order that all servers agree on (the
// log of the registry is the broadcast channel). The package has two halves:
//
//   - [Transcript] is the public half. Every server feeds it the same messages in
//     the same order ([Transcript.Apply]) and gets the same state: which phase it
//     is, who has still to speak, who was at fault, which key came out. It knows no
//     clock, no randomness and no secret.
//   - [Participant] is the private half of one server. [Participant.Next] says what
//     it has to say now, and [Participant.Share] gives the share and the federation
//     secret at the end. Its state is small, and must be on disk, sealed, before its
//     first message goes out.
//
// Generate is the protocol of Gennaro, Jarecki, Krawczyk and Rabin, "Secure
// Distributed Key Generation for Discrete-Log Based Cryptosystems", J. Cryptology
// 20 (2007), figure 2. Reshare is the redistribution of Desmedt and Jajodia,
// "Redistributing Secret Shares to New Access Structures" (1997), made verifiable
// as by Wong, Wang and Wing, "Verifiable Secret Redistribution for Archive Systems"
// (2002); to the same servers it is the refresh of Herzberg, Jarecki, Krawczyk and
// Yung, "Proactive Secret Sharing" (1995).
//
// It promises, with fewer than threshold dishonest servers: nobody learns the key,
// nor has a say in which it is; who deals wrongly is named and left out; a
// false complaint harms nobody; the shares that come out are of one polynomial. It
// does not authenticate: the caller signs each message as its sender and applies
// none that is not. It has no clock: the caller decides when a phase is closed on
// those who are silent, and with that who can be shut out. DESIGN.md has the
// argument and what is not claimed.
package dkg

import (
	"errors"
	"fmt"

	"interlock/crypto/oprf"
)

// Kind says what a ceremony does.
type Kind uint8

// The kinds.
const (
	Generate Kind = 1 // a new key
	Reshare  Kind = 2 // the same key, to a new set of servers and threshold
)

// String is "generate" or "reshare".
func (k Kind) String() string {
	switch k {
	case Generate:
		return "generate"
	case Reshare:
		return "reshare"
	}
	return fmt.Sprintf("Kind(%d)", uint8(k))
}

// Phase is where a ceremony stands. Phases come in ascending order; one in which
// nobody has anything to say is passed over.
type Phase uint8

// The phases.
const (
	Joining        Phase = 1 // receivers publish a recipient for this ceremony
	Dealing        Phase = 2 // dealers commit, and seal a sub-share to each receiver
	Judging        Phase = 3 // receivers complain, or say that they do not
	Answering      Phase = 4 // dealers reveal what was complained about
	Opening        Phase = 5 // Generate: dealers open the public half of their polynomials
	Reconstructing Phase = 6 // Generate: the others reveal the polynomial of who did not
	Confirming     Phase = 7 // receivers say that their share is on their disk
	Done           Phase = 8 // the outcome stands
	Failed         Phase = 9 // no key came of it; the caller begins again
)

// String is the phase in one word.
func (p Phase) String() string {
	names := [...]string{"", "joining", "dealing", "judging", "answering", "opening", "reconstructing", "confirming", "done", "failed"}
	if p == 0 || int(p) >= len(names) {
		return fmt.Sprintf("Phase(%d)", uint8(p))
	}
	return names[p]
}

// Limits on what is accepted.
const (
	// MaxServers is the number of dealers and of receivers.
	MaxServers = oprf.MaxServers
	// MaxSealed is the length in bytes of one sealed payload.
	MaxSealed = 6 << 10
	// MaxContext is the length in bytes of a plan's context.
	MaxContext = 1 << 10
	// MaxMessage is the length in bytes of an encoded message.
	MaxMessage = MaxServers*(MaxSealed+128) + 1024
)

// What the errors of this package are. Each is wrapped with the path to the fault.
var (
	// ErrPlan says that a plan contradicts itself, or that a message or a
	// participant belongs to another.
	ErrPlan = errors.New("plan not usable")
	// ErrMessage says that bytes are no message, or that a message is not of the
	// form that the ceremony asks for.
	ErrMessage = errors.New("message not usable")
	// ErrPhase says that a message belongs to another phase.
	ErrPhase = errors.New("not in this phase")
	// ErrSender says that nobody expects the sender to speak in this phase.
	ErrSender = errors.New("sender not expected")
	// ErrSpoken says that the sender has said something else in this phase.
	ErrSpoken = errors.New("sender has spoken already")
	// ErrDeal says that what a dealer commits to is not what it has to share.
	ErrDeal = errors.New("deal does not hold")
	// ErrTooFew says that too few have spoken for what was asked.
	ErrTooFew = errors.New("too few servers")
	// ErrDisagree says that the receivers confirmed different secrets.
	ErrDisagree = errors.New("servers disagree")
	// ErrState says that a participant's private state is damaged, or not the one
	// with which it spoke before in this ceremony.
	ErrState = errors.New("private state not usable")
	// ErrNoShare says that no share, or no federation secret, came to this receiver.
	ErrNoShare = errors.New("no share")
)

// Reason says what a server did wrong.
type Reason uint8

// The reasons.
const (
	Silent         Reason = 1 // said nothing before the phase was closed
	ManyComplaints Reason = 2 // threshold or more receivers complained of its deal
	WrongAnswer    Reason = 3 // revealed a sub-share that its commitments refute
	WrongOpening   Reason = 4 // opened another polynomial than it committed to
	OtherSecret    Reason = 5 // confirmed another federation secret than the rest
)

// String is the reason in a few words.
func (r Reason) String() string {
	names := [...]string{"", "silent", "many complaints", "wrong answer", "wrong opening", "other secret"}
	if r == 0 || int(r) >= len(names) {
		return fmt.Sprintf("Reason(%d)", uint8(r))
	}
	return names[r]
}

// Fault is what a server did wrong, by the transcript alone. Silence may be a broken link;
// the others need a dishonest or damaged server, if at most threshold-1 are so.
type Fault struct {
	Server oprf.Index
	Phase  Phase
	Reason Reason
}
