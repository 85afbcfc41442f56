// Package certificate is the coverage certificate of a case: the receipts of the
// members that have compared everything that the case announces, and who is
// missing. It says what the absence of an alert means.
//
// Whoever has the network's file can verify one, years later and without a node:
// the directory in it is signed by the registry's servers, and names the members'
// keys, which sign the receipts. Package node makes certificates; an auditor
// verifies them.
package certificate

import (
	"cmp"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"interlock/crypto/vault"
	"interlock/protocol/directory"
	"interlock/protocol/feed"
	"interlock/protocol/wire"
)

// MaxSize is the largest certificate that is read, bytes.
const MaxSize = 64 * wire.MiB

// ErrNotProven says that a certificate does not prove what it says.
var ErrNotProven = errors.New("the certificate does not verify")

// Certificate is one as a file has it, in JSON.
type Certificate struct {
	Agency    directory.AgencyID // whose case it is
	Case      string             // the pointer by which other agencies know it
	Made      time.Time
	Entries   []Entries            // by audience
	Receipts  [][]byte             // each a Receipt message
	Missing   []directory.AgencyID // members of the audiences without receipts of all of it
	Directory []byte               // a SignedDirectory message
	Signature []byte               // by the agency, over the JSON of the rest
}

// Entries is up to which entry of one of the agency's feeds the case announces.
type Entries struct {
	Audience directory.Audience
	Number   uint64
}

// New returns a certificate of what receipts say, under the directory d as it was
// signed, signed by the agency.
func New(agency directory.AgencyID, key ed25519.PrivateKey, pointer string, made time.Time, entries []Entries, receipts []feed.Receipt, signed *wire.SignedDirectory, d *directory.Directory) (Certificate, error) {
	c := Certificate{Agency: agency, Case: pointer, Made: made.UTC().Truncate(time.Second), Entries: slices.Clone(entries)}
	slices.SortFunc(c.Entries, func(a, b Entries) int { return strings.Compare(a.Audience.String(), b.Audience.String()) })
	_, c.Missing = c.compare(d, receipts)
	for _, r := range receipts {
		b, err := wire.Marshal(r.Message())
		if err != nil {
			return c, err
		}
		c.Receipts = append(c.Receipts, b)
	}
	var err error
	if c.Directory, err = wire.Marshal(signed); err != nil {
		return c, err
	}
	b, err := c.signed()
	if err != nil {
		return c, err
	}
	c.Signature = vault.Sign(key, vault.ContextCertificate, b)
	return c, nil
}

// signed is what the agency's signature covers.
func (c Certificate) signed() ([]byte, error) {
	c.Signature = nil
	return json.Marshal(c)
}

// Encode returns the certificate as a file.
func (c Certificate) Encode() ([]byte, error) { return json.MarshalIndent(c, "", "  ") }

// Read parses what Encode wrote. Whether it is true, Verify says.
func Read(b []byte) (c Certificate, err error) {
	if len(b) > MaxSize {
		return c, fmt.Errorf("%w: %d bytes, at most %d", ErrNotProven, len(b), MaxSize)
	}
	if err := json.Unmarshal(b, &c); err != nil {
		return c, fmt.Errorf("%w: %w", ErrNotProven, err)
	}
	return c, nil
}

// Compared is a member that has compared everything, and since when.
type Compared struct {
	Agency directory.Agency
	At     time.Time // of its oldest receipt in the certificate
}

// Verify finds out who has compared the case, from the certificate and the file of
// the network alone. The error wraps ErrNotProven.
func (c Certificate) Verify(network directory.Network) (compared []Compared, missing []directory.AgencyID, err error) {
	if len(c.Entries) == 0 {
		return nil, nil, fmt.Errorf("%w: it is of a case that announces nothing", ErrNotProven)
	}
	var signed wire.SignedDirectory
	if err := wire.Unmarshal(c.Directory, &signed); err != nil {
		return nil, nil, fmt.Errorf("%w: directory: %w", ErrNotProven, err)
	}
	d, err := network.Trust().Verify(&signed)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: directory: %w", ErrNotProven, err)
	}
	author, ok := d.Agency(c.Agency)
	b, err := c.signed()
	if err != nil || !ok || !vault.Verify(author.Key.Key(), vault.ContextCertificate, b, c.Signature) {
		return nil, nil, fmt.Errorf("%w: signature of %s", ErrNotProven, c.Agency)
	}
	var receipts []feed.Receipt
	for _, b := range c.Receipts {
		var m wire.Receipt
		if err := wire.Unmarshal(b, &m); err != nil {
			return nil, nil, fmt.Errorf("%w: receipt: %w", ErrNotProven, err)
		}
		r, err := feed.ParseReceipt(&m)
		if err != nil {
			return nil, nil, fmt.Errorf("%w: %w", ErrNotProven, err)
		}
		reader, ok := d.Agency(r.Reader)
		if !ok || r.Author != c.Agency || !r.Verified(reader.Key) {
			return nil, nil, fmt.Errorf("%w: receipt of %s", ErrNotProven, r.Reader)
		}
		receipts = append(receipts, r)
	}
	compared, missing = c.compare(d, receipts)
	for _, id := range missing {
		if !slices.Contains(c.Missing, id) {
			return nil, nil, fmt.Errorf("%w: %s has not compared all, and is not said to be missing", ErrNotProven, id)
		}
	}
	return compared, missing, nil
}

// compare holds receipts against what the case announces, for each member that is
// in one of its audiences.
func (c Certificate) compare(d *directory.Directory, receipts []feed.Receipt) (compared []Compared, missing []directory.AgencyID) {
	missing = []directory.AgencyID{}
	for _, m := range d.Active() {
		if m.ID == c.Agency {
			continue
		}
		asked, all := false, true
		one := Compared{Agency: m}
		for _, e := range c.Entries {
			if !e.Audience.Admits(d, c.Agency, m.ID) {
				continue
			}
			asked = true
			i := slices.IndexFunc(receipts, func(r feed.Receipt) bool {
				return r.Reader == m.ID && r.Audience == e.Audience && r.Number >= e.Number
			})
			if i < 0 {
				all = false
				continue
			}
			if at := receipts[i].Time; one.At.IsZero() || at.Before(one.At) {
				one.At = at
			}
		}
		switch {
		case asked && all:
			compared = append(compared, one)
		case asked:
			missing = append(missing, m.ID)
		}
	}
	slices.SortFunc(compared, func(a, b Compared) int { return cmp.Compare(a.Agency.ID, b.Agency.ID) })
	return compared, missing
}
