package store

import (
	"bytes"
	"crypto/sha256"
	"errors"

	"interlock/crypto/token"
	"interlock/node/alert"
	"interlock/node/casefile"
	"interlock/protocol/directory"
	"interlock/protocol/identifier"
)

// mark stands for an identifier in keys that other parts follow.
type mark [16]byte

func markOf(i identifier.Identifier) mark {
	sum := sha256.Sum256(i.Input())
	return mark(sum[:16])
}

// full reports whether a new ground of identifier i for case c goes into a
// summary: there is one, or the caps of package alert are reached.
func (tx *Tx) full(c casefile.CaseID, i identifier.Identifier) (bool, error) {
	sum := alert.SummaryID(c, i)
	if have, err := tx.has(key(tableAlert, sum[:])); err != nil || have {
		return have, err
	}
	of := markOf(i)
	prefix, ours := key(tableGroundOf, of[:]), number(uint64(c))
	all, ofCase := 0, 0
	err := tx.scan(prefix, prefix, func(k, _ []byte) error {
		if all++; bytes.HasPrefix(k[len(prefix):], ours) {
			ofCase++
		}
		if all == alert.PairsInAll || ofCase == alert.PairsPerCase {
			return errStop
		}
		return nil
	})
	return all == alert.PairsInAll || ofCase == alert.PairsPerCase, err
}

// spread adds a pair to the summary of its identifier, and makes the summary
// with the pairs that have alerts if there is none yet. The officers are told
// of a new one and each time it has doubled.
func (tx *Tx) spread(p alert.Pair, g alert.Ground) error {
	id := alert.SummaryID(p.Case, g.Identifier)
	row := key(tableSpread, id[:], name(p.Agency), p.Theirs[:])
	if have, err := tx.has(row); err != nil || have {
		return err
	}
	a, err := tx.storedAlert(id, alert.Pair{Case: p.Case}, g.At)
	if err != nil {
		return err
	}
	if a.Spread == nil {
		a.Spread, a.Total = &alert.Spread{}, 1
		if err := tx.spreadRaised(id, p.Case, &a, g.Identifier); err != nil {
			return err
		}
		tx.tell(id)
	}
	if err := tx.addMet(id, &a, alert.Met{Agency: p.Agency, Theirs: p.Theirs, Handling: g.Handling, At: g.At}); err != nil {
		return err
	}
	if n := a.Spread.Cases; n&(n-1) == 0 {
		tx.tell(id)
	}
	if err := tx.strictest(id, g); err != nil {
		return err
	}
	return setJSON(tx, key(tableAlert, id[:]), a)
}

// spreadRaised puts the pairs that the identifier has raised alerts for into a
// new summary.
func (tx *Tx) spreadRaised(id alert.ID, c casefile.CaseID, a *storedAlert, i identifier.Identifier) error {
	of := markOf(i)
	prefix := key(tableGroundOf, of[:], number(uint64(c)))
	stored, err := i.MarshalBinary()
	if err != nil {
		return err
	}
	return tx.scan(prefix, prefix, func(k, _ []byte) error {
		raised := bytes.Clone(k[len(prefix):])
		was, err := getJSON[storedAlert](tx, key(tableAlert, raised))
		if err != nil {
			return err
		}
		g, err := getJSON[storedGround](tx, key(tableGround, raised, stored))
		if err != nil {
			return err
		}
		met := alert.Met{Agency: was.Pair.Agency, Theirs: was.Pair.Theirs, Handling: g.Handling, At: g.At}
		if err := tx.strictest(id, alert.Ground{Identifier: i, Handling: g.Handling, At: g.At}); err != nil {
			return err
		}
		return tx.addMet(id, a, met)
	})
}

// addMet writes one more pair of a summary and counts it.
func (tx *Tx) addMet(id alert.ID, a *storedAlert, m alert.Met) error {
	agency := key(tableSpread, id[:], name(m.Agency))
	_, _, err := tx.last(agency)
	if errors.Is(err, ErrNotFound) {
		a.Spread.Agencies++
	} else if err != nil {
		return err
	}
	a.Spread.Cases++
	return setJSON(tx, append(agency, m.Theirs[:]...), storedGround{m.Handling, m.At})
}

// strictest keeps the identifier as the one ground of a summary, under the
// strictest handling that any agency gave it.
func (tx *Tx) strictest(id alert.ID, g alert.Ground) error {
	b, err := g.Identifier.MarshalBinary()
	if err != nil {
		return err
	}
	k := key(tableGround, id[:], b)
	have, err := getJSON[storedGround](tx, k)
	if err == nil && have.Handling >= g.Handling {
		return nil
	}
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	return setJSON(tx, k, storedGround{g.Handling, g.At})
}

// Met returns the first limit cases of a summary, by agency.
func (tx *Tx) Met(id alert.ID, limit int) ([]alert.Met, error) {
	prefix := key(tableSpread, id[:])
	var list []alert.Met
	err := tx.scan(prefix, prefix, func(k, _ []byte) error {
		if len(list) == limit {
			return errStop
		}
		agency, theirs, ok := bytes.Cut(k[len(prefix):], []byte{0})
		if !ok || len(theirs) != len(token.CasePointer{}) {
			return errors.New("record in the table of summaries: malformed key")
		}
		g, err := getJSON[storedGround](tx, k)
		list = append(list, alert.Met{Agency: directory.AgencyID(agency), Theirs: token.CasePointer(theirs), Handling: g.Handling, At: g.At})
		return err
	})
	return list, err
}
