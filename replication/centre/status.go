package centre

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"

	"interlock/crypto/oprf"
	"interlock/crypto/vault"
	"interlock/protocol/directory"
	"interlock/protocol/wire"
	"interlock/replication/registry"
)

// ErrStatus says that a server's status does not hold together.
var ErrStatus = errors.New("the server's answer does not hold together")

// Subject is what an operator decides upon.
type Subject struct {
	Agency    directory.Agency // of an admitted one, without the recipient
	Hash      directory.ApplicationHash
	Number    uint64
	Applied   time.Time // by the applicant's clock
	Approvals []string  // names of the operators who approved
	Reason    string    // of a suspension
	By        string    // who suspended
	Forked    bool      // suspended by evidence of a forked feed

	NewKey       bool // it applies with another key than it has
	OldKeySigned bool // and the key it has signed that too
}

// Fingerprint is what the applicant reads over the telephone: of the key it
// signs with and the recipient that is sealed to. Of a pending one only.
func (s Subject) Fingerprint() string {
	return vault.Fingerprint(s.Agency.Key.Key(), s.Agency.Recipient)
}

// Motion is what one operator has put and a second has to decide upon.
type Motion struct {
	What   *wire.Motion
	Hash   [sha256.Size]byte
	Number uint64
	By     string
	Reason string
	At     time.Time // by the operator's clock
}

// Status is how the registry stands, as one of its servers says. What is
// pending was checked: the hash is of what is shown, and the applicant signed it.
type Status struct {
	Version     uint64 // of the directory
	Endorsed    int    // servers that have signed this version
	Asked       string // the server that answered
	Leader      string // empty: no majority answers, and this is what the server knew last
	Applied     uint64
	Servers     []directory.Server
	Operators   []registry.Operator
	Agencies    []Subject // admitted
	Pending     []Subject
	Epochs      []directory.KeyEpoch
	Policy      directory.Policy
	Motions     []Motion
	Motioned    uint64 // motions there ever were
	Invitations []*wire.Invitation
	Notices     []*wire.Notice // newest last
	Activity    map[directory.AgencyID]*wire.AgencyActivity
	Health      map[oprf.Index]*wire.ServerActivity
	Ceremony    *wire.CeremonyStatus // nil while none is under way
	RecordSize  uint64
	Day         uint64
}

// readStatus checks a status of network n.
func readStatus(n directory.Network, m *wire.RegistryStatus) (*Status, error) {
	if string(m.GetGenesis()) != string(n.Genesis[:]) {
		return nil, fmt.Errorf("%w: it is of another network", ErrStatus)
	}
	s := &Status{
		Version: m.Version, Endorsed: int(m.Endorsed), Asked: clean(m.Asked), Leader: clean(m.Leader), Applied: m.Applied,
		Motioned: m.Motioned, Invitations: m.Invitations, Notices: m.Notices, Ceremony: m.Ceremony, RecordSize: m.RecordSize, Day: m.Day,
		Activity: make(map[directory.AgencyID]*wire.AgencyActivity), Health: make(map[oprf.Index]*wire.ServerActivity),
	}
	for _, part := range []func() error{
		func() (err error) { s.Servers, err = directory.ServersOf(m.Servers); return err },
		func() (err error) { s.Epochs, err = directory.EpochsOf(m.Epochs); return err },
		func() (err error) { s.Policy, err = directory.PolicyOf(m.Policy); return err },
		func() error { return s.readOperators(m.Operators) },
		func() error { return s.readAgencies(n, m) },
		func() error { return s.readMotions(m.Motions) },
	} {
		if err := part(); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrStatus, err)
		}
	}
	for _, a := range m.Activity {
		a.Software = clean(a.Software)
		s.Activity[directory.AgencyID(a.Agency)] = a
	}
	for _, a := range m.ServerActivity {
		s.Health[oprf.Index(a.Server)] = a
	}
	for _, v := range s.Invitations {
		v.Label = clean(v.Label)
	}
	if s.Ceremony != nil {
		s.Ceremony.Phase = clean(s.Ceremony.Phase)
	}
	for _, notice := range s.Notices {
		notice.Text = clean(notice.Text)
	}
	return s, nil
}

func (s *Status) readOperators(list []*wire.Operator) error {
	for _, op := range list {
		key, err := wire.ParsePeer(op.Key)
		if err != nil {
			return fmt.Errorf("operator: %w", err)
		}
		s.Operators = append(s.Operators, registry.Operator{Name: clean(op.Name), Key: key, Roles: registry.Role(op.Roles)})
	}
	return nil
}

