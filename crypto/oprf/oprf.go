// Package oprf computes tokens: a threshold verifiable oblivious pseudorandom
// function, RFC 9497 in mode VOPRF (0x01) with the suite ristretto255-SHA512,
// whose key is shared among n servers so that any t of them can evaluate.
//
// A client blinds its inputs ([Client.Blind]), t servers evaluate the blinded
// elements ([Share.Evaluate]), and the client checks the servers' proofs
// ([Request.CheckAll]) and takes the tokens ([Request.Finalize]). The tokens are
// those of RFC 9497, byte for byte, whichever servers answered.
//
// It promises that the servers, all of them together, learn nothing about the
// inputs from a request; that fewer than t shares evaluate nothing; and that a
// server which answers wrongly is named and never changes a token. It does not
// promise anything when the [KeySet] is not authentic: it must come from the
// signed directory and never from the servers that answer. It neither meters nor
// authorises, and it does not hide how many inputs a request holds.
//
// Clients are the agencies' nodes, servers the registry's. DESIGN.md beside this
// file has the argument.
package oprf

import (
	"errors"
	"fmt"
)

// Sizes, in bytes, of what travels (RFC 9497, section 4.1).
const (
	ElementSize = 32
	ScalarSize  = 32
	TokenSize   = 64
	ProofSize   = 2 * ScalarSize
	// CompositesSize is not of RFC 9497, which does not send them.
	CompositesSize = 2 * ElementSize
)

// Limits on what is accepted.
const (
	// MaxBatch is the number of elements in one request.
	MaxBatch = 1024
	// MaxServers is the number of servers in one key set.
	MaxServers = 64
	// MaxInput is the length of one input in bytes (RFC 9497, section 5.1).
	MaxInput = 1<<16 - 2
)

// Index is a server's number, 1 or more: the x-coordinate of its Shamir share.
type Index uint16

// Element is an encoded element of ristretto255 (RFC 9496, section 4.3). It
// comes from the wire as it is, and is checked when it is used.
type Element [ElementSize]byte

// Proof is a batched DLEQ proof (RFC 9497, section 2.2): challenge, then response.
type Proof [ProofSize]byte

// Composites are the elements M and Z over which a proof was made (RFC 9497,
// section 2.2.1), encoded one after the other. They let a client verify the
// answers of several servers together, and are believed in nothing else: the
// zero value stands for composites that were not sent, and wrong ones cost time alone.
type Composites [CompositesSize]byte

// PublicKey is the encoded public key of all the servers together.
type PublicKey Element

// PublicShare is the public key of one server's share.
type PublicShare struct {
	Index Index
	Key   [ElementSize]byte
}

// Answer is one server's evaluation of a request: the blinded elements, in their
// order, multiplied by the server's share and by its Lagrange weight in the quorum.
type Answer struct {
	Server     Index
	Evaluated  []Element
	Proof      Proof
	Composites Composites // zero if the server sent none
}

// What the errors of this package are. Each is wrapped with the path to the fault.
var (
	// ErrBatch says that a batch is empty or longer than MaxBatch.
	ErrBatch = errors.New("batch size out of range")
	// ErrInput says that an input cannot be hashed to the group.
	ErrInput = errors.New("input not usable")
	// ErrElement says that bytes are no canonical element, or the identity.
	ErrElement = errors.New("not an element")
	// ErrQuorum says that a quorum is not exactly the threshold of distinct
	// servers, or that an answer does not belong to it.
	ErrQuorum = errors.New("quorum not usable")
	// ErrKeySet says that a key set contradicts itself.
	ErrKeySet = errors.New("key set not consistent")
	// ErrShare says that bytes are no share, or that the share was destroyed.
	ErrShare = errors.New("share not usable")
	// ErrSpent says that a request has given its tokens already.
	ErrSpent = errors.New("request already finalized")
)

// WrongShareError names a server whose answer does not hold: its proof fails, or
// it has the wrong number of elements, or something that is no element.
type WrongShareError struct {
	Server Index
	Err    error // what is wrong
}

func (e *WrongShareError) Error() string {
	return fmt.Sprintf("answer of server %d: %v", e.Server, e.Err)
}

func (e *WrongShareError) Unwrap() error { return e.Err }

var errProof = errors.New("proof does not hold")
