package cluster

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"sync"

	"github.com/hashicorp/raft"

	"interlock/crypto/oprf"
	"interlock/protocol/directory"
	"interlock/protocol/wire"
)

// server is one of the network's servers, as this package needs it.
type server struct {
	index oprf.Index
	peer  wire.Peer
}

// roster is who the servers are, so that raft's addresses can be dialled and
// read. It keeps those that left: raft speaks of them for a while.
type roster struct {
	mu      sync.RWMutex
	servers map[raft.ServerAddress]server // owned by mu
	refused map[oprf.Index]verdict        // owned by mu: who will not replicate with this server, and why
}

func newRoster() *roster {
	return &roster{servers: make(map[raft.ServerAddress]server), refused: make(map[oprf.Index]verdict)}
}

func (r *roster) learn(list []directory.Server) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range list {
		r.servers[addressOf(s.Key)] = server{index: s.Index, peer: s.Key}
	}
}

func (r *roster) find(a raft.ServerAddress) (server, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	s, ok := r.servers[a]
	return s, ok
}

// all returns the servers by number.
func (r *roster) all() []server {
	r.mu.RLock()
	defer r.mu.RUnlock()
	var list []server
	for _, s := range r.servers {
		list = append(list, s)
	}
	slices.SortFunc(list, func(a, b server) int { return cmp.Compare(a.index, b.index) })
	return list
}

// answered notes how a server took a stream, and reports whether that is news.
func (r *roster) answered(i oprf.Index, v verdict) (news bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	was := r.refused[i]
	if v == welcome {
		delete(r.refused, i)
	} else {
		r.refused[i] = v
	}
	return was != v
}

// turning counts the servers that do not count this one among them.
func (r *roster) turning() (n int) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	for _, v := range r.refused {
		if v == notServer {
			n++
		}
	}
	return n
}

// refusing are the servers that will not replicate with this one.
func (r *roster) refusing() []oprf.Index {
	r.mu.RLock()
	defer r.mu.RUnlock()
	var list []oprf.Index
	for i := range r.refused {
		list = append(list, i)
	}
	slices.Sort(list)
	return list
}

var keyPattern = regexp.MustCompile(`[0-9a-f]{64}`)

// named replaces keys, which raft calls servers by, by numbers.
func (r *roster) named(text string) string {
	return keyPattern.ReplaceAllStringFunc(text, func(key string) string {
		if s, ok := r.find(raft.ServerAddress(key)); ok {
			return fmt.Sprintf("server %d", s.index)
		}
		return "unknown server"
	})
}
