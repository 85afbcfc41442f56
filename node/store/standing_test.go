package store

import (
	"bytes"
	"encoding/base64"
	"errors"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"interlock/crypto/oprf"
	"interlock/node/casefile"
	"interlock/protocol/directory"
	"interlock/protocol/identifier"
)

func TestAnIdentifierStandsOnceForEachAudienceAndEpoch(t *testing.T) {
	s := open(t, options("/store", vfs.NewMem()))
	range1 := group(t, denver, "range").Audience
	all := []Standing{{Epoch: 1, Number: 4}, {Epoch: 2, Number: 9}, {Audience: range1, Epoch: 2, Number: 1}}
	update(t, s, func(tx *Tx) error {
		errs := []error{tx.PutStanding(7, Standing{Epoch: 2, Number: 3}), tx.PutStanding(8, Standing{Epoch: 1, Number: 5})}
		for _, at := range all {
			errs = append(errs, tx.PutStanding(7, at))
		}
		return errors.Join(errs...)
	})
	standing := func(id casefile.IdentifierID) (list []Standing) {
		view(t, s, func(tx *Tx) (err error) { list, err = tx.Standing(id); return err })
		return list
	}
	equal(t, "standing", standing(7), all)
	update(t, s, func(tx *Tx) error { return tx.DropStanding(7, all[1]) })
	equal(t, "standing after one ended", standing(7), []Standing{all[0], all[2]})
	equal(t, "standing of one never announced", standing(9), []Standing(nil))
}

func TestAnAcknowledgementOnlyMovesForward(t *testing.T) {
	s := open(t, options("/store", vfs.NewMem()))
	range1 := group(t, denver, "range").Audience
	acknowledged := func(a directory.Audience) (g uint32, n uint64, err error) {
		view(t, s, func(tx *Tx) error { g, n, err = tx.Acknowledged(boulder, a); return nil })
		return g, n, err
	}
	if _, _, err := acknowledged(range1); !errors.Is(err, ErrNotFound) {
		t.Errorf("Acknowledged = %v, want %v", err, ErrNotFound)
	}
	for _, c := range []struct {
		generation uint32
		number     uint64
		wantG      uint32
		want       uint64
	}{{1, 0, 1, 0}, {1, 9, 1, 9}, {1, 5, 1, 9}, {2, 3, 2, 3}, {1, 12, 2, 3}, {2, 4, 2, 4}} {
		update(t, s, func(tx *Tx) error { return tx.Acknowledge(boulder, directory.Everyone, c.generation, c.number) })
		if g, n, err := acknowledged(directory.Everyone); g != c.wantG || n != c.want || err != nil {
			t.Errorf("after %d of generation %d: %d of %d, %v; want %d of %d", c.number, c.generation, n, g, err, c.want, c.wantG)
		}
	}
	if _, _, err := acknowledged(range1); !errors.Is(err, ErrNotFound) {
		t.Errorf("Acknowledged for another audience = %v, want %v", err, ErrNotFound)
	}
}

func TestTheLastReceiptIsKept(t *testing.T) {
	s := open(t, options("/store", vfs.NewMem()))
	range1 := group(t, denver, "range").Audience
	update(t, s, func(tx *Tx) error {
		return errors.Join(tx.PutReceipt(boulder, range1, []byte("first")), tx.PutReceipt(boulder, range1, []byte("last")))
	})
	view(t, s, func(tx *Tx) error {
		b, err := tx.Receipt(boulder, range1)
		equal(t, "receipt", string(b), "last")
		if _, err := tx.Receipt(boulder, directory.Everyone); !errors.Is(err, ErrNotFound) {
			t.Errorf("Receipt for another audience = %v, want %v", err, ErrNotFound)
		}
		return err
	})
}

func TestACaseHandlesAnIdentifierAsItWasLastTold(t *testing.T) {
	s := open(t, options("/store", vfs.NewMem()))
	group1 := casefile.Sharing{Audience: group(t, denver, "range").Audience}
	watch := casefile.Sharing{Way: casefile.Watch}
	var got []casefile.Sharing
	update(t, s, func(tx *Tx) error {
		for _, put := range []casefile.Sharing{group1, watch, {}} {
			if err := tx.PutSharing(1, 2, put); err != nil {
				return err
			}
			now, err := tx.Sharing(1, 2)
			if err != nil {
				return err
			}
			got = append(got, now)
		}
		other, err := tx.Sharing(2, 2)
		got = append(got, other)
		return err
	})
	equal(t, "sharing", got, []casefile.Sharing{group1, watch, {}, {}})
}

