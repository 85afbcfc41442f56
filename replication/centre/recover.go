package centre

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"interlock/crypto/vault"
	"interlock/protocol/directory"
	"interlock/protocol/link"
	"interlock/protocol/settings"
	"interlock/protocol/wire"
	"interlock/replication/cluster"
	"interlock/replication/registry"
)

// ErrLostAnswer says that a server which an order calls lost is not.
var ErrLostAnswer = errors.New("a server that the order calls lost answers")

// versionGap is how far the directory's version moves on where a registry begins
// from a backup: after the backup other directories may have been signed, and
// members would take a second one of the same version for a fork.
const versionGap = 1 << 20

// Position is how far a stopped server is.
type Position struct {
	cluster.Position
	Server directory.Server // itself
	// State is the SHA-256 of the registry in the backup that the folder was
	// restored from, where it has nothing but that; otherwise empty.
	State string
}

// Inspect reads how far the server in a folder is, which must not run.
func Inspect(c Config, lock vault.Lock) (p Position, err error) {
	l, err := c.lookAt(lock)
	if err != nil {
		return p, fmt.Errorf("inspect: %w", err)
	}
	defer l.destroy()
	p.Server = l.self
	if l.restored != nil {
		m := l.restored
		p.State, p.Incarnation, p.Index, p.Version = m.State, m.Incarnation, m.Index, m.Version
		return p, nil
	}
	if p.Position, err = cluster.Inspect(c.path(raftDir), l.genesis); err != nil {
		return p, fmt.Errorf("inspect: %w", err)
	}
	return p, nil
}

// looked is a stopped server's folder, opened.
type looked struct {
	*secrets
	exported cluster.Exported
	state    *registry.State
	self     directory.Server
	restored *Manifest // nil where the server has a log
}

// lookAt opens a folder: with its log, or else with what it was restored from.
func (c Config) lookAt(lock vault.Lock) (*looked, error) {
	opened, err := c.open(lock)
	l := &looked{secrets: opened}
	if err == nil {
		err = l.look(c)
	}
	if err != nil {
		opened.destroy()
		return nil, err
	}
	return l, nil
}

func (l *looked) look(c Config) (err error) {
	l.exported, err = cluster.ExportStopped(c.path(raftDir), l.genesis)
	if errors.Is(err, cluster.ErrNoPart) {
		if restored := l.readRestored(c); !errors.Is(restored, fs.ErrNotExist) {
			err = restored
		}
	}
	if err != nil {
		return err
	}
	if l.state, err = registry.Restore(l.exported.State); err != nil {
		return err
	}
	var ok bool
	if l.self, ok = l.state.ServerOf(wire.PeerOf(l.keys.Signing)); !ok {
		return cluster.ErrNoPart
	}
	return nil
}

// readRestored reads what a backup has left in the folder.
func (l *looked) readRestored(c Config) error {
	info, err := os.ReadFile(c.path(restoredInfo))
	if err != nil {
		return err
	}
	l.restored = &Manifest{}
	if err := settings.Decode(info, l.restored); err != nil {
		return fmt.Errorf("%s: %w", restoredInfo, err)
	}
	l.exported = cluster.Exported{Index: l.restored.Index, Incarnation: l.restored.Incarnation}
	if l.exported.State, err = os.ReadFile(c.path(restoredFile)); err != nil {
		return err
	}
	if stateHash(l.exported.State) != l.restored.State {
		return fmt.Errorf("%s: not the registry that %s speaks of", restoredFile, restoredInfo)
	}
	return nil
}

// Recovered is what a recovery has done.
type Recovered struct {
	By   []string           // names of the operators who ordered it
	Lost []directory.Server // of whom none answered
}

