// Package registry is the registry of a federation as a pure state machine:
// what a log of commands means.
//
// It promises that one log makes one state, byte for byte, on every server;
// that a refused command changes nothing; that an agency becomes active, and
// anything else of weight happens, only when two different operators have
// signed exactly that; that no decision and no application can be replayed;
// that what the servers may evaluate for an agency in a day never exceeds its
// budget; that every decision is in the record, whose head every directory
// carries, and every application from the next decision on; and that a directory is published only when enough of the servers
// that the one before it names have endorsed it.
//
// It opens nothing, reads no clock and draws no random number: a command's time
// is recorded in the log and never decided upon; the day advances when a
// majority of the servers say so. A State is not safe for use by several
// goroutines. Package cluster replicates the log and owns the state; package
// centre asks it.
//
// # What a decision names
//
// Every application and motion gets a number when it is received, the index of
// its log entry, which is never given again. A decision is signed by the
// operator over the network, the verb, what it decides upon by hash, and that
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

	"interlock/crypto/oprf"
	"interlock/protocol/directory"
	"interlock/protocol/wire"
	"interlock/replication/record"
)

// Limits of the state.
const (
	MaxPending     = 1000 // applications waiting; one for each key
	MaxRefused     = 1000 // refusals remembered, so that applicants learn of them
	MaxMotions     = 100  // waiting for a second operator
	MaxInvitations = 2000 // open, or used and not yet expired
	MaxNotices     = 500  // the newest are kept; all are in the record

	// MaxDirectory is the largest encoded directory: it must fit into a frame
	// with its endorsements.
	MaxDirectory = 16*wire.MiB - 64*wire.KiB
)

// State is the registry at one point of its log. The messages and slices in it
// are never changed in place: what others were given stays as it was.
type State struct {
	*Foundation
	version      uint64
	servers      []directory.Server // by index
	nextServer   oprf.Index
	operators    []Operator // in order of joining; former ones have no role
	epochs       []directory.KeyEpoch
	policy       directory.Policy
	agencies     []member                         // by id
	ids          map[wire.Peer]directory.AgencyID // of agencies, by key
	removed      []string                         // ids that were members, ascending
	pending      []applicant                      // by number
	refused      []rejection                      // oldest first
	motions      []motion                         // by number
	motioned     uint64                           // motions that were ever received
	invitations  []*wire.UsedInvitation           // in order of arrival
	accounts     map[directory.AgencyID]account   // budgets of the day
	days         map[oprf.Index]uint64            // that the servers' clocks have reached
	day          uint64                           // that a majority of them has
	refreshed    uint64                           // day of the last key ceremony
	ceremony     *ceremony                        // under way, or nil
	notices      []*wire.Notice                   // newest last
	record       *record.Tree
	head         record.Head             // of the record, as the directory at version signs it
	trusted      directory.Trust         // whose endorsements count after the last handover
	before       directory.Trust         // and whose for the last handover itself
	handovers    []*wire.SignedDirectory // after each of which others' endorsements counted
	handed       []uint64                // their versions
	endorsements []*wire.Endorsement     // of version, by server
	published    *wire.SignedDirectory
	encoded      []byte // the directory at version, as it is endorsed
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
// without an agency or a token key, and the ceremony that makes the first.
func New(g *wire.Genesis) (*State, error) {
	f, err := CheckGenesis(proto.Clone(g).(*wire.Genesis))
	if err != nil {
		return nil, err
	}
	s := &State{
		Foundation: f, version: 1, servers: f.Founders, operators: f.Operators,
		nextServer: f.Founders[len(f.Founders)-1].Index + 1, policy: directory.FirstPolicy(),
		ids: map[wire.Peer]directory.AgencyID{}, accounts: map[directory.AgencyID]account{}, days: map[oprf.Index]uint64{},
		record: &record.Tree{}, head: (&record.Tree{}).Head(), trusted: f.Trust(),
	}
	if s.ceremony, err = s.generate(0, 1, f.Threshold); err != nil {
		return nil, fmt.Errorf("first key ceremony: %w", err)
	}
	if s.encoded, err = s.Directory().Encode(); err != nil {
		return nil, fmt.Errorf("encode first directory: %w", err)
	}
	return s, nil
}

// Apply executes the command at one index of the log. The error is a Refusal,
// possibly wrapped, and then the state is what it was.
func (s *State) Apply(index uint64, c *wire.Command) error {
	d, err := s.plan(index, proto.Clone(c).(*wire.Command))
	if err != nil || d == nil {
		return err
	}
	*s = d.State
	s.record.Commit(d.recorded)
	return nil
}

// Check returns what Apply would, and whether the state would change.
func (s *State) Check(c *wire.Command) (changes bool, err error) {
	d, err := s.plan(0, c)
	return d != nil, err
}

// plan works on a copy of the state, so that a refusal cannot leave half a
// change behind. A command that repeats one already taken has no draft.
func (s *State) plan(index uint64, c *wire.Command) (*draft, error) {
	d := &draft{State: *s, index: index, time: c.GetTime()}
	changes, err := d.take(c)
	if err != nil || !changes {
		return nil, err
	}
	return d, d.finish()
}

// draft is the state that a command leads to.
type draft struct {
	State
	index, time uint64
	entries     [][]byte    // for the record
	recorded    record.Plan // of entries
	shown       bool        // the directory changes in more than its record
	quiet       bool        // and does not change for the entries
}

// take changes the draft as the command says, and reports whether it did.
func (d *draft) take(c *wire.Command) (changes bool, err error) {
	switch of := c.GetOf().(type) {
	case *wire.Command_Application:
		return d.apply(of.Application)
	case *wire.Command_Decision:
		return d.decide(of.Decision)
	case *wire.Command_Endorse:
		return d.endorse(of.Endorse)
	case *wire.Command_Ceremony:
		return d.speak(of.Ceremony)
	case *wire.Command_Lease:
		return d.lease(of.Lease)
	case *wire.Command_Tick:
		return d.tick(of.Tick)
	case *wire.Command_Evidence:
		return d.convict(of.Evidence)
	}
	return false, ErrMalformed
}

// write puts an entry into the record.
func (d *draft) write(e *wire.RecordEntry) error {
	e.Index, e.Time = d.index, d.time
	b, err := wire.Marshal(e)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	d.entries = append(d.entries, b)
	return nil
}

// finish begins the next version of the directory where it has changed. An
// application alone begins none: the next version signs it. Otherwise whoever
// applies again and again could keep the servers endorsing, and a suspension from
// being published, and have every member fetch the directory each time.
func (d *draft) finish() error {
	if !d.shown && len(d.entries) == 0 {
		return nil
	}
	if len(d.agencies) > directory.MaxAgencies {
		return ErrFull
	}
	var err error
	if d.recorded, err = d.record.Plan(d.entries...); err != nil {
		return fmt.Errorf("%w: %w", ErrFull, err)
	}
	if d.quiet {
		return nil
	}
	d.version, d.head = d.version+1, d.recorded.Head
	encoded, err := d.Directory().Encode()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if len(encoded) > MaxDirectory {
		return ErrFull
	}
	d.encoded, d.endorsements = encoded, nil
	return nil
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