// nowhere fails where any key or value has the bytes of an identifier: in the clear,
// as the store encodes it, or as what stands for it in keys.
func nowhere(t testing.TB, s *Store, i identifier.Identifier) {
	t.Helper()
	form, err := i.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	of := markOf(i)
	view(t, s, func(tx *Tx) error {
		var errs []error
		for table := range 256 {
			errs = append(errs, tx.scan([]byte{byte(table)}, []byte{byte(table)}, func(k, v []byte) error {
				for _, b := range [][]byte{[]byte(i.Value()), form, []byte(base64.StdEncoding.EncodeToString(form)), of[:]} {
					if bytes.Contains(k, b) || bytes.Contains(v, b) {
						t.Errorf("%q is left in table %q", b, k[0])
					}
				}
				return nil
			}))
		}
		return errors.Join(errs...)
	})
}

// TestAPurgedIdentifierIsNowhereLeft, where no alert was raised on it: those keep
// what officers were told.
func TestAPurgedIdentifierIsNowhereLeft(t *testing.T) {
	s := open(t, options("/store", vfs.NewMem()))
	purged, stays := email(t, "j.doe@example.org"), email(t, "other@example.org")
	form, err := purged.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	change := casefile.Change{Case: 1, Identifier: form, To: casefile.Sharing{Way: casefile.Watch}, By: "m.okafor", At: noon}
	var id, other casefile.IdentifierID
	update(t, s, func(tx *Tx) (err error) {
		id, err = tx.IdentifierID(purged)
		if err != nil {
			return err
		}
		if other, err = tx.IdentifierID(stays); err != nil {
			return err
		}
		for _, c := range []casefile.CaseID{1, 2} {
			for _, id := range []casefile.IdentifierID{id, other} {
				if _, err := tx.Hold(c, id, casefile.Sighting{Line: 1, At: noon}); err != nil {
					return err
				}
			}
		}
		return errors.Join(tx.Wait(id), tx.PutToken(id, 1, oprf.Token{1}), tx.PutStanding(id, Standing{Epoch: 1, Number: 1}),
			tx.PutSharing(1, id, change.To), tx.AddChange(change))
	})
	update(t, s, func(tx *Tx) error {
		if err := tx.Unhold(1, id); err != nil {
			return err
		}
		if err := tx.Unhold(1, id); !errors.Is(err, ErrNotFound) {
			t.Errorf("Unhold again = %v, want %v", err, ErrNotFound)
		}
		held, err := tx.Held(1)
		cases, err2 := tx.CasesHolding(id)
		sharing, err3 := tx.Sharing(1, id)
		equal(t, "left in the case, cases left", []any{held, cases, sharing}, []any{1, []casefile.CaseID{2}, casefile.Sharing{}})
		return errors.Join(err, err2, err3, tx.AddChange(casefile.Change{Case: 1, From: change.To, Purged: true, At: noon}))
	})
	muted := Mute{By: "m.okafor", At: noon, Reason: "Shared."}
	update(t, s, func(tx *Tx) error { return errors.Join(tx.Mute(purged, muted), tx.Mute(stays, muted)) })
	update(t, s, func(tx *Tx) error { return errors.Join(tx.Unhold(2, id), tx.Forget(id)) })
	nowhere(t, s, purged)
	blank := change
	blank.Identifier = nil
	view(t, s, func(tx *Tx) error {
		changes, err := tx.Changes(1, 10)
		equal(t, "changes", changes, []casefile.Change{{Case: 1, From: change.To, Purged: true, At: noon}, blank})
		newest, err2 := tx.Changes(1, 1)
		equal(t, "newest change", newest, changes[:1])
		for table := range 256 {
			err := tx.scan([]byte{byte(table)}, []byte{byte(table)}, func(k, _ []byte) error {
				switch k[0] {
				case tableIdentifier, tableToken, tableFormer, tableWaiting, tableStanding:
					if [8]byte(k[1:9]) == [8]byte(number(uint64(id))) {
						t.Errorf("table %q still has identifier %d", k[0], id)
					}
				}
				return nil
			})
			if err != nil {
				return err
			}
		}
		if _, err := tx.Known(purged); !errors.Is(err, ErrNotFound) {
			t.Errorf("Known = %v, want %v", err, ErrNotFound)
		}
		n, err3 := tx.Known(stays)
		equal(t, "number of the other", n, other)
		return errors.Join(err, err2, err3)
	})
	update(t, s, func(tx *Tx) error {
		again, err := tx.IdentifierID(purged)
		if again <= other {
			t.Errorf("number %d is given again", again)
		}
		return err
	})
}