func (s *Status) readAgencies(n directory.Network, m *wire.RegistryStatus) error {
	for _, a := range m.Agencies {
		subject, err := s.admitted(a)
		if err != nil {
			return fmt.Errorf("agency: %w", err)
		}
		s.Agencies = append(s.Agencies, subject)
	}
	for _, a := range m.Pending {
		agency, hash, err := directory.CheckApplication(a.GetApplication(), n.Genesis)
		if err != nil {
			return err
		}
		s.Pending = append(s.Pending, Subject{
			Agency: legible(agency), Hash: hash, Number: a.Number, Applied: unix(a.Application.Time), Approvals: s.names(a.Approvals),
			NewKey: len(a.Application.Replaces) > 0, OldKeySigned: len(a.Application.Replaced) > 0,
		})
	}
	return nil
}

// readMotions checks that each hash is of the motion that is shown: an operator
// signs the hash.
func (s *Status) readMotions(list []*wire.PendingMotion) error {
	for _, p := range list {
		d := p.GetDecision()
		if d.GetMotion() == nil {
			return errors.New("a motion without what it moves")
		}
		hash, err := registry.MotionHash(d.Motion)
		if err != nil || string(hash[:]) != string(p.Hash) {
			return errors.New("a motion under another's hash")
		}
		s.Motions = append(s.Motions, Motion{
			What: d.Motion, Hash: hash, Number: p.Number, By: s.names([]*wire.Decision{d})[0], Reason: clean(d.Reason), At: unix(d.Time),
		})
	}
	return nil
}

func (s *Status) admitted(a *wire.Admitted) (Subject, error) {
	app := a.GetApplication()
	id, err := directory.ParseAgencyID(app.GetId())
	if err != nil {
		return Subject{}, err
	}
	key, err := wire.ParsePeer(app.Key)
	if err != nil {
		return Subject{}, err
	}
	if len(a.Hash) != len(directory.ApplicationHash{}) || a.Status > uint32(directory.Suspended) {
		return Subject{}, errors.New("hash or status")
	}
	subject := Subject{
		Agency: directory.Agency{
			ID: id, Name: app.Name, Jurisdiction: app.Jurisdiction, Contact: app.Contact, Key: key,
			Addresses: app.Addresses, Status: directory.Status(a.Status),
		},
		Hash: directory.ApplicationHash(a.Hash), Number: max(a.Number, a.Reinstated), Applied: unix(app.Time), Approvals: s.names(a.Approvals),
		Forked: a.Evidence != nil,
	}
	if a.Suspension != nil {
		subject.Reason, subject.By = clean(a.Suspension.Reason), s.names([]*wire.Decision{a.Suspension})[0]
	}
	err = subject.Agency.CheckText()
	subject.Agency = legible(subject.Agency)
	return subject, err
}

func unix(seconds uint64) time.Time { return time.Unix(int64(seconds), 0) }

// legible is the agency as a terminal may show it.
func legible(a directory.Agency) directory.Agency {
	a.Name, a.Jurisdiction, a.Contact = clean(a.Name), clean(a.Jurisdiction), clean(a.Contact)
	return a
}

// names are the operators who signed.
func (s *Status) names(list []*wire.Decision) []string {
	names := make([]string, len(list))
	for i, d := range list {
		names[i] = "unknown"
		for _, op := range s.Operators {
			if string(op.Key[:]) == string(d.GetOperator()) {
				names[i] = op.Name
			}
		}
	}
	return names
}

// clean takes out what could move a terminal's cursor.
func clean(text string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return unicode.ReplacementChar
		}
		return r
	}, text)
}

// Find returns what verb decides upon under id. Where several have applied
// under one id, the start of a hash in hexadecimal says which.
func (s *Status) Find(verb Verb, id directory.AgencyID, hash string) (Subject, error) {
	list := s.Pending
	if verb == Suspend {
		list = s.Agencies
	}
	var found []Subject
	for _, subject := range list {
		if subject.Agency.ID == id && strings.HasPrefix(hex.EncodeToString(subject.Hash[:]), hash) {
			found = append(found, subject)
		}
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) > 1:
		return Subject{}, fmt.Errorf("%s: %w", id, ErrAmbiguous)
	case verb == Suspend:
		return Subject{}, fmt.Errorf("%s is not a member: %w", id, ErrNoSubject)
	}
	return Subject{}, fmt.Errorf("no application of %s waits: %w", id, ErrNoSubject)
}
