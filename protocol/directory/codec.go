package directory

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"interlock/crypto/oprf"
	"interlock/crypto/vault"
	"interlock/protocol/wire"
)

// Limits of what a directory may hold.
const (
	MaxServers   = 31
	MaxAgencies  = 5_000
	MaxAddresses = 16
	MaxText      = 200 // bytes of a name, jurisdiction, contact or address
)

// ErrMalformed is what Decode returns, wrapped with the place.
var ErrMalformed = errors.New("malformed directory")

// Encode returns the bytes that the servers sign.
func (d *Directory) Encode() ([]byte, error) {
	m := &wire.Directory{Genesis: d.Genesis[:], Version: d.Version, Policy: d.Policy.Message(), RecordSize: d.Record.Size, RecordRoot: d.Record.Root[:]}
	for _, k := range d.Epochs {
		m.Epochs = append(m.Epochs, k.Message())
	}
	for _, s := range d.Servers {
		m.Servers = append(m.Servers, s.Message())
	}
	for _, a := range d.Agencies {
		m.Agencies = append(m.Agencies, a.Message())
	}
	return wire.Marshal(m)
}

// Decode parses what Encode wrote and refuses anything else.
func Decode(b []byte) (*Directory, error) { return decode(b, nil) }

// decode is Decode for somebody who holds an earlier directory: what it has
// parsed already, and costs most, is not parsed again.
func decode(b []byte, held *Directory) (*Directory, error) {
	var m wire.Directory
	if err := wire.Unmarshal(b, &m); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	d := &Directory{Version: m.Version, Record: Head{Size: m.RecordSize}}
	if len(m.Genesis) != len(d.Genesis) || len(m.RecordRoot) != len(d.Record.Root) {
		return nil, fmt.Errorf("%w: genesis or record's root has the wrong size", ErrMalformed)
	}
	copy(d.Genesis[:], m.Genesis)
	copy(d.Record.Root[:], m.RecordRoot)
	var err error
	if d.Servers, err = ServersOf(m.Servers); err != nil {
		return nil, err
	}
	if d.Epochs, err = EpochsOf(m.Epochs); err != nil {
		return nil, err
	}
	if d.Agencies, err = agenciesOf(m.Agencies, held.recipients()); err != nil {
		return nil, err
	}
	if d.Policy, err = PolicyOf(m.Policy); err != nil {
		return nil, err
	}
	return d, nil
}

// Message is the server as messages carry it.
func (s Server) Message() *wire.Server {
	return &wire.Server{
		Index: uint32(s.Index), Name: s.Name, Key: s.Key[:], Addresses: s.Addresses,
		Recipient: s.Recipient.String(),
	}
}

// ServersOf parses servers in ascending order of their numbers, each with a key
// of its own.
func ServersOf(list []*wire.Server) ([]Server, error) {
	if len(list) == 0 || len(list) > MaxServers {
		return nil, fmt.Errorf("%w: %d servers, want 1 to %d", ErrMalformed, len(list), MaxServers)
	}
	servers := make([]Server, len(list))
	last, keys := uint32(0), make(map[wire.Peer]bool, len(list))
	for i, m := range list {
		s, err := ServerOf(m)
		if err != nil {
			return nil, fmt.Errorf("%w: server %d: %w", ErrMalformed, i+1, err)
		}
		if m.Index <= last || keys[s.Key] {
			return nil, fmt.Errorf("%w: server %d: out of order or twice", ErrMalformed, i+1)
		}
		last, keys[s.Key], servers[i] = m.Index, true, s
	}
	return servers, nil
}

// ServerOf parses one server; its number may be 0, for one that has none yet.
func ServerOf(m *wire.Server) (s Server, err error) {
	s = Server{Index: oprf.Index(m.GetIndex()), Name: m.GetName(), Addresses: m.GetAddresses()}
	if s.Key, err = wire.ParsePeer(m.GetKey()); err != nil {
		return s, err
	}
	if s.Recipient, err = vault.ParseRecipient(m.GetRecipient()); err != nil {
		return s, err
	}
	if m.Index > math.MaxUint16 || s.Name == "" || !textFits(s.Name) || !addressesFit(s.Addresses) || !vault.ValidPublicKey(s.Key.Key()) {
		return s, errors.New("number, name, addresses or key cannot be used")
	}
	return s, nil
}

