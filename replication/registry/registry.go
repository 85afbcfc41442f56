// Package registry is the registry of member agencies as a pure state machine:
// what a log of commands means.
//
// It promises that one log makes one state, byte for byte, on every server;
// that a refused command changes nothing; that an agency becomes active only
// when two different operators have approved exactly the application it
// signed; that no decision and no application can be replayed; and that a
// directory is published only when a majority of the servers has endorsed it.
//
// It opens nothing, reads no clock and draws no random number: a command's time
// is recorded in the log and never decided upon. A State is not safe for use
// by several goroutines. Package cluster replicates the log and owns the state;
// package centre asks it.
//
// # What a decision names
//
// Every application gets a number when it is received, the index of its log
// entry, which is never given again. A decision is signed by the operator over
// the network, the verb, the agency's id, the application's hash and its
// number. So two operators who decide at the same time do not disturb one
// another, whatever else happens in the registry; and once an application is
// approved, refused or replaced, or the agency suspended, no earlier decision
// fits anything that comes later. The very same decision once more is taken as
// a repetition of one message and changes nothing, so a sender may try again
// when it did not hear the answer.
package registry

import (
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"interlock/crypto/token"
	"interlock/protocol/directory"
	"interlock/protocol/wire"
)

// Limits of the state.
const (
	MaxPending = 1000 // applications waiting; one for each key
	MaxRefused = 1000 // refusals remembered, so that applicants learn of them

	// MaxDirectory is the largest encoded directory: it must fit into a frame
	// with its endorsements.
	MaxDirectory = 16*wire.MiB - 64*wire.KiB
)

// firstEpoch is the epoch of the keys in the founding document.
const firstEpoch token.Epoch = 1

// State is the registry at one point of its log. The messages in it are never
// changed in place: what others were given stays as it was.
type State struct {
	*Foundation
	version      uint64
	agencies     []member            // by id
	pending      []applicant         // by number
	refused      []rejection         // oldest first
	endorsements []*wire.Endorsement // of version, by server
	published    *wire.SignedDirectory

	encoded []byte                           // the directory at version, as it is endorsed
	ids     map[wire.Peer]directory.AgencyID // of agencies, by key
}

// member is an agency that was admitted: active or suspended.
type member struct {
	agency directory.Agency
	hash   directory.ApplicationHash
	record *wire.Admitted
}

// applicant is an application that waits for operators.
type applicant struct {
	agency directory.Agency
	hash   directory.ApplicationHash
	record *wire.PendingApplication
}

// rejection is an application that an operator refused.
type rejection struct {
	key    wire.Peer
	record *wire.RefusedApplication
}

// New returns the state before the first command: version 1 of the directory,
// without an agency.
func New(g *wire.Genesis) (*State, error) {
	f, err := CheckGenesis(proto.Clone(g).(*wire.Genesis))
	if err != nil {
		return nil, err
	}
	s := &State{Foundation: f, version: 1, ids: make(map[wire.Peer]directory.AgencyID)}
	if s.encoded, err = s.Directory().Encode(); err != nil {
		return nil, fmt.Errorf("encode first directory: %w", err)
	}
	return s, nil
}

// Apply executes the command at one index of the log. The error is a Refusal,
// possibly wrapped, and then the state is what it was.
func (s *State) Apply(index uint64, c *wire.Command) error {
	change, err := s.plan(proto.Clone(c).(*wire.Command))
	if err != nil || change == nil {
		return err
	}
	change(index)
	return nil
}

// Check returns what Apply would, and whether the state would change.
func (s *State) Check(c *wire.Command) (changes bool, err error) {
	change, err := s.plan(c)
	return change != nil, err
}

// change is what an accepted command does. A command that repeats one already
// taken has none.
type change func(index uint64)

// plan decides without changing anything, so that a refusal cannot leave half a
// change behind.
func (s *State) plan(c *wire.Command) (change, error) {
	switch of := c.GetOf().(type) {
	case *wire.Command_Application:
		return s.apply(of.Application)
	case *wire.Command_Decision:
		return s.decide(of.Decision)
	case *wire.Command_Endorse:
		return s.endorse(of.Endorse)
	}
	return nil, ErrMalformed
}

// advance begins the next version of the directory, whose encoding the caller
// has made already.
func (s *State) advance(encoded []byte) {
	s.version++
	s.encoded = encoded
	s.endorsements = nil
}

// next returns the encoding of the directory in which m replaces or joins the
// agencies, at the version after this one.
func (s *State) next(m member) ([]member, []byte, error) {
	agencies := slices.Clone(s.agencies)
	if i, ok := s.find(m.agency.ID); ok {
		agencies[i] = m
	} else {
		agencies = slices.Insert(agencies, i, m)
	}
	if len(agencies) > directory.MaxAgencies {
		return nil, nil, ErrFull
	}
	encoded, err := s.directory(s.version+1, agencies).Encode()
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if len(encoded) > MaxDirectory {
		return nil, nil, ErrFull
	}
	return agencies, encoded, nil
}

// find returns where in agencies id stands or would stand.
func (s *State) find(id directory.AgencyID) (int, bool) {
	return slices.BinarySearchFunc(s.agencies, id, func(m member, id directory.AgencyID) int {
		return strings.Compare(string(m.agency.ID), string(id))
	})
}

// pendingOf returns where in pending the application of key is.
func (s *State) pendingOf(key wire.Peer) (int, bool) {
	i := slices.IndexFunc(s.pending, func(a applicant) bool { return a.agency.Key == key })
	return i, i >= 0
}

// refusedOf returns where in refused the application of key is.
func (s *State) refusedOf(key wire.Peer) (int, bool) {
	i := slices.IndexFunc(s.refused, func(r rejection) bool { return r.key == key })
	return i, i >= 0
}
