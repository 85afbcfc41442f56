package cluster

import (
	"sync"

	"interlock/crypto/oprf"
)

// part is what this server takes part in.
type part struct {
	mark
	waiting  bool // it has no log, and the leader has not taken it in yet
	outdated bool // the network has gone on to an incarnation without it
}

// membership is the part of now.
type membership struct {
	folder *Folder
	mu     sync.RWMutex
	part   part // owned by mu; its mark is as the folder has it
}

func (m *membership) now() part {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.part
}

// set writes the mark down before it counts.
func (m *membership) set(next mark, waiting bool) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.folder.write(next); err != nil {
		return err
	}
	m.part.mark, m.part.waiting = next, waiting
	return nil
}

func (m *membership) outdate() (news bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	news, m.part.outdated = !m.part.outdated, true
	return news
}

func (m *membership) greeting(why purpose) greeting {
	p := m.now()
	return greeting{purpose: why, network: p.network, incarnation: p.incarnation}
}

// Standing is what part a server has in the cluster.
type Standing int

// The standings.
const (
	Waiting   Standing = iota // it has no log, and waits for the leader to take it in
	Following                 // it receives the log, and votes once it has caught up
	Voting                    // it counts
	Removed                   // it is no server of the network any more, or the others do not know it
	Outdated                  // the network was recovered without it: its log has no part in what came since
)

func (s Standing) String() string {
	return [...]string{"waiting", "following", "voting", "removed", "outdated"}[s]
}

// Status is where this server stands.
type Status struct {
	Leader      oprf.Index // the server that leads, as far as is known here; 0 for none
	Leading     bool       // this one does
	Applied     uint64     // log index of the last command in the state
	Standing    Standing
	Incarnation uint64       // how often the network began a new log, from 1; 0 while waiting
	RefusedBy   []oprf.Index // servers that would not replicate with this one when last asked
}