// Recover makes the survivors that an order names a cluster again, in the folder
// of one of them, which must not run; every survivor is recovered by the same
// order. It refuses an order that two operators with the role operations have
// not signed, by the state that this server has; one of another network or
// incarnation; and one that calls a server lost which answers (ErrLostAnswer).
//
// It cannot see a server that is merely cut off. Whoever signs vouches that the
// lost ones are destroyed: with them two registries would go on.
func Recover(ctx context.Context, c Config, lock vault.Lock, o *Order) (r Recovered, err error) {
	l, err := c.lookAt(lock)
	if err != nil {
		return r, fmt.Errorf("recover: %w", err)
	}
	defer l.destroy()
	if r.By, err = l.ordered(o); err != nil {
		return r, fmt.Errorf("recover: %w", err)
	}
	for _, s := range l.state.Servers() {
		if !slices.Contains(o.Survivors, s.Index) {
			r.Lost = append(r.Lost, s)
		}
	}
	answering, err := answer(ctx, l.keys, r.Lost)
	if err != nil {
		return r, fmt.Errorf("recover: %w", err)
	}
	if len(answering) > 0 {
		return r, fmt.Errorf("recover: %w: %s", ErrLostAnswer, strings.Join(answering, ", "))
	}
	if l.restored == nil {
		return r, cluster.Recover(c.path(raftDir), l.genesis, l.self.Index, o.Survivors)
	}
	e := l.exported
	if e.State, err = moveOn(e.State); err != nil {
		return r, fmt.Errorf("recover: %w", err)
	}
	err = cluster.Seed(c.path(raftDir), l.genesis, l.self.Index, e)
	if errors.Is(err, cluster.ErrNotEmpty) {
		err = fmt.Errorf("%w: the server has begun to rejoin; restore the backup into another folder", err)
	}
	if err == nil {
		err = erase(c.path(rejoinFile))
	}
	return r, err
}

// ordered checks the order against what is in the folder.
func (l *looked) ordered(o *Order) (by []string, err error) {
	if by, err = o.Holds(l.state, l.exported.Incarnation); err != nil {
		return nil, err
	}
	switch {
	case !slices.Contains(o.Survivors, l.self.Index):
		return nil, fmt.Errorf("%w: server %d is not among its survivors", ErrOrder, l.self.Index)
	case l.restored == nil && o.Seeds():
		return nil, fmt.Errorf("%w: it begins from a backup, and this server has its log", ErrOrder)
	case l.restored != nil && fmt.Sprintf("%x", o.State[:]) != l.restored.State:
		return nil, fmt.Errorf("%w: it does not begin from the backup in this folder, whose registry is %s", ErrOrder, l.restored.State)
	}
	for _, i := range o.Survivors {
		if _, ok := l.state.Server(i); !ok {
			return nil, fmt.Errorf("%w: there is no server %d", ErrOrder, i)
		}
	}
	return by, nil
}

// lostPatience is how long a server that is called lost has to answer.
const lostPatience = 10 * time.Second

// answer dials servers and returns the names of those that prove their key,
// whatever they answer then.
func answer(ctx context.Context, keys *vault.Keys, servers []directory.Server) (names []string, err error) {
	host, err := link.New(link.Options{Key: keys.Signing, Roles: func(p wire.Peer) wire.Role {
		if slices.ContainsFunc(servers, func(s directory.Server) bool { return s.Key == p }) {
			return wire.RegistryServer
		}
		return wire.Nobody
	}})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, host.Close()) }()
	ctx, cancel := context.WithTimeout(ctx, lostPatience)
	defer cancel()
	answered := make([]bool, len(servers))
	var dialling sync.WaitGroup
	for i, s := range servers {
		if err := host.SetAddresses(s.Key, s.Addresses); err != nil {
			return nil, fmt.Errorf("server %s: %w", s.Name, err)
		}
		dialling.Go(func() { answered[i] = answers(ctx, host, s.Key) })
	}
	dialling.Wait()
	for i, s := range servers {
		if answered[i] {
			names = append(names, s.Name)
		}
	}
	return names, nil
}

func answers(ctx context.Context, host *link.Host, key wire.Peer) bool {
	st, err := host.Open(ctx, key, wire.ProtocolDirectory)
	if err == nil {
		st.Reset(wire.CodeNone)
		return true
	}
	var refusal *wire.Refusal
	return host.Connected(key) || errors.As(err, &refusal) && refusal.By == "peer"
}

// moveOn moves the directory of a registry on to a version that nobody can have
// signed before. It is unsigned then, and what was published stays.
func moveOn(state []byte) ([]byte, error) {
	var m wire.RegistryState
	if err := wire.Unmarshal(state, &m); err != nil {
		return nil, fmt.Errorf("%w: %w", registry.ErrSnapshot, err)
	}
	m.Version, m.Endorsements = m.Version+versionGap, nil
	return wire.Marshal(&m)
}
