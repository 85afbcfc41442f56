package desk

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"interlock/node/casefile"
	"interlock/node/commons"
	"interlock/node/intake"
	"interlock/node/store"
	"interlock/protocol/identifier"
)

// DraftID names what an officer has handed in and not yet saved.
type DraftID [16]byte

func (id DraftID) String() string { return hex.EncodeToString(id[:]) }

// ParseDraftID reads the text form.
func ParseDraftID(s string) (DraftID, error) {
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != len(DraftID{}) {
		return DraftID{}, ErrNotFound
	}
	return DraftID(b), nil
}

// Limits of a draft.
const (
	MaxDraftLines = 200_000        // distinct identifiers
	DraftLife     = 24 * time.Hour // after that it is deleted
	savedAtOnce   = 512            // identifiers in one transaction
)

// Draft is what was found in a file or text, for the officer to look at.
type Draft struct {
	ID       DraftID
	Source   casefile.Source
	Lines    []DraftLine
	Problems []intake.Problem
	Text     string // of a pasted text; saved as a note
}

// DraftLine is one distinct identifier in a draft.
type DraftLine struct {
	Identifier  identifier.Identifier
	First       int // line where it was first seen
	Count       int
	AlreadyHeld bool            // by this case
	Warning     commons.Warning // its List is empty where there is none
}

// storedDraft is a draft on the disk.
type storedDraft struct {
	Case     casefile.CaseID
	By       casefile.OfficerName
	At       time.Time
	Source   casefile.Source
	Lines    []storedLine
	Problems []intake.Problem
	Text     string

	sharing casefile.Sharing // of what is new, while it is saved
}

type storedLine struct {
	Identifier []byte
	Places     []int // lines it was seen on, at most casefile.MaxSightings
	Count      int
}

// Draft keeps what intake found in a file or, with its text, in a pasted text.
func (d *Desk) Draft(by casefile.Officer, id casefile.CaseID, r intake.Report, text string) (DraftID, error) {
	s := storedDraft{
		Case: id, By: by.Name, At: d.now(), Problems: r.Problems, Text: text,
		Source: casefile.Source{Name: r.Source.Name, Format: r.Format, SHA256: r.Source.SHA256},
	}
	at := make(map[identifier.Identifier]int, len(r.Items))
	for _, item := range r.Items {
		n, seen := at[item.Identifier]
		if !seen {
			if len(s.Lines) == MaxDraftLines {
				return DraftID{}, &casefile.Sentence{
					Text: "This holds more than 200,000 identifiers.", Hint: "Split it, and hand the parts in one after another.",
				}
			}
			b, err := item.Identifier.MarshalBinary()
			if err != nil {
				return DraftID{}, err
			}
			n = len(s.Lines)
			at[item.Identifier] = n
			s.Lines = append(s.Lines, storedLine{Identifier: b})
		}
		l := &s.Lines[n]
		if l.Count++; len(l.Places) < casefile.MaxSightings {
			l.Places = append(l.Places, item.Line)
		}
	}
	var draft DraftID
	if _, err := rand.Read(draft[:]); err != nil {
		return DraftID{}, err
	}
	err := d.store.Update(func(tx *store.Tx) error {
		if _, err := readable(tx, by, id); err != nil {
			return err
		}
		if err := d.expire(tx); err != nil {
			return err
		}
		b, err := json.Marshal(s)
		if err != nil {
			return err
		}
		if err := tx.PutDraft(draft[:], b); err != nil {
			return err
		}
		return putProgress(tx, draft, progress{At: s.At})
	})
	return draft, d.disk(err)
}

// expire deletes drafts that nobody came back to.
func (d *Desk) expire(tx *store.Tx) error {
	var old [][]byte
	err := tx.Drafts(func(id, b []byte) error {
		var p progress
		if err := json.Unmarshal(b, &p); err != nil {
			return err
		}
		if d.now().Sub(p.At) > DraftLife {
			old = append(old, slices.Clone(id))
		}
		return nil
	})
	for _, id := range old {
		err = errors.Join(err, tx.DeleteDraft(id))
	}
	return err
}

// draft returns the officer's own draft of a case.
func draft(tx *store.Tx, by casefile.Officer, id casefile.CaseID, of DraftID) (storedDraft, error) {
	var s storedDraft
	if _, err := readable(tx, by, id); err != nil {
		return s, err
	}
	b, err := tx.Draft(of[:])
	if errors.Is(err, store.ErrNotFound) {
		return s, ErrNotFound
	}
	if err != nil {
		return s, err
	}
	if err := json.Unmarshal(b, &s); err != nil {
		return s, err
	}
	if s.Case != id || s.By != by.Name {
		return storedDraft{}, ErrNotFound
	}
	return s, nil
}

// OpenDraft returns a draft to look at.
func (d *Desk) OpenDraft(by casefile.Officer, id casefile.CaseID, of DraftID) (Draft, error) {
	out := Draft{ID: of}
	err := d.store.View(func(tx *store.Tx) error {
		s, err := draft(tx, by, id, of)
		if err != nil {
			return err
		}
		out.Source, out.Problems, out.Text = s.Source, s.Problems, s.Text
		lists, err := d.warnings.in(tx)
		if err != nil {
			return err
		}
		for _, l := range s.Lines {
			line := DraftLine{Count: l.Count, First: l.Places[0]}
			if line.Identifier, err = identifier.Decode(l.Identifier); err != nil {
				return err
			}
			if line.AlreadyHeld, err = holds(tx, id, line.Identifier); err != nil {
				return err
			}
			line.Warning, _ = lists.Warn(line.Identifier)
			out.Lines = append(out.Lines, line)
		}
		return nil
	})
	return out, err
}

// holds reports whether a case holds an identifier.
func holds(tx *store.Tx, id casefile.CaseID, i identifier.Identifier) (bool, error) {
	known, err := tx.Known(i)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return tx.Holds(id, known)
}

// DropDraft forgets a draft.
func (d *Desk) DropDraft(by casefile.Officer, id casefile.CaseID, of DraftID) error {
	return d.disk(d.store.Update(func(tx *store.Tx) error {
		if _, err := draft(tx, by, id, of); err != nil {
			return err
		}
		return tx.DeleteDraft(of[:])
	}))
}
