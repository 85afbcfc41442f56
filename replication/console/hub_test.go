package console

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
	"time"

	"interlock/crypto/oprf"
	"interlock/crypto/vault"
	"interlock/protocol/directory"
	"interlock/protocol/invitation"
	"interlock/protocol/wire"
	"interlock/replication/centre"
	"interlock/replication/registry"
)

var errHubSilent = errors.New("the link broke")

var _ Registry = (*centre.Operator)(nil)

// hub is a registry in memory: it keeps the rules that the console leans on,
// and says no as the real one does.
type hub struct {
	mu     sync.Mutex // owns what follows
	now    func() time.Time
	status centre.Status
	record [][]byte
	index  uint64
	silent bool
	asked  int // statuses
	closed int // links

	failExport bool
}

func newHub() *hub {
	h := &hub{now: time.Now, index: 400}
	h.status = centre.Status{
		Version: 118, Endorsed: 5, Asked: "milan", Leader: "oslo", Applied: 4211, Day: directory.Day(time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)),
		Policy: directory.FirstPolicy(), Motioned: 3,
		Activity: map[directory.AgencyID]*wire.AgencyActivity{}, Health: map[oprf.Index]*wire.ServerActivity{},
	}
	var shares []oprf.PublicShare
	for i, name := range []string{"oslo", "milan", "vienna", "dublin", "lyon"} {
		n := oprf.Index(i + 1)
		h.status.Servers = append(h.status.Servers, directory.Server{
			Index: n, Name: name, Key: newPeer(), Addresses: []string{"/dns4/" + name + ".registry.example.org/tcp/4001", "/dns4/" + name + ".registry.example.org/udp/4001/quic-v1"}, Recipient: newRecipient(),
		})
		h.status.Health[n] = &wire.ServerActivity{Server: uint32(n), Voter: true, Reachable: true, Endorsed: true, Generation: 4}
		shares = append(shares, oprf.PublicShare{Index: n})
	}
	h.status.Epochs = []directory.KeyEpoch{{Epoch: 2, Generation: 4, Keys: oprf.KeySet{Threshold: 3, Shares: shares, Public: oprf.PublicKey{7, 21}}}}
	return h
}

// edit changes how the registry stands.
func (h *hub) edit(f func(*centre.Status)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	f(&h.status)
	h.status.Version++
}

func (h *hub) operator(name string, key wire.Peer, roles registry.Role) {
	h.edit(func(s *centre.Status) {
		s.Operators = append(s.Operators, registry.Operator{Name: name, Key: key, Roles: roles})
		slices.SortFunc(s.Operators, func(a, b registry.Operator) int { return int(a.Name[0]) - int(b.Name[0]) })
	})
}

// admits is an agency that is a member.
func (h *hub) admits(id, name, jurisdiction string) {
	h.edit(func(s *centre.Status) {
		a := newAgency(id, name, jurisdiction)
		a.Status = directory.Active
		s.Agencies = append(s.Agencies, subject{Agency: a, Hash: sha256.Sum256([]byte(id)), Number: h.index, Applied: h.now().Add(-40 * 24 * time.Hour), Approvals: []string{"m-lindqvist", "j-okoro"}})
		s.Activity[a.ID] = &wire.AgencyActivity{Agency: id, Daily: 200_000, Used: 1_200, Seen: uint64(h.now().Unix()), Version: s.Version + 1, Software: "interlock 1.4.0"}
	})
}

// applies is an agency that wants to join.
func (h *hub) applies(id, name, jurisdiction string, approvals ...string) subject {
	a := newAgency(id, name, jurisdiction)
	a.Status = directory.Pending
	var applied subject
	h.edit(func(s *centre.Status) {
		h.index++
		applied = subject{Agency: a, Hash: sha256.Sum256([]byte("application " + id)), Number: h.index, Applied: h.now().Add(-3 * time.Hour), Approvals: approvals}
		s.Pending = append(s.Pending, applied)
	})
	return applied
}

func newAgency(id, name, jurisdiction string) directory.Agency {
	return directory.Agency{
		ID: directory.AgencyID(id), Name: name, Jurisdiction: jurisdiction, Contact: "duty desk, +1 555 0142",
		Key: newPeer(), Recipient: newRecipient(), Addresses: []string{"/dns4/node." + id + ".example.org/tcp/4001"},
	}
}

func newPeer() wire.Peer {
	keys, err := vault.GenerateKeys(nil)
	if err != nil {
		panic(err)
	}
	return wire.PeerOf(keys.Signing)
}