// Message is the agency as messages carry it.
func (a Agency) Message() *wire.Agency {
	return &wire.Agency{
		Id: string(a.ID), Name: a.Name, Jurisdiction: a.Jurisdiction, Contact: a.Contact, Key: a.Key[:],
		Recipient: a.Recipient.String(), Addresses: a.Addresses, Status: uint32(a.Status),
	}
}

// recipients are the agencies' of a directory that was parsed before, by their
// text; none where there is no directory.
func (d *Directory) recipients() map[string]vault.Recipient {
	if d == nil {
		return nil
	}
	known := make(map[string]vault.Recipient, len(d.Agencies))
	for _, a := range d.Agencies {
		known[a.Recipient.String()] = a.Recipient
	}
	return known
}

// agenciesOf parses agencies in ascending order of id, without repetition of
// an id or a key.
func agenciesOf(list []*wire.Agency, known map[string]vault.Recipient) ([]Agency, error) {
	if len(list) > MaxAgencies {
		return nil, fmt.Errorf("%w: %d agencies, at most %d", ErrMalformed, len(list), MaxAgencies)
	}
	agencies := make([]Agency, len(list))
	keys := make(map[wire.Peer]bool, len(list))
	for i, m := range list {
		a, err := agencyOf(m, known)
		if err != nil {
			return nil, fmt.Errorf("%w: agency %d: %w", ErrMalformed, i+1, err)
		}
		if keys[a.Key] || i > 0 && agencies[i-1].ID >= a.ID {
			return nil, fmt.Errorf("%w: agency %d: out of order or twice", ErrMalformed, i+1)
		}
		keys[a.Key], agencies[i] = true, a
	}
	return agencies, nil
}

func agencyOf(m *wire.Agency, known map[string]vault.Recipient) (Agency, error) {
	a := Agency{
		Name: m.Name, Jurisdiction: m.Jurisdiction, Contact: m.Contact,
		Addresses: m.Addresses, Status: Status(m.Status),
	}
	if m.Status < uint32(Pending) || m.Status > uint32(Suspended) {
		return a, fmt.Errorf("status %d", m.Status)
	}
	var err error
	if a.ID, err = ParseAgencyID(m.Id); err != nil {
		return a, err
	}
	if a.Key, err = wire.ParsePeer(m.Key); err != nil {
		return a, err
	}
	var parsed bool
	if a.Recipient, parsed = known[m.Recipient]; !parsed {
		if a.Recipient, err = vault.ParseRecipient(m.Recipient); err != nil {
			return a, err
		}
	}
	return a, a.CheckText()
}

// CheckText reports a name, jurisdiction, contact or address that is missing
// or too long, in a sentence for whoever wrote it.
func (a Agency) CheckText() error {
	switch {
	case a.Name == "" || !textFits(a.Name):
		return fmt.Errorf("the agency's name must have 1 to %d bytes", MaxText)
	case a.Jurisdiction == "" || !textFits(a.Jurisdiction):
		return fmt.Errorf("the jurisdiction must have 1 to %d bytes, for example US-CO", MaxText)
	case !textFits(a.Contact):
		return fmt.Errorf("the contact must have at most %d bytes", MaxText)
	case len(a.Addresses) == 0 || !addressesFit(a.Addresses):
		return fmt.Errorf("the agency needs 1 to %d addresses of at most %d bytes", MaxAddresses, MaxText)
	}
	return nil
}

// ParseAgencyID checks the form of an agency's short name.
func ParseAgencyID(s string) (AgencyID, error) {
	ok := len(s) >= 2 && len(s) <= 32 && s[0] != '-' && s[len(s)-1] != '-'
	for i := 0; i < len(s) && ok; i++ {
		c := s[i]
		ok = c == '-' || c >= 'a' && c <= 'z' || c >= '0' && c <= '9'
	}
	if !ok {
		return "", errors.New("an agency's id is 2 to 32 lower-case letters, digits and inner hyphens, for example denver-pd")
	}
	return AgencyID(s), nil
}

// textFits reports whether s can stand in one line of a page or a terminal
// without disturbing what stands around it: no control characters, and none
// that change the direction of writing.
func textFits(s string) bool {
	return len(s) <= MaxText && utf8.ValidString(s) &&
		!strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}

func addressesFit(list []string) bool {
	return len(list) <= MaxAddresses && !slices.ContainsFunc(list, func(s string) bool { return s == "" || !textFits(s) })
}
