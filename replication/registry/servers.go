package registry

import (
	"fmt"
	"maps"
	"math"
	"slices"

	"interlock/crypto/oprf"
	"interlock/protocol/directory"
	"interlock/protocol/wire"
)

// Servers are the registry's servers now, by index. The caller must not change
// the list.
func (s *State) Servers() []directory.Server { return s.servers }

// IsServer reports whether key is one of the network's servers now.
func (s *State) IsServer(key wire.Peer) bool {
	return slices.ContainsFunc(s.servers, func(m directory.Server) bool { return m.Key == key })
}

// Server returns the server with a number.
func (s *State) Server(i oprf.Index) (directory.Server, bool) {
	at := slices.IndexFunc(s.servers, func(m directory.Server) bool { return m.Index == i })
	if at < 0 {
		return directory.Server{}, false
	}
	return s.servers[at], true
}

// ServerOf returns the server that holds key.
func (s *State) ServerOf(key wire.Peer) (directory.Server, bool) {
	at := slices.IndexFunc(s.servers, func(m directory.Server) bool { return m.Key == key })
	if at < 0 {
		return directory.Server{}, false
	}
	return s.servers[at], true
}

// indices are the servers' numbers.
func (s *State) indices() []oprf.Index {
	list := make([]oprf.Index, len(s.servers))
	for i, m := range s.servers {
		list[i] = m.Index
	}
	return list
}

// changeServer adds, changes, removes or replaces a server. Where the set of
// servers changes, their shares of the key in force are made anew.
func (d *draft) changeServer(m *wire.ServerChange) error {
	wanted := m.GetServer()
	servers := slices.Clone(d.servers)
	at := func(i uint32) int {
		return slices.IndexFunc(servers, func(s directory.Server) bool { return uint32(s.Index) == i })
	}
	switch i := at(wanted.GetIndex()); {
	case m.GetRemove():
		if i < 0 || m.Replaces != 0 {
			return ErrUnknownServer
		}
		servers = d.without(servers, i)
	case wanted.GetIndex() != 0:
		return d.moveServer(servers, i, wanted, m)
	default:
		s, err := serverOf(wanted)
		if err != nil {
			return err
		}
		if d.taken(s.Key) {
			return ErrTaken
		}
		if m.Replaces != 0 {
			old := at(m.Replaces)
			if old < 0 {
				return ErrUnknownServer
			}
			servers = d.without(servers, old)
		}
		if d.nextServer == math.MaxUint16 {
			return ErrFull
		}
		s.Index = d.nextServer
		servers = append(servers, s)
		d.nextServer++
	}
	threshold := int(m.Threshold)
	if threshold == 0 {
		threshold = d.aimed()
	}
	if n := len(servers); n > directory.MaxServers || threshold < 1 || threshold > n {
		return fmt.Errorf("%w: threshold %d of %d servers", ErrTooFew, threshold, n)
	}
	if err := d.enoughStay(servers); err != nil {
		return err
	}
	d.servers, d.shown = servers, true
	return d.reshare(threshold)
}

// without is the list without the server at i, whose clock is forgotten.
func (d *draft) without(servers []directory.Server, i int) []directory.Server {
	d.days = maps.Clone(d.days)
	delete(d.days, servers[i].Index)
	return slices.Delete(servers, i, i+1)
}

// enoughStay reports an error where too few of the servers stay that the change
// needs: of those whose endorsements count for the next version, or nobody could
// publish it and every later one; and of those who hold the key in force, or
// nobody could share it anew. Servers can then be exchanged one by one, each
// after the change before it is published.
func (s *State) enoughStay(servers []directory.Server) error {
	trusted, holders := 0, 0
	for _, m := range servers {
		if s.trusted.Servers[m.Index] == m.Key {
			trusted++
		}
		if s.holds(m.Index) != 0 {
			holders++
		}
	}
	if trusted < s.trusted.Quorum {
		return fmt.Errorf("%w: %d of the servers that must endorse the change, want %d", ErrTooFew, trusted, s.trusted.Quorum)
	}
	if n := len(s.epochs); n > 0 && holders < s.epochs[n-1].Keys.Threshold {
		return fmt.Errorf("%w: %d servers that hold the key, want %d", ErrTooFew, holders, s.epochs[n-1].Keys.Threshold)
	}
	return nil
}

// serverOf parses a server that others are to find.
func serverOf(m *wire.Server) (directory.Server, error) {
	s, err := directory.ServerOf(m)
	if err != nil {
		return s, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if len(s.Addresses) == 0 {
		return s, fmt.Errorf("%w: a server without addresses", ErrMalformed)
	}
	return s, nil
}

// moveServer gives a server another name or other addresses.
func (d *draft) moveServer(servers []directory.Server, i int, wanted *wire.Server, m *wire.ServerChange) error {
	if i < 0 {
		return ErrUnknownServer
	}
	s, err := serverOf(wanted)
	if err != nil {
		return err
	}
	if s.Key != servers[i].Key || s.Recipient != servers[i].Recipient || m.Replaces != 0 || m.Threshold != 0 {
		return fmt.Errorf("%w: a server with other keys is another server: replace it", ErrMalformed)
	}
	servers[i] = s
	d.servers, d.shown = servers, true
	return nil
}

// aimed is the threshold of the ceremony under way, or of the key in force: what
// the operators decided last.
func (s *State) aimed() int {
	if s.ceremony != nil {
		return s.ceremony.plan.Threshold
	}
	return s.threshold()
}

// threshold is that of the key in force, or of the first one.
func (s *State) threshold() int {
	if n := len(s.epochs); n > 0 {
		return s.epochs[n-1].Keys.Threshold
	}
	return s.Threshold
}

// serverNumbered returns the server that a message names.
func (s *State) serverNumbered(i uint32) (directory.Server, bool) {
	m, ok := s.Server(oprf.Index(i))
	return m, ok && uint32(m.Index) == i
}