func newRecipient() vault.Recipient {
	id, err := vault.GenerateIdentity()
	if err != nil {
		panic(err)
	}
	return id.Recipient()
}

func (h *hub) writes(e *wire.RecordEntry) {
	h.index++
	if e.Time == 0 {
		e.Time = uint64(h.now().Unix())
	}
	e.Index = h.index
	b, err := wire.Marshal(e)
	if err != nil {
		panic(err)
	}
	h.record = append(h.record, b)
	h.status.RecordSize = uint64(len(h.record))
}

// as is the registry as the holder of keys reaches it.
func (h *hub) as(keys *vault.Keys) (Registry, error) {
	return &way{hub: h, keys: keys, key: wire.PeerOf(keys.Signing)}, nil
}

// way is one operator's links.
type way struct {
	hub  *hub
	keys *vault.Keys
	key  wire.Peer
}

func (w *way) Key() wire.Peer { return w.key }

func (w *way) Close() error {
	w.keys.Destroy()
	w.hub.mu.Lock()
	defer w.hub.mu.Unlock()
	w.hub.closed++
	return nil
}

func (w *way) Status(context.Context) (*centre.Status, error) {
	w.hub.mu.Lock()
	defer w.hub.mu.Unlock()
	w.hub.asked++
	if w.hub.silent {
		return nil, errHubSilent
	}
	return w.hub.copied(), nil
}

func (h *hub) copied() *centre.Status {
	s := h.status
	s.Agencies, s.Pending, s.Motions = slices.Clone(s.Agencies), slices.Clone(s.Pending), slices.Clone(s.Motions)
	s.Operators, s.Notices, s.Invitations = slices.Clone(s.Operators), slices.Clone(s.Notices), slices.Clone(s.Invitations)
	s.Servers, s.Epochs = slices.Clone(s.Servers), slices.Clone(s.Epochs)
	s.Activity, s.Health = maps.Clone(s.Activity), maps.Clone(s.Health)
	return &s
}

// takes has a decision taken, if the operator may: what changes is written down.
func (w *way) takes(role registry.Role, m *wire.Decision, what func(*centre.Status, string) error) (*centre.Status, error) {
	h := w.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.silent {
		return nil, errHubSilent
	}
	i := slices.IndexFunc(h.status.Operators, func(o registry.Operator) bool { return o.Key == w.key })
	if i < 0 || h.status.Operators[i].Roles&role == 0 {
		return nil, centre.Declined(registry.ErrRole.Error())
	}
	if err := what(&h.status, h.status.Operators[i].Name); err != nil {
		return nil, centre.Declined(err.Error())
	}
	m.Operator = w.key[:]
	h.writes(&wire.RecordEntry{Of: &wire.RecordEntry_Decision{Decision: m}})
	h.status.Version++
	return h.copied(), nil
}

func (w *way) DecideOn(_ context.Context, verb centre.Verb, on centre.Subject, reason string) (*centre.Status, error) {
	m := &wire.Decision{Verb: uint32(verb), Agency: string(on.Agency.ID), Application: on.Hash[:], Number: on.Number, Reason: reason}
	return w.takes(registry.Admission, m, func(s *centre.Status, by string) error {
		if verb == centre.Suspend {
			i := slices.IndexFunc(s.Agencies, func(a subject) bool { return a.Agency.ID == on.Agency.ID })
			if i < 0 || s.Agencies[i].Agency.Status != directory.Active {
				return registry.ErrAlreadySuspended
			}
			s.Agencies = slices.Clone(s.Agencies)
			s.Agencies[i].Agency.Status, s.Agencies[i].Reason, s.Agencies[i].By = directory.Suspended, reason, by
			return nil
		}
		i := slices.IndexFunc(s.Pending, func(a subject) bool { return a.Hash == on.Hash })
		if i < 0 {
			return registry.ErrStale
		}
		a := s.Pending[i]
		if slices.Contains(a.Approvals, by) && verb == centre.Approve {
			return registry.ErrSameOperator
		}
		if a.Approvals = append(slices.Clone(a.Approvals), by); verb == centre.Approve && len(a.Approvals) < registry.Approvals {
			s.Pending = slices.Clone(s.Pending)
			s.Pending[i] = a
			return nil
		}
		s.Pending = slices.Delete(slices.Clone(s.Pending), i, i+1)
		if verb == centre.Approve {
			a.Agency.Status = directory.Active
			s.Agencies = append(slices.Clone(s.Agencies), a)
		}
		return nil
	})
}

