package desk

import (
	"crypto/rand"
	"errors"
	"slices"
	"strings"

	"interlock/node/alert"
	"interlock/node/casefile"
	"interlock/node/store"
	"interlock/protocol/identifier"
)

// CaseLine is a case in a list.
type CaseLine struct {
	casefile.Case
	Identifiers int
	Alerts      int
	Unseen      int // alerts this officer has not opened
}

// CaseFile is a case with what it holds.
type CaseFile struct {
	casefile.Case
	Notes    []casefile.Note
	Holdings []casefile.Holding // the first ShownHoldings
	Total    int                // of identifiers
	Alerts   []AlertLine        // newest first

	Numbers map[identifier.Identifier]casefile.IdentifierID // of Holdings
	Muted   map[identifier.Identifier]store.Muted           // of Holdings, those that are
}

// ShownHoldings is how many identifiers a case shows.
const ShownHoldings = 500

// OpenCase opens a case under the officer's name.
func (d *Desk) OpenCase(by casefile.Officer, n casefile.NewCase) (casefile.Case, error) {
	if by.Role == casefile.Administrator {
		return casefile.Case{}, &casefile.Sentence{
			Text: "An administrator's account cannot open cases.", Hint: "Sign in with an officer's account.",
		}
	}
	n, err := n.Check()
	if err != nil {
		return casefile.Case{}, err
	}
	c := casefile.Case{Number: n.Number, Title: n.Title, Officers: []casefile.OfficerName{by.Name}, Opened: d.now()}
	if _, err := rand.Read(c.Pointer[:]); err != nil {
		return casefile.Case{}, err
	}
	err = d.store.Update(func(tx *store.Tx) error {
		c, err = tx.AddCase(c)
		return err
	})
	if errors.Is(err, store.ErrNumberTaken) {
		return casefile.Case{}, &casefile.Sentence{
			Text: "The agency already has a case with this number.", Hint: "Give another number, or ask your supervisor who works it.",
		}
	}
	return c, d.disk(err)
}

// Cases lists the officer's cases, the newest first.
func (d *Desk) Cases(by casefile.Officer) ([]CaseLine, error) {
	var lines []CaseLine
	err := d.store.View(func(tx *store.Tx) error {
		return tx.Cases(func(c casefile.Case) error {
			if !by.MayRead(c) {
				return nil
			}
			l := CaseLine{Case: c}
			var err error
			if l.Identifiers, err = tx.Held(c.ID); err != nil {
				return err
			}
			err = tx.CaseAlerts(c.ID, func(a alert.Alert) error {
				l.Alerts++
				if !slices.Contains(a.SeenBy, by.Name) && !a.Quiet() {
					l.Unseen++
				}
				return nil
			})
			lines = append(lines, l)
			return err
		})
	})
	slices.Reverse(lines)
	return lines, err
}

// readable returns the case if the officer may see it.
func readable(tx *store.Tx, by casefile.Officer, id casefile.CaseID) (casefile.Case, error) {
	c, err := tx.Case(id)
	if errors.Is(err, store.ErrNotFound) || err == nil && !by.MayRead(c) {
		return casefile.Case{}, ErrNotFound
	}
	return c, err
}

// Case returns a case with what it holds.
func (d *Desk) Case(by casefile.Officer, id casefile.CaseID) (f CaseFile, err error) {
	err = d.store.View(func(tx *store.Tx) error {
		if f.Case, err = readable(tx, by, id); err != nil {
			return err
		}
		if f.Notes, err = tx.Notes(id); err != nil {
			return err
		}
		if f.Holdings, err = tx.Holdings(id, ShownHoldings); err != nil {
			return err
		}
		if f.Total, err = tx.Held(id); err != nil {
			return err
		}
		if err := f.readMutes(tx); err != nil {
			return err
		}
		return tx.CaseAlerts(id, func(a alert.Alert) error {
			f.Alerts = append(f.Alerts, d.line(a, f.Case, by))
			return nil
		})
	})
	slices.SortFunc(f.Alerts, func(a, b AlertLine) int { return b.Raised.Compare(a.Raised) })
	return f, err
}

// readMutes notes which of the holdings are muted, and what number each has.
func (f *CaseFile) readMutes(tx *store.Tx) error {
	f.Numbers, f.Muted = map[identifier.Identifier]casefile.IdentifierID{}, map[identifier.Identifier]store.Muted{}
	for _, h := range f.Holdings {
		id, err := tx.Known(h.Identifier)
		if err != nil {
			return err
		}
		f.Numbers[h.Identifier] = id
		m, err := tx.MuteOf(h.Identifier)
		if err == nil {
			f.Muted[h.Identifier] = m
		} else if !errors.Is(err, store.ErrNotFound) {
			return err
		}
	}
	return nil
}

// AddNote writes a note into a case. Identifiers in it are not taken; Draft
// does that.
func (d *Desk) AddNote(by casefile.Officer, id casefile.CaseID, text string) (n casefile.Note, err error) {
	text, err = casefile.CheckNote(strings.ReplaceAll(text, "\r\n", "\n"))
	if err != nil {
		return n, err
	}
	err = d.store.Update(func(tx *store.Tx) error {
		if _, err := readable(tx, by, id); err != nil {
			return err
		}
		n, err = tx.AddNote(id, casefile.Note{By: by.Name, At: d.now(), Text: text})
		return err
	})
	return n, d.disk(err)
}

// disk turns a disk that takes no writes into a sentence.
func (d *Desk) disk(err error) error {
	if errors.Is(err, store.ErrDisk) {
		return &casefile.Sentence{
			Text: "The node's disk does not take writes; this was not saved.",
			Hint: "Everything saved before is safe. Tell the node's administrator, and save again.",
		}
	}
	return err
}
