package cluster

import (
	"errors"
	"fmt"
	"slices"

	"github.com/hashicorp/raft"

	"interlock/crypto/oprf"
	"interlock/protocol/wire"
)

// Errors of Recover, Inspect and Seed.
var (
	// ErrNoPart says that a folder is no part of the network, or never had a vote in it.
	ErrNoPart = errors.New("the folder has no part in this network")
	// ErrNotSurvivor says that the list of survivors is not one that this server can recover by.
	ErrNotSurvivor = errors.New("the survivors must be servers that had a vote, and this one among them")
	// ErrNotEmpty says that a folder which should be new is not.
	ErrNotEmpty = errors.New("the folder is not empty")
)

// Position is how far a stopped server's folder is.
type Position struct {
	Incarnation uint64
	Term, Index uint64       // of the last entry in its log, which need not have been taken by a majority
	Version     uint64       // of the directory then
	Voters      []oprf.Index // whose votes counted, by number; those that the state does not name are left out
}

// Newer reports whether a server at p knows all that one at q can have
// acknowledged: whoever recovers must be the newest of the survivors.
func (p Position) Newer(q Position) bool {
	return p.Term > q.Term || p.Term == q.Term && p.Index >= q.Index
}

// Inspect reads how far the folder at path is, so that the survivors of a loss
// can be compared. No process may run on it.
func Inspect(path string, genesis *wire.Genesis) (p Position, err error) {
	r, err := openStopped(path, genesis)
	if err != nil {
		return p, fmt.Errorf("inspect folder: %w", err)
	}
	defer func() { err = errors.Join(err, r.close()) }()
	p = Position{Incarnation: r.mark.incarnation.number, Term: r.term, Index: r.index, Version: r.machine.state.Version()}
	for _, s := range r.machine.state.Servers() {
		if m, ok := member(r.members, addressOf(s.Key)); ok && m.Suffrage == raft.Voter {
			p.Voters = append(p.Voters, s.Index)
		}
	}
	return p, nil
}

// Recover makes the survivors alone a cluster again, after a majority was lost
// for good: the folder at path, of the stopped server self, then holds their
// configuration, everything that was in its log, and a new incarnation, in
// which no other server takes part before it has rejoined with an empty folder.
// Every survivor runs it with the same list. One survivor, the newest by
// Inspect, is the safer choice: the others rejoin.
//
// It takes a decision that no server may take: what only the lost servers had
// acknowledged is gone, and should they run on, there are two registries. The
// caller checks that the network's operators have ordered it. Where it fails
// half way, it can be run again.
func Recover(path string, genesis *wire.Genesis, self oprf.Index, survivors []oprf.Index) (err error) {
	r, err := openStopped(path, genesis)
	if err != nil {
		return fmt.Errorf("recover: %w", err)
	}
	defer func() { err = errors.Join(err, r.close()) }()
	if err := r.recover(self, survivors); err != nil {
		return fmt.Errorf("recover: %w", err)
	}
	return nil
}

func (r *stopped) recover(self oprf.Index, survivors []oprf.Index) error {
	var next raft.Configuration
	var keys []wire.Peer
	for _, i := range survivors {
		s, ok := r.machine.state.Server(i)
		old, voted := member(r.members, addressOf(s.Key))
		if !ok || !voted || old.Suffrage != raft.Voter || slices.Contains(keys, s.Key) {
			return fmt.Errorf("server %d: %w", i, ErrNotSurvivor)
		}
		next.Servers, keys = append(next.Servers, voter(s.Key)), append(keys, s.Key)
	}
	if !slices.Contains(survivors, self) {
		return fmt.Errorf("server %d: %w", self, ErrNotSurvivor)
	}
	// Between the marks the folder can be recovered again and cannot be opened:
	// with the new configuration and the old mark, the lost could join in.
	old := r.mark
	old.stage = unsettled
	if err := r.folder.write(old); err != nil {
		return err
	}
	state, _ := r.machine.state.Server(self)
	config := DefaultTiming().config(addressOf(state.Key), silent())
	fresh, err := freshMachine(r.genesis)
	if err != nil {
		return err
	}
	if err := raft.RecoverCluster(config, fresh, r.log, r.log, r.snapshots, transportOf(state.Key), next); err != nil {
		return fmt.Errorf("rewrite folder: %w", err)
	}
	return r.folder.write(mark{network: old.network, incarnation: old.incarnation.recovered(keys)})
}
