package web_test

import (
	"context"
	"encoding/base64"
	"errors"

	"interlock/node/casefile"
	"interlock/node/desk"
	"interlock/node/store"
	"interlock/protocol/directory"
	"interlock/protocol/identifier"
)

func (f *flow) Handle(_ context.Context, c casefile.CaseID, ids []identifier.Identifier, to casefile.Sharing, by casefile.OfficerName) error {
	return f.change(c, ids, by, func(tx *store.Tx, id casefile.IdentifierID, change *casefile.Change) error {
		change.To = to
		return tx.PutSharing(c, id, to)
	})
}

func (f *flow) Purge(_ context.Context, c casefile.CaseID, ids []identifier.Identifier, by casefile.OfficerName) error {
	return f.change(c, ids, by, func(tx *store.Tx, id casefile.IdentifierID, change *casefile.Change) error {
		change.Purged, change.Identifier = true, nil
		return tx.Unhold(c, id)
	})
}

// change records one change of each identifier, with a withdrawal where it was
// shared. The numbers of withdrawals go on from one audience to the next.
func (f *flow) change(c casefile.CaseID, ids []identifier.Identifier, by casefile.OfficerName, do func(*store.Tx, casefile.IdentifierID, *casefile.Change) error) error {
	if f.fault != nil {
		return f.fault
	}
	return f.store.Update(func(tx *store.Tx) error {
		for _, i := range ids {
			id, err := tx.Known(i)
			if err != nil {
				return err
			}
			change := casefile.Change{Case: c, By: by, At: f.now()}
			if change.Identifier, err = i.MarshalBinary(); err != nil {
				return err
			}
			if change.From, err = tx.Sharing(c, id); err != nil {
				return err
			}
			if change.From.Way == casefile.Share {
				f.withdrawn++
				change.Withdrawn = []casefile.Withdrawal{{Audience: change.From.Audience, Number: f.withdrawn}}
			}
			if err := errors.Join(do(tx, id, &change), tx.AddChange(change)); err != nil {
				return err
			}
		}
		return nil
	})
}

// covers says what it was told to.
type covers struct{ coverage desk.Coverage }

func (c *covers) Coverage(casefile.CaseID) (desk.Coverage, error) { return c.coverage, nil }
func (c *covers) Certificate(casefile.CaseID) ([]byte, error) {
	return []byte(`{"case":"pointer","members":[]}` + "\n"), nil
}

// groups puts Denver into the directory, and into a group with Boulder.
func (n *network) groups() {
	denver := directory.Agency{ID: "denver-pd", Name: "Denver Police Department", Status: directory.Active}
	n.directory.Agencies = append(n.directory.Agencies, denver)
	n.directory.Policy.Groups = []directory.Group{
		{Name: "front-range", Agencies: []directory.AgencyID{"boulder-so", "denver-pd"}},
		{Name: "wyoming", Agencies: []directory.AgencyID{"cheyenne-pd"}},
	}
}

// okafor is the officer of most of these tests, as the desk knows them.
func okafor() casefile.Officer {
	return casefile.Officer{Name: "m.okafor", Role: casefile.Investigator}
}

// webKey names an identifier as the forms of the pages do.
func webKey(i identifier.Identifier) (string, error) {
	b, err := i.MarshalBinary()
	return base64.RawURLEncoding.EncodeToString(b), err
}
