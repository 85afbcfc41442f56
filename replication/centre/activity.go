package centre

import (
	"sync"
	"time"

	"interlock/protocol/wire"
)

// softwareLimit bounds what a member may call its program.
const softwareLimit = 64

// activity is what this server sees of those who follow the directory.
type activity struct {
	mu sync.Mutex
	by map[wire.Peer]sight // owned by mu
}

// sight is the last word of one follower.
type sight struct {
	seen     time.Time
	version  uint64 // of the directory that it acts on
	software string
}

func newActivity() *activity { return &activity{by: make(map[wire.Peer]sight)} }

// note takes a follower's word.
func (a *activity) note(p wire.Peer, m *wire.FollowDirectory, now time.Time) {
	software := clean(m.Software[:min(len(m.Software), softwareLimit)])
	a.mu.Lock()
	defer a.mu.Unlock()
	a.by[p] = sight{seen: now, version: m.Version, software: software}
}

func (a *activity) of(p wire.Peer) sight {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.by[p]
}

// keep forgets everybody but those who are wanted.
func (a *activity) keep(wanted func(wire.Peer) bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for p := range a.by {
		if !wanted(p) {
			delete(a.by, p)
		}
	}
}
