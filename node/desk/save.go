package desk

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"interlock/node/casefile"
	"interlock/node/store"
	"interlock/protocol/identifier"
)

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
// What the case does not hold yet is handled as sharing says, which shares or
// only watches; what it holds keeps its own.
func (d *Desk) Save(ctx context.Context, by casefile.Officer, id casefile.CaseID, of DraftID, leave []int, sharing casefile.Sharing) (Saved, error) {
	if sharing.Way == casefile.Withdrawn {
		return Saved{}, errNotOffered
	}
	if err := d.offers(sharing); err != nil {
		return Saved{}, err
	}
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
	s.sharing = sharing
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
		f := casefile.Found{Identifier: i, Sharing: s.sharing}
		for _, line := range s.Lines[n].Places {
			f.Sightings = append(f.Sightings, casefile.Sighting{Source: s.Source, Line: line, By: s.By, At: at})
		}
		found = append(found, f)
	}
	return found, nil
}

// progress is how far the saving of a draft has come; it is small, and
// written with each step.
type progress struct {
	At     time.Time // of the draft
	Done   int       // lines already saved
	Result Saved     // so far
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
