package cluster

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"sync"
	"time"

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
	refused map[oprf.Index]refusal        // owned by mu: who will not replicate with this server, and why
}

// refusal is how a server has answered since it last answered well.
type refusal struct {
	verdict     verdict
	since, last time.Time
	lasting     bool // it said so again and again for a while
}

func newRoster() *roster {
	return &roster{servers: make(map[raft.ServerAddress]server), refused: make(map[oprf.Index]refusal)}
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

// answered notes how a server took a stream, and returns the refusal it is now
// and whether that is news. What it says for so long lasts.
func (r *roster) answered(i oprf.Index, v verdict, long time.Duration) (now refusal, news bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	was, refused := r.refused[i]
	if v == welcome {
		delete(r.refused, i)
		return refusal{}, refused
	}
	at := time.Now()
	now = refusal{verdict: v, since: at, last: at}
	if was.verdict == v && at.Sub(was.last) < 2*long {
		now.since = was.since
		now.lasting = was.lasting || at.Sub(was.since) >= long
	}
	r.refused[i] = now
	return now, now.verdict != was.verdict || now.lasting != was.lasting
}

// turning counts the servers that lastingly do not count this one among them. A
// link refuses in the same way while its server is being started.
func (r *roster) turning() (n int) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	for _, now := range r.refused {
		if now.verdict == notServer && now.lasting {
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
