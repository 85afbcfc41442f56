// Package alert is the deconfliction alert: the record that one of our cases
// and a case of another agency hold the same identifier.
//
// An alert is named by the pair of cases, so raising it again, after a crash
// or a replay, adds grounds to the same alert and never makes a second one.
//
// A value that many cases hold would raise an alert for each pair of them. Past
// the caps of this package it raises none, and grows one summary of our case.
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

// The caps: one identifier is a ground of at most so many alerts of one of our
// cases, and of all our cases together. The pairs beyond go into a summary.
const (
	PairsPerCase = 20
	PairsInAll   = 50
)

// Alert is one pair of cases that must not cross, or the summary of an
// identifier that one of our cases shares with many.
type Alert struct {
	ID      ID
	Pair    Pair     // of a summary, our case alone
	Grounds []Ground // the first Shown, by identifier; of a summary, its one
	Total   int      // of grounds
	Muted   int      // how many of Grounds are muted
	Spread  Spread   // of a summary
	Raised  time.Time
	SeenBy  []casefile.OfficerName
}

// Spread is how far the identifier of a summary reaches, the pairs that have
// alerts of their own included.
type Spread struct {
	Cases    int // of other agencies
	Agencies int // that these are of
}

// IsSummary reports whether a is about an identifier and not about one pair.
func (a Alert) IsSummary() bool { return a.Spread.Cases > 0 }

// Quiet reports whether everything that a stands on is muted: it is still to be
// read, and counts no more.
func (a Alert) Quiet() bool { return a.Muted > 0 && a.Muted == a.Total }

// Met is one case of another agency that holds the identifier of a summary.
type Met struct {
	Agency   directory.AgencyID
	Theirs   token.CasePointer
	Handling token.Handling
	At       time.Time
}

// SummaryID returns the name of the summary of an identifier in one of our
// cases.
func SummaryID(c casefile.CaseID, i identifier.Identifier) ID {
	h := sha256.New()
	h.Write([]byte("interlock summary v1"))
	h.Write(binary.BigEndian.AppendUint64(nil, uint64(c)))
	h.Write(i.Input())
	return ID(h.Sum(nil))
}
