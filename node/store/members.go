package store

import (
	"interlock/node/casefile"
	"interlock/protocol/directory"
)

// Member is what the node knows of another agency beside the directory: how
// far the tags of its own identifiers, as that agency would write them, are
// derived. Identifiers up to Until that come after Done are still to do; later
// ones are derived when they are announced.
type Member struct {
	Agency directory.AgencyID
	Active bool
	Done   casefile.IdentifierID
	Until  casefile.IdentifierID
}

// PutMember writes a member.
func (tx *Tx) PutMember(m Member) error {
	tx.members = nil
	return setJSON(tx, key(tableMember, []byte(m.Agency)), m)
}

// Member returns a member, or ErrNotFound.
func (tx *Tx) Member(id directory.AgencyID) (Member, error) {
	return getJSON[Member](tx, key(tableMember, []byte(id)))
}

// Members returns every other agency that was ever in the directory, by id.
func (tx *Tx) Members() ([]Member, error) {
	if tx.members != nil {
		return tx.members, nil
	}
	prefix := []byte{tableMember}
	var list []Member
	err := tx.scan(prefix, prefix, func(k, _ []byte) error {
		m, err := getJSON[Member](tx, k)
		list = append(list, m)
		return err
	})
	if err == nil {
		tx.members = list
	}
	return list, err
}
