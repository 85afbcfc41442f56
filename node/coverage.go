package node

import (
	"errors"
	"math"

	"interlock/node/casefile"
	"interlock/node/certificate"
	"interlock/node/desk"
	"interlock/node/store"
	"interlock/protocol/directory"
	"interlock/protocol/feed"
)

// announced is the highest number of a case's announcements in each of our feeds.
func announced(tx *store.Tx, c casefile.CaseID) (map[directory.Audience]uint64, error) {
	up := map[directory.Audience]uint64{}
	list, err := tx.Holdings(c, math.MaxInt)
	if err != nil {
		return nil, err
	}
	for _, h := range list {
		id, err := tx.Known(h.Identifier)
		if err != nil {
			return nil, err
		}
		standing, err := tx.Standing(id)
		if err != nil {
			return nil, err
		}
		for _, s := range standing {
			up[s.Audience] = max(up[s.Audience], s.Number)
		}
	}
	return up, nil
}

// covered is how far one member has come with one of our feeds.
type covered struct {
	needs   uint64 // the case's highest announcement there
	receipt feed.Receipt
	signed  bool
	number  uint64
}

// coverage is how far the members have compared what a case announces, as it was at
// one moment. Members that are in none of its audiences are left out.
type coverage struct {
	up map[directory.Audience]uint64 // the case's last announcement in each feed
	by map[directory.AgencyID][]covered
}

func (n *Node) coverageOf(tx *store.Tx, d *directory.Directory, c casefile.CaseID) (k coverage, err error) {
	k.by = map[directory.AgencyID][]covered{}
	if k.up, err = announced(tx, c); err != nil || d == nil {
		return k, err
	}
	for a, number := range k.up {
		for _, m := range d.Active() {
			if m.ID == n.agency.ID || !a.Admits(d, n.agency.ID, m.ID) {
				continue
			}
			one := covered{needs: number}
			if one.receipt, one.signed, err = storedReceipt(tx, m.ID, a); err != nil {
				return k, err
			}
			_, one.number, err = tx.Acknowledged(m.ID, a)
			if err != nil && !errors.Is(err, store.ErrNotFound) {
				return k, err
			}
			one.number = max(one.number, one.receipt.Number)
			k.by[m.ID] = append(k.by[m.ID], one)
		}
	}
	return k, nil
}

// Coverage is how far the members have compared what a case announces.
func (n *Node) Coverage(c casefile.CaseID) (out desk.Coverage, err error) {
	d := n.roster.Directory()
	var k coverage
	err = n.store.View(func(tx *store.Tx) error {
		k, err = n.coverageOf(tx, d, c)
		return err
	})
	if err != nil || d == nil {
		return out, err
	}
	for _, number := range k.up {
		out.Entries = max(out.Entries, number)
	}
	for _, m := range d.Active() {
		if list := k.by[m.ID]; len(list) > 0 {
			out.Members = append(out.Members, together(m, list))
		}
	}
	return out, nil
}

// together is how far a member is with all of a case's feeds: as far as with the one
// that it has least of.
func together(m directory.Agency, list []covered) desk.Covered {
	k := desk.Covered{Agency: m, Number: math.MaxUint64, Signed: true, Complete: true}
	for _, one := range list {
		k.Complete = k.Complete && one.number >= one.needs
		k.Signed = k.Signed && one.signed && one.receipt.Number >= one.needs
		if one.number < k.Number {
			k.Number, k.Generation, k.At = one.number, one.receipt.Generation, one.receipt.Time
		}
	}
	return k
}

// Certificate is the coverage of a case with the members' signatures; there is none
// of a case that announces nothing.
func (n *Node) Certificate(c casefile.CaseID) ([]byte, error) {
	chain := n.roster.Chain()
	d := chain.Directory()
	var k coverage
	var file casefile.Case
	err := n.store.View(func(tx *store.Tx) (err error) {
		if file, err = tx.Case(c); err == nil {
			k, err = n.coverageOf(tx, d, c)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if d == nil || len(k.up) == 0 {
		return nil, desk.ErrNotFound
	}
	var entries []certificate.Entries
	for a, number := range k.up {
		entries = append(entries, certificate.Entries{Audience: a, Number: number})
	}
	var receipts []feed.Receipt
	for _, m := range d.Active() {
		for _, one := range k.by[m.ID] {
			if one.signed {
				receipts = append(receipts, one.receipt)
			}
		}
	}
	cert, err := certificate.New(n.agency.ID, n.keys.Signing, file.Pointer.String(), n.flow.now(), entries, receipts, chain.Signed(), d)
	if err != nil {
		return nil, err
	}
	return cert.Encode()
}
