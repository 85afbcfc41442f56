package node

import (
	"errors"
	"math"
	"time"

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
	audience directory.Audience
	needs    uint64 // the case's highest announcement there
	receipt  feed.Receipt
	signed   bool
	number   uint64
}

// coverageOf reads how far each member has compared what a case announces; members
// that are in none of its audiences are left out.
func (n *Node) coverageOf(c casefile.CaseID) (by map[directory.AgencyID][]covered, entries uint64, err error) {
	d := n.roster.Directory()
	by = map[directory.AgencyID][]covered{}
	if d == nil {
		return by, 0, nil
	}
	err = n.store.View(func(tx *store.Tx) error {
		up, err := announced(tx, c)
		if err != nil {
			return err
		}
		for a, number := range up {
			entries = max(entries, number)
			for _, m := range d.Active() {
				if m.ID == n.agency.ID || !a.Admits(d, n.agency.ID, m.ID) {
					continue
				}
				k := covered{audience: a, needs: number}
				if k.receipt, k.signed, err = storedReceipt(tx, m.ID, a); err != nil {
					return err
				}
				_, k.number, err = tx.Acknowledged(m.ID, a)
				if err != nil && !errors.Is(err, store.ErrNotFound) {
					return err
				}
				k.number = max(k.number, k.receipt.Number)
				by[m.ID] = append(by[m.ID], k)
			}
		}
		return nil
	})
	return by, entries, err
}

// Coverage is how far the members have compared what a case announces.
func (n *Node) Coverage(c casefile.CaseID) (desk.Coverage, error) {
	by, entries, err := n.coverageOf(c)
	out := desk.Coverage{Entries: entries}
	d := n.roster.Directory()
	if err != nil || d == nil {
		return out, err
	}
	for _, m := range d.Active() {
		list := by[m.ID]
		if len(list) == 0 {
			continue
		}
		k := desk.Covered{Agency: m, Number: math.MaxUint64, Signed: true, Complete: true}
		for _, one := range list {
			k.Complete = k.Complete && one.number >= one.needs
			k.Signed = k.Signed && one.signed && one.receipt.Number >= one.needs
			if one.number < k.Number {
				k.Number, k.Generation, k.At = one.number, one.receipt.Generation, one.receipt.Time
			}
		}
		out.Members = append(out.Members, k)
	}
	return out, nil
}

// Certificate is the coverage of a case with the members' signatures.
func (n *Node) Certificate(c casefile.CaseID) ([]byte, error) {
	by, _, err := n.coverageOf(c)
	if err != nil {
		return nil, err
	}
	var pointer string
	var entries []certificate.Entries
	err = n.store.View(func(tx *store.Tx) error {
		file, err := tx.Case(c)
		if err != nil {
			return err
		}
		pointer = file.Pointer.String()
		up, err := announced(tx, c)
		for a, number := range up {
			entries = append(entries, certificate.Entries{Audience: a, Number: number})
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	signed, d := n.roster.Signed(), n.roster.Directory()
	if d == nil {
		return nil, desk.ErrNotFound
	}
	var receipts []feed.Receipt
	for _, m := range d.Active() {
		for _, k := range by[m.ID] {
			if k.signed {
				receipts = append(receipts, k.receipt)
			}
		}
	}
	cert, err := certificate.New(n.agency.ID, n.keys.Signing, pointer, time.Now(), entries, receipts, signed, d)
	if err != nil {
		return nil, err
	}
	return cert.Encode()
}
