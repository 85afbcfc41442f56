package registry

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"interlock/crypto/vault"
	"interlock/protocol/wire"
)

// Role is what an operator may do; a set of bits, the wire's.
type Role uint32

// The roles. Who has none is a former operator, whose signatures still count
// for what was decided then.
const (
	Admission  Role = 1 // admits, refuses, suspends, reinstates, removes and invites agencies
	Operations Role = 2 // changes servers, keys, operators and policy
	Audit      Role = 4 // looks, and reads the record
	AllRoles        = Admission | Operations | Audit
)

// roleNames are the roles in order of their bits.
var roleNames = [...]string{"admission", "operations", "audit"}

// Names are the roles as cards and command lines spell them.
func (r Role) Names() (names []string) {
	for i, name := range roleNames {
		if r&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return names
}

// ParseRoles reads what Names wrote.
func ParseRoles(names []string) (r Role, err error) {
	for _, name := range names {
		i := slices.Index(roleNames[:], name)
		if i < 0 {
			return 0, fmt.Errorf("role %q: want %s", name, strings.Join(roleNames[:], ", "))
		}
		r |= 1 << i
	}
	return r, nil
}

func (r Role) String() string {
	if r == 0 {
		return "former"
	}
	return strings.Join(r.Names(), ", ")
}

// MaxOperators bounds the operators of a network, former ones included.
const MaxOperators = 500

// Operator is somebody at the centre.
type Operator struct {
	Name  string
	Key   wire.Peer
	Roles Role
}

// operatorOf parses an operator that is to have roles.
func operatorOf(m *wire.Operator) (Operator, error) {
	o := Operator{Name: m.GetName(), Roles: Role(m.GetRoles())}
	var err error
	if o.Key, err = wire.ParsePeer(m.GetKey()); err != nil {
		return o, fmt.Errorf("operator %q: %w", m.GetName(), err)
	}
	if o.Name == "" || !oneLine(o.Name) || !vault.ValidPublicKey(o.Key.Key()) {
		return o, fmt.Errorf("operator %q: the name or the key cannot be used", m.GetName())
	}
	if o.Roles == 0 || o.Roles&^AllRoles != 0 {
		return o, fmt.Errorf("operator %q: roles: want admission, operations, audit or several of them", o.Name)
	}
	return o, nil
}

// message is the operator as messages carry it.
func (o Operator) message() *wire.Operator {
	return &wire.Operator{Name: o.Name, Key: o.Key[:], Roles: uint32(o.Roles)}
}

func named(list []Operator, name string) bool {
	return slices.ContainsFunc(list, func(o Operator) bool { return o.Name == name })
}

// enough reports an error where a role that takes two has fewer.
func enough(list []Operator) error {
	count := map[Role]int{}
	for _, o := range list {
		for _, r := range []Role{Admission, Operations} {
			if o.Roles&r != 0 {
				count[r]++
			}
		}
	}
	if len(list) > MaxOperators {
		return fmt.Errorf("%d operators, at most %d", len(list), MaxOperators)
	}
	if count[Admission] < Approvals || count[Operations] < Approvals {
		return fmt.Errorf("want at least %d operators for admission and %d for operations: decisions take two", Approvals, Approvals)
	}
	return nil
}

// operator returns the operator, present or former, that holds key.
func (s *State) operator(key wire.Peer) (Operator, bool) {
	i := slices.IndexFunc(s.operators, func(o Operator) bool { return o.Key == key })
	if i < 0 {
		return Operator{}, false
	}
	return s.operators[i], true
}

// IsOperator reports whether key is of somebody who has a role now.
func (s *State) IsOperator(key wire.Peer) bool {
	o, ok := s.operator(key)
	return ok && o.Roles != 0
}

// RolesOf returns the roles of the holder of key.
func (s *State) RolesOf(key wire.Peer) Role {
	o, _ := s.operator(key)
	return o.Roles
}

// OperatorName returns the name of the operator, present or former, that holds
// key, or "".
func (s *State) OperatorName(key wire.Peer) string {
	o, _ := s.operator(key)
	return o.Name
}

// changeOperator adds an operator, or changes or ends the roles of one.
func (d *draft) changeOperator(m *wire.OperatorChange) error {
	wanted := m.GetOperator()
	list := slices.Clone(d.operators)
	if m.GetRemove() {
		i := slices.IndexFunc(list, func(o Operator) bool { return string(o.Key[:]) == string(wanted.GetKey()) })
		if i < 0 || list[i].Roles == 0 {
			return ErrUnknownOperator
		}
		list[i].Roles = 0
	} else {
		o, err := operatorOf(wanted)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrMalformed, err)
		}
		i := slices.IndexFunc(list, func(have Operator) bool { return have.Key == o.Key })
		switch {
		case i >= 0 && list[i] == o:
			return ErrNoChange
		case i >= 0 && list[i].Name == o.Name:
			list[i] = o
		case i >= 0 || named(list, o.Name) || d.taken(o.Key):
			return ErrTaken
		default:
			list = append(list, o)
		}
	}
	if err := enough(list); err != nil {
		return fmt.Errorf("%w: %w", ErrTooFew, err)
	}
	d.operators = list
	d.dropUndecided()
	return nil
}

// dropUndecided lets go of the motions and approvals of operators who have no
// longer the role that they took: what nobody has decided yet must not be decided
// with the signature of somebody who was dismissed.
func (d *draft) dropUndecided() {
	d.motions = slices.DeleteFunc(slices.Clone(d.motions), func(p motion) bool {
		return d.lacks(p.record.Decision)
	})
	d.pending = slices.Clone(d.pending)
	for i, a := range d.pending {
		if slices.ContainsFunc(a.record.Approvals, d.lacks) {
			d.pending[i].record = &wire.PendingApplication{
				Application: a.record.Application, Hash: a.record.Hash, Number: a.record.Number,
				Approvals: slices.DeleteFunc(slices.Clone(a.record.Approvals), d.lacks),
			}
		}
	}
}

// lacks reports whether who signed m could not do so now.
func (d *draft) lacks(m *wire.Decision) bool {
	o, _ := d.operator(wire.Peer(m.Operator))
	return o.Roles&d.needs(m) == 0
}

// taken reports whether key is a server's, an operator's or an agency's.
func (s *State) taken(key wire.Peer) bool {
	_, operator := s.operator(key)
	return s.IsServer(key) || operator || s.ids[key] != ""
}

// restoreOperators takes the operators of a snapshot.
func (s *State) restoreOperators(list []*wire.Operator) error {
	s.operators = nil
	for _, m := range list {
		former := m.GetRoles() == 0
		asked := &wire.Operator{Name: m.GetName(), Key: m.GetKey(), Roles: m.GetRoles()}
		if former {
			asked.Roles = uint32(Audit)
		}
		o, err := operatorOf(asked)
		if err != nil {
			return err
		}
		if former {
			o.Roles = 0
		}
		if named(s.operators, o.Name) || s.taken(o.Key) {
			return errors.New("operator twice")
		}
		s.operators = append(s.operators, o)
	}
	return enough(s.operators)
}
