// Package alert is the deconfliction alert: the record that one of our cases
// and a case of another agency hold the same identifier.
//
// An alert is named by the pair of cases, so raising it again, after a crash
// or a replay, adds grounds to the same alert and never makes a second one.
package alert

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"time"

	"interlock/crypto/token"
	"interlock/node/casefile"
	"interlock/protocol/directory"
	"interlock/protocol/identifier"
)

// ID names an alert within one node.
type ID [16]byte

func (id ID) String() string { return hex.EncodeToString(id[:]) }

// ParseID reads the text form.
func ParseID(s string) (ID, error) {
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != len(ID{}) {
		return ID{}, errors.New("not the name of an alert")
	}
	return ID(b), nil
}

// Pair is the two cases that meet.
type Pair struct {
	Case   casefile.CaseID    // ours
	Agency directory.AgencyID // theirs
	Theirs token.CasePointer  // their case, as their pointer names it
}

// ID returns the name of the alert for p.
func (p Pair) ID() ID {
	h := sha256.New()
	h.Write([]byte("interlock alert v1"))
	h.Write(binary.BigEndian.AppendUint64(nil, uint64(p.Case)))
	h.Write(p.Theirs[:])
	h.Write([]byte(p.Agency))
	return ID(h.Sum(nil))
}

// Ground is one identifier that both cases hold.
type Ground struct {
	Identifier identifier.Identifier
	Handling   token.Handling // as the other agency set it
	At         time.Time
}

// Shown is how many grounds an alert carries; it counts them all.
const Shown = 100

// Alert is one pair of cases that must not cross.
type Alert struct {
	ID      ID
	Pair    Pair
	Grounds []Ground // the first Shown, by identifier
	Total   int      // of grounds
	Raised  time.Time
	SeenBy  []casefile.OfficerName
}
