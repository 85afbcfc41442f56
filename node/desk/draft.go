package desk

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"interlock/node/casefile"
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
	AlreadyHeld bool // by this case
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
}

// progress is how far the saving of a draft has come; it is small, and
// written with each step.
type progress struct {
	At     time.Time // of the draft
	Done   int       // lines already saved
	Result Saved     // so far
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

func putProgress(tx *store.Tx, id DraftID, p progress) error {
	b, err := json.Marshal(p)
	if err != nil {
		return err
	}
	return tx.PutProgress(id[:], b)
}

func progressOf(tx *store.Tx, id DraftID) (p progress, err error) {
	b, err := tx.Progress(id[:])
	if err != nil {
		return p, err
	}
	return p, json.Unmarshal(b, &p)
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
		for _, l := range s.Lines {
			line := DraftLine{Count: l.Count, First: l.Places[0]}
			if line.Identifier, err = identifier.Decode(l.Identifier); err != nil {
				return err
			}
			known, err := tx.Known(line.Identifier)
			if err == nil {
				line.AlreadyHeld, err = tx.Holds(id, known)
			}
			if err != nil && !errors.Is(err, store.ErrNotFound) {
				return err
			}
			out.Lines = append(out.Lines, line)
		}
		return nil
	})
	return out, err
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

// Saved is what became of identifiers handed in.
type Saved struct {
	Added   int // new to the case
	Already int // it held these before
	Waiting int // whose token is still to be had
}

func (s Saved) plus(o Saved) Saved {
	return Saved{s.Added + o.Added, s.Already + o.Already, s.Waiting + o.Waiting}
}

// Save takes a draft into its case, except for the lines the officer left
// out. It goes in steps, each on the disk before the next, and each step also
// records how far it came: called again after a crash it goes on from there.
func (d *Desk) Save(ctx context.Context, by casefile.Officer, id casefile.CaseID, of DraftID, leave []int) (Saved, error) {
	var s storedDraft
	var p progress
	err := d.store.View(func(tx *store.Tx) (err error) {
		if s, err = draft(tx, by, id, of); err != nil {
			return err
		}
		p, err = progressOf(tx, of)
		return err
	})
	if err != nil {
		return Saved{}, err
	}
	left := make(map[int]bool, len(leave))
	for _, n := range leave {
		left[n] = true
	}
	for done := false; !done; done = p.Done == len(s.Lines) {
		if err := ctx.Err(); err != nil {
			return Saved{}, err
		}
		if p, err = d.saveStep(ctx, by, of, &s, p, left); err != nil {
			return Saved{}, d.disk(err)
		}
	}
	return p.Result, nil
}

// saveStep saves the next lines of s and returns how far it came; with the
// last ones the text becomes a note and the draft is gone.
func (d *Desk) saveStep(ctx context.Context, by casefile.Officer, of DraftID, s *storedDraft, p progress, left map[int]bool) (progress, error) {
	next := progress{At: p.At, Done: min(p.Done+savedAtOnce, len(s.Lines))}
	found, err := s.found(d.now(), p.Done, next.Done, left)
	if err != nil {
		return p, err
	}
	_, err = d.flow.Enter(ctx, s.Case, found, func(tx *store.Tx, saved Saved) error {
		next.Result = p.Result.plus(saved)
		switch now, err := progressOf(tx, of); {
		case errors.Is(err, store.ErrNotFound), err == nil && now.Done != p.Done:
			return ErrNotFound // saved or dropped meanwhile
		case err != nil:
			return err
		}
		if next.Done < len(s.Lines) {
			return putProgress(tx, of, next)
		}
		if s.Text != "" {
			if _, err := tx.AddNote(s.Case, casefile.Note{By: by.Name, At: d.now(), Text: s.Text}); err != nil {
				return err
			}
		}
		return tx.DeleteDraft(of[:])
	})
	return next, err
}

func (s *storedDraft) found(at time.Time, from, to int, left map[int]bool) ([]casefile.Found, error) {
	var found []casefile.Found
	for n := from; n < to; n++ {
		if left[n] {
			continue
		}
		i, err := identifier.Decode(s.Lines[n].Identifier)
		if err != nil {
			return nil, err
		}
		f := casefile.Found{Identifier: i}
		for _, line := range s.Lines[n].Places {
			f.Sightings = append(f.Sightings, casefile.Sighting{Source: s.Source, Line: line, By: s.By, At: at})
		}
		found = append(found, f)
	}
	return found, nil
}