func roleOf(m *wire.Motion) registry.Role {
	if m.GetAgency() != nil {
		return registry.Admission
	}
	return registry.Operations
}

func (w *way) Move(_ context.Context, m *wire.Motion, reason string) (*centre.Status, error) {
	hash, err := registry.MotionHash(m)
	if err != nil {
		return nil, err
	}
	d := &wire.Decision{Verb: uint32(registry.Move), Agency: m.GetAgency().GetAgency(), Application: hash[:], Reason: reason, Motion: m}
	return w.takes(roleOf(m), d, func(s *centre.Status, by string) error {
		s.Motions = append(slices.Clone(s.Motions), centre.Motion{What: m, Hash: hash, Number: w.hub.index + 1, By: by, Reason: reason, At: w.hub.now()})
		s.Motioned++
		return nil
	})
}

func (w *way) DecideMotion(_ context.Context, verb centre.Verb, m centre.Motion, reason string) (*centre.Status, error) {
	d := &wire.Decision{Verb: uint32(verb), Agency: m.What.GetAgency().GetAgency(), Application: m.Hash[:], Number: m.Number, Reason: reason}
	return w.takes(roleOf(m.What), d, func(s *centre.Status, by string) error {
		i := slices.IndexFunc(s.Motions, func(have centre.Motion) bool { return have.Number == m.Number })
		switch {
		case i < 0:
			return registry.ErrStale
		case verb == centre.Approve && s.Motions[i].By == by:
			return registry.ErrSameOperator
		}
		s.Motions = slices.Delete(slices.Clone(s.Motions), i, i+1)
		if p := m.What.GetPolicy(); p != nil && verb == centre.Approve {
			var err error
			s.Policy, err = directory.PolicyOf(p)
			return err
		}
		return nil
	})
}

func (w *way) Clear(_ context.Context, id directory.AgencyID, reason string) (*centre.Status, error) {
	d := &wire.Decision{Verb: uint32(registry.Clear), Agency: string(id), Application: make([]byte, 32), Reason: reason}
	return w.takes(registry.Admission, d, func(s *centre.Status, _ string) error {
		a := s.Activity[id]
		if a == nil || !a.Flagged {
			return registry.ErrNoChange
		}
		s.Activity[id] = &wire.AgencyActivity{Agency: a.Agency, Daily: a.Daily, Used: a.Used, Seen: a.Seen, Version: a.Version, Software: a.Software}
		return nil
	})
}

func (w *way) Invite(_ context.Context, label string, days int) (invitation.Invitation, error) {
	n := directory.Network{Name: "Rockies", Genesis: directory.GenesisHash{1}, Quorum: 3}
	w.hub.mu.Lock()
	for _, s := range w.hub.status.Servers {
		n.Servers = append(n.Servers, directory.NetworkServer{Index: s.Index, Name: s.Name, Key: s.Key, Addresses: s.Addresses})
	}
	w.hub.mu.Unlock()
	v, err := invitation.New(rand.Reader, n, directory.Day(w.hub.now())+uint64(days))
	if err != nil {
		return v, err
	}
	key := v.Public()
	m := &wire.Invitation{Key: key[:], Expires: v.Expires, Label: label}
	_, err = w.takes(registry.Admission, &wire.Decision{Verb: uint32(registry.Invite), Application: make([]byte, 32), Invitation: m}, func(s *centre.Status, _ string) error {
		s.Invitations = append(slices.Clone(s.Invitations), m)
		return nil
	})
	return v, err
}

func (w *way) Record(_ context.Context, from, count uint64) ([][]byte, error) {
	h := w.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.silent {
		return nil, errHubSilent
	}
	size := uint64(len(h.record))
	if from > size {
		return nil, fmt.Errorf("no entry %d", from)
	}
	return h.record[from:min(size, from+min(count, 70))], nil // as much as one answer holds
}

func (w *way) ExportRecord(_ context.Context, out io.Writer, told func(done, of uint64)) error {
	w.hub.mu.Lock()
	defer w.hub.mu.Unlock()
	if w.hub.silent {
		return errHubSilent
	}
	for _, b := range w.hub.record {
		if _, err := fmt.Fprintf(out, "%x\n", b); err != nil {
			return err
		}
	}
	told(1, 1)
	if w.hub.failExport {
		return errHubSilent
	}
	return nil
}
