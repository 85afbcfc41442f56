package centre

import (
	"context"
	"errors"
	"fmt"
	"time"

	"interlock/protocol/directory"
	"interlock/protocol/link"
	"interlock/protocol/wire"
)

// ErrUnconfirmed says that a server took a decision, and that no directory
// signed by enough servers shows it.
var ErrUnconfirmed = errors.New("no directory signed by enough of the servers shows it yet")

// confirmWithin is how long Confirm waits for the servers to sign.
const confirmWithin = 15 * time.Second

// Confirm returns once a directory that enough servers signed has the agency in
// this standing. What one server answers to a decision is its own word; this is
// what every node acts on.
func (o *Operator) Confirm(ctx context.Context, id directory.AgencyID, want directory.Status) error {
	_, err := o.Await(ctx, func(d *directory.Directory) bool {
		a, ok := d.Agency(id)
		return ok && a.Status == want || !ok && want == directory.Unknown
	})
	return err
}

// Directory returns the newest directory that one of the servers shows.
func (o *Operator) Directory(ctx context.Context) (*directory.Directory, error) {
	return o.Await(ctx, func(*directory.Directory) bool { return true })
}

// Await returns the first directory, signed by enough servers, that shows what
// is wanted. Errors: ErrUnconfirmed.
func (o *Operator) Await(ctx context.Context, shows func(*directory.Directory) bool) (*directory.Directory, error) {
	ctx, cancel := context.WithTimeout(ctx, confirmWithin)
	defer cancel()
	type answer struct {
		d   *directory.Directory
		err error
	}
	servers := o.servers()
	answers := make(chan answer, len(servers))
	for _, s := range servers {
		go func() {
			_, d, err := o.followTo(ctx, s.Key, shows)
			if err != nil {
				err = fmt.Errorf("registry server %s: %w", s.Name, err)
			}
			answers <- answer{d, err}
		}()
	}
	var errs []error
	for range servers {
		a := <-answers
		if a.err == nil {
			return a.d, nil
		}
		errs = append(errs, a.err)
	}
	return nil, fmt.Errorf("%w: %w", ErrUnconfirmed, errors.Join(errs...))
}

// followTo is followDirectory from the servers of the network file on.
func (o *Operator) followTo(ctx context.Context, server wire.Peer, shows func(*directory.Directory) bool) ([]*wire.SignedDirectory, *directory.Directory, error) {
	return followDirectory(ctx, o.host, server, directory.NewChain(o.network), func(c directory.Chain) bool {
		o.follow(c)
		return shows(c.Directory())
	})
}

// followDirectory follows one server's directories by the chain of signatures
// until one shows what is wanted, by default the newest. The last of what is
// there already is the newest. It returns all that led to it, nothing where the
// chain has come as far already.
func followDirectory(ctx context.Context, host *link.Host, server wire.Peer, chain directory.Chain, shows func(directory.Chain) bool) ([]*wire.SignedDirectory, *directory.Directory, error) {
	st, err := host.Open(ctx, server, wire.ProtocolDirectory)
	if err != nil {
		return nil, nil, err
	}
	stop := context.AfterFunc(ctx, func() { st.Reset(wire.CodeTimeout) })
	defer stop()
	defer st.Reset(wire.CodeNone)
	held := chain.Directory()
	follow := &wire.FollowDirectory{}
	if held != nil {
		follow.Version = held.Version
	}
	if err := st.Send(follow); err != nil {
		return nil, nil, err
	}
	var led []*wire.SignedDirectory
	for {
		var u wire.DirectoryUpdate
		if err := st.Receive(&u); err != nil {
			return nil, nil, err
		}
		switch {
		case u.Signed == nil && held != nil && shows == nil:
			return nil, held, nil
		case u.Signed == nil:
			continue // a heartbeat
		}
		if chain, _, err = chain.Take(u.Signed); err != nil {
			return nil, nil, err
		}
		led = append(led, u.Signed)
		if !u.More && (shows == nil || shows(chain)) {
			return led, chain.Directory(), nil
		}
	}
}

// follow takes a chain that has come further than what the operator holds.
func (o *Operator) follow(c directory.Chain) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.newest != nil && o.newest.Version >= c.Directory().Version {
		return
	}
	o.newest = c.Directory()
	for _, s := range o.newest.Servers {
		if err := o.host.SetAddresses(s.Key, s.Addresses); err != nil {
			o.log.Warn("server's addresses are not usable", "server", s.Index, "cause", err)
		}
	}
}

// servers are those of the newest directory held, or of the network file.
func (o *Operator) servers() []directory.NetworkServer {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.newest == nil {
		return o.network.Servers
	}
	return o.newest.Network(o.network.Name).Servers
}
