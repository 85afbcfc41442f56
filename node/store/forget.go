package store

import (
	"encoding/binary"
	"errors"

	"interlock/node/alert"
	"interlock/node/casefile"
	"interlock/protocol/identifier"
)

// Forget removes an identifier that no case holds: its text, tokens and number,
// which is not given again, where it was announced, whether and why it was muted,
// and its place among the grounds of alerts. The alerts stay, with their counts and
// the cases that were met: what officers were told they were told.
func (tx *Tx) Forget(id casefile.IdentifierID) error {
	n := number(uint64(id))
	b, err := tx.get(key(tableIdentifier, n))
	if err != nil {
		return err
	}
	i, err := identifier.Decode(b)
	if err != nil {
		return err
	}
	tx.muting = nil
	of := markOf(i)
	errs := []error{
		tx.delete(key(tableNumberOf, b)), tx.deleteAll(key(tableStanding, n)),
		tx.delete(key(tableMute, of[:])), tx.deleteAll(key(tableMuteEvent, of[:])),
		tx.forgetGrounds(i, b),
	}
	for _, table := range []byte{tableIdentifier, tableToken, tableFormer, tableWaiting, tableAgain} {
		errs = append(errs, tx.delete(key(table, n)))
	}
	return errors.Join(errs...)
}

// forgetGrounds takes an identifier, which is stored as b, out of what alerts and
// summaries stand on.
func (tx *Tx) forgetGrounds(i identifier.Identifier, b []byte) error {
	of := markOf(i)
	alerts, summaries := key(tableGroundOf, of[:]), key(tableSummaryOf, of[:])
	return errors.Join(
		tx.scan(alerts, alerts, func(k, _ []byte) error {
			return tx.delete(key(tableGround, k[len(alerts)+8:], b))
		}),
		tx.scan(summaries, summaries, func(k, _ []byte) error {
			id := alert.SummaryID(casefile.CaseID(binary.BigEndian.Uint64(k[len(summaries):])), i)
			return tx.delete(key(tableGround, id[:], b))
		}),
		tx.deleteAll(alerts), tx.deleteAll(summaries))
}
