package dkg

import (
	"crypto/sha256"

	"interlock/crypto/oprf"
	"interlock/crypto/token"
)

// Message is one thing said in a ceremony. The caller signs its encoding as From,
// and applies it only where that signature holds.
type Message struct {
	Plan PlanID
	From oprf.Index // 0 for Close, which no participant says
	Body Body
}

// Body is what a message says: one of [Join], [Deal], [Verdict], [Answer], [Open],
// [Reconstruct], [Confirm] and [Close].
type Body interface {
	// phase is the one in which it can be said.
	phase() Phase
	code() byte
	write(w *writer)
}

// Join says that a receiver takes part. The recipient is fresh and for this
// ceremony alone: once its identity is destroyed, nobody opens the sub-shares again.
type Join struct {
	Recipient string // an age hybrid recipient in canonical form
}

// Deal is a dealer's polynomial of degree threshold-1, committed to, with a payload
// sealed to each receiver that joined, in ascending order of receivers.
//
// In Generate the commitments are Pedersen's, C_k = a_k·G + b_k·H (Gennaro et al.,
// figure 2, step 1a). In Reshare they are Feldman's, A_k = a_k·G, and A_0 is the
// dealer's public share in the old key set (Wong et al., section 3).
type Deal struct {
	Commitments []oprf.Element
	Secret      [sha256.Size]byte // Generate: commitment to a part of the federation secret; else zero
	Sealed      [][]byte
}

// Verdict is what a receiver found in the deals (figure 2, step 1b): the dealers
// whose sub-share is not what they committed to, and those whose part of the
// federation secret is not. A payload that does not open is both. In ascending order.
type Verdict struct {
	Shares  []oprf.Index
	Secrets []oprf.Index
}

// SubShare is a dealer's polynomials at one receiver: encoded scalars. In Reshare
// the blind is zero.
type SubShare struct {
	Share [oprf.ScalarSize]byte
	Blind [oprf.ScalarSize]byte
}

// Revealed is a sub-share made public.
type Revealed struct {
	Server   oprf.Index // the receiver in an Answer, the dealer in a Reconstruct
	SubShare SubShare
}

// Relay is parts of the federation secret sealed to a receiver that complained of them.
type Relay struct {
	Receiver oprf.Index
	Sealed   []byte
}

// Answer reveals the sub-shares of a dealer to those receivers that complained of
// them (figure 2, step 1c), and passes on, sealed, the parts of the federation
// secret that others miss. Both in ascending order.
type Answer struct {
	Shares []Revealed
	Relays []Relay
}

// Open is the public half of a dealer's polynomial, A_k = a_k·G (figure 2, step
// 4a), with a proof that it is the one committed to.
type Open struct {
	Commitments []oprf.Element
	Proof       Proof
}

// Reconstruct reveals a receiver's sub-shares of the dealers that did not open
// theirs, in ascending order of dealers (figure 2, step 4c).
type Reconstruct struct {
	Shares []Revealed
}

// Confirm says that a receiver's share and the federation secret are on its disk.
type Confirm struct {
	Federation token.Commitment
}

// Close ends a phase without those who have not spoken. It comes from whoever has
// the clock, and the caller decides whose word on that it takes.
type Close struct {
	Phase Phase
}

func (Join) phase() Phase        { return Joining }
func (Deal) phase() Phase        { return Dealing }
func (Verdict) phase() Phase     { return Judging }
func (Answer) phase() Phase      { return Answering }
func (Open) phase() Phase        { return Opening }
func (Reconstruct) phase() Phase { return Reconstructing }
func (Confirm) phase() Phase     { return Confirming }
func (c Close) phase() Phase     { return c.Phase }
