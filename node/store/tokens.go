package store

import (
	"encoding/binary"
	"errors"
	"fmt"

	"interlock/crypto/oprf"
	"interlock/crypto/token"
	"interlock/node/casefile"
)

// HeldToken is a token with the epoch of the key that made it.
type HeldToken struct {
	Epoch token.Epoch
	Token oprf.Token
}

// PutToken keeps the token of an identifier in an epoch; it waits no longer. The
// token that it had before is kept beside it while its epoch still matches.
func (tx *Tx) PutToken(id casefile.IdentifierID, e token.Epoch, t oprf.Token) error {
	k := key(tableToken, number(uint64(id)))
	was, err := tx.get(k)
	switch {
	case err == nil && len(was) >= 4:
		defer clear(was)
		epochs, err := tx.Epochs()
		if err != nil {
			return err
		}
		if of := token.Epoch(binary.BigEndian.Uint32(was)); of != e && epochs.Matches(of) {
			if err := tx.set(key(tableFormer, number(uint64(id))), was); err != nil {
				return err
			}
		}
	case err != nil && !errors.Is(err, ErrNotFound):
		return err
	}
	v := append(binary.BigEndian.AppendUint32(nil, uint32(e)), t[:]...)
	if err := tx.set(k, v); err != nil {
		return err
	}
	return tx.delete(key(tableWaiting, number(uint64(id))))
}

// Token returns the newest token of an identifier and its epoch, or ErrNotFound.
func (tx *Tx) Token(id casefile.IdentifierID) (oprf.Token, token.Epoch, error) {
	t, err := tx.tokenIn(tableToken, id)
	return t.Token, t.Epoch, err
}

// TokenOf returns the token of an identifier in one epoch, or ErrNotFound.
func (tx *Tx) TokenOf(id casefile.IdentifierID, e token.Epoch) (oprf.Token, error) {
	for _, table := range []byte{tableToken, tableFormer} {
		t, err := tx.tokenIn(table, id)
		if err == nil && t.Epoch == e {
			return t.Token, nil
		}
		if err != nil && !errors.Is(err, ErrNotFound) {
			return oprf.Token{}, err
		}
	}
	return oprf.Token{}, ErrNotFound
}

// Matching returns the tokens of an identifier in the epochs that match, the
// newest first; none where it waits for its first, or for one of this time.
func (tx *Tx) Matching(id casefile.IdentifierID) ([]HeldToken, error) {
	epochs, err := tx.Epochs()
	if err != nil {
		return nil, err
	}
	var list []HeldToken
	for _, table := range []byte{tableToken, tableFormer} {
		t, err := tx.tokenIn(table, id)
		if err == nil && epochs.Matches(t.Epoch) {
			list = append(list, t)
		}
		if err != nil && !errors.Is(err, ErrNotFound) {
			return nil, err
		}
	}
	return list, nil
}

func (tx *Tx) tokenIn(table byte, id casefile.IdentifierID) (HeldToken, error) {
	v, err := tx.get(key(table, number(uint64(id))))
	if err != nil {
		return HeldToken{}, err
	}
	defer clear(v)
	if len(v) != 4+oprf.TokenSize {
		return HeldToken{}, fmt.Errorf("record in table %q: %d bytes", table, len(v))
	}
	return HeldToken{Epoch: token.Epoch(binary.BigEndian.Uint32(v)), Token: oprf.Token(v[4:])}, nil
}

// scannedAtOnce bounds how many tokens one look for old ones passes over.
const scannedAtOnce = 100_000

// Older returns up to limit identifiers after one number, and not after until,
// whose newest token is of another epoch than e; and how far it has looked.
func (tx *Tx) Older(e token.Epoch, after, until casefile.IdentifierID, limit int) (ids []casefile.IdentifierID, at casefile.IdentifierID, err error) {
	at, seen := until, 0
	last := after
	err = tx.scan([]byte{tableToken}, key(tableToken, number(uint64(after+1))), func(k, v []byte) error {
		id := casefile.IdentifierID(binary.BigEndian.Uint64(k[1:]))
		if id > until {
			return errStop
		}
		if len(ids) == limit || seen == scannedAtOnce {
			at = last
			return errStop
		}
		if len(v) < 4 {
			return fmt.Errorf("record in table %q: %d bytes", tableToken, len(v))
		}
		if token.Epoch(binary.BigEndian.Uint32(v)) != e {
			ids = append(ids, id)
		}
		last, seen = id, seen+1
		return nil
	})
	return ids, at, err
}

// Wait records that an identifier's token is still to be had.
func (tx *Tx) Wait(id casefile.IdentifierID) error {
	return tx.set(key(tableWaiting, number(uint64(id))), nil)
}

// WaitNoMore takes an identifier that needs no token off the list of those that wait.
func (tx *Tx) WaitNoMore(id casefile.IdentifierID) error {
	return tx.delete(key(tableWaiting, number(uint64(id))))
}

// Waiting returns up to limit identifiers whose token is still to be had.
func (tx *Tx) Waiting(limit int) ([]casefile.IdentifierID, error) {
	return tx.listed(tableWaiting, limit)
}

// listed returns the first limit identifiers of a table that lists them.
func (tx *Tx) listed(table byte, limit int) ([]casefile.IdentifierID, error) {
	prefix := []byte{table}
	var ids []casefile.IdentifierID
	err := tx.scan(prefix, prefix, func(k, _ []byte) error {
		if len(ids) == limit {
			return errStop
		}
		ids = append(ids, casefile.IdentifierID(binary.BigEndian.Uint64(k[1:])))
		return nil
	})
	return ids, err
}
