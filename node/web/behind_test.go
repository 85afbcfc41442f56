package web_test

import (
	"context"
	"crypto/rand"
	"time"

	"interlock/crypto/oprf"
	"interlock/node/alert"
	"interlock/node/casefile"
	"interlock/node/desk"
	"interlock/node/desk/rehearsal"
	"interlock/node/store"
	"interlock/protocol/directory"
)

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

// flow holds identifiers, with a token while there is a registry.
type flow struct {
	rehearsal.Flow
	registry bool
	meets    *alert.Pair // raised with whatever is entered
}

func (f *flow) Enter(_ context.Context, c casefile.CaseID, found []casefile.Found, with func(*store.Tx, desk.Saved) error) (saved desk.Saved, err error) {
	if f.Fault != nil {
		return saved, f.Fault
	}
	err = f.Store.Update(func(tx *store.Tx) error {
		saved = desk.Saved{}
		for _, one := range found {
			id, isNew, err := f.Hold(tx, c, one)
			if err != nil {
				return err
			}
			if isNew {
				saved.Added++
			} else {
				saved.Already++
			}
			if f.meets != nil {
				if err := tx.Raise(*f.meets, alert.Ground{Identifier: one.Identifier}); err != nil {
					return err
				}
			}
			if !f.registry {
				saved.Waiting++
				err = tx.Wait(id)
			} else {
				var t oprf.Token
				rand.Read(t[:])
				err = tx.PutToken(id, 1, t)
			}
			if err != nil {
				return err
			}
		}
		return with(tx, saved)
	})
	return saved, err
}

// network is a federation of two others.
type network struct {
	directory *directory.Directory
	status    desk.NetworkStatus
}

func newNetwork() *network {
	boulder := directory.Agency{
		ID: "boulder-so", Name: "Boulder County Sheriff", Jurisdiction: "US-CO",
		Contact: "Duty desk +1 303-555-0188", Status: directory.Active,
	}
	cheyenne := directory.Agency{ID: "cheyenne-pd", Name: "Cheyenne Police", Jurisdiction: "US-WY", Status: directory.Active}
	return &network{
		directory: &directory.Directory{Version: 3, Agencies: []directory.Agency{boulder, cheyenne}},
		status: desk.NetworkStatus{
			Standing: directory.Active, RegistryReachable: true,
			Members: []desk.MemberLine{
				{Agency: boulder, Connected: true, Have: 1204, Head: 1204, LastHeard: time.Date(2026, 11, 24, 11, 13, 40, 0, time.UTC)},
				{Agency: cheyenne, Have: 310, Head: 388, LastHeard: time.Date(2026, 11, 23, 17, 2, 0, 0, time.UTC),
					Trouble: "It does not answer at its addresses."},
			},
		},
	}
}

func (n *network) Directory() *directory.Directory { return n.directory }
func (n *network) Status() desk.NetworkStatus      { return n.status }
