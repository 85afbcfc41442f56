package web

import (
	"encoding/base64"
	"net/http"

	"interlock/node/casefile"
	"interlock/protocol/identifier"
	"interlock/protocol/pages"
)

// What an officer can do with the identifiers that they chose.
const (
	doShare    = "share" // change who may learn of them
	doWithdraw = "withdraw"
	doPurge    = "purge"
)

// handlingView asks the officer before something is done.
type handlingView struct {
	Path, Number string
	Back         string // the part of the case from which the officer comes
	After        int    // how many identifiers come before that
	Do           string
	Heading      string
	Count        string
	Shown        []chosenLine
	More         string   // how many are not shown
	Keys         []string // in the form; none where All
	All          bool
	Audience     audienceView // of doShare
	Problem      *notice
}

// chosenLine is one identifier that was chosen.
type chosenLine struct{ Kind, Value string }

// shownChosen is how many chosen identifiers the question shows.
const shownChosen = 20

// maxChosen is the bytes of a form that names the identifiers of one page.
const maxChosen = 8 << 20

// keyOf names an identifier in a form.
func keyOf(i identifier.Identifier) (string, error) {
	b, err := i.MarshalBinary()
	return base64.RawURLEncoding.EncodeToString(b), err
}

// chosenIn reads which identifiers of a case a form names. What the case does not
// hold is the desk's to see.
func (s *site) chosenIn(r *http.Request, v visitor, id casefile.CaseID) ([]identifier.Identifier, error) {
	if r.PostForm.Get("all") != "" {
		return s.desk.Identifiers(v.Officer, id)
	}
	var list []identifier.Identifier
	for _, key := range r.PostForm["id"] {
		b, err := base64.RawURLEncoding.DecodeString(key)
		if err != nil {
			return nil, pages.ErrBrokenForm
		}
		i, err := identifier.Decode(b)
		if err != nil {
			return nil, pages.ErrBrokenForm
		}
		list = append(list, i)
	}
	return list, nil
}

// askHandling shows what will happen to the chosen identifiers.
func (s *site) askHandling(w http.ResponseWriter, r *http.Request, v visitor) error {
	id, err := caseForm(r)
	if err != nil {
		return err
	}
	view, err := s.handlingView(r, v, id)
	if err != nil {
		return s.caseAgain(w, r, v, err, func(c *caseView, n *notice) { c.Held.Problem = n })
	}
	return s.show(w, r, v, http.StatusOK, "handling", handlingShell(view))
}

func handlingShell(view handlingView) shell {
	return shell{Title: view.Heading, Place: "cases", View: view}
}

func (s *site) handlingView(r *http.Request, v visitor, id casefile.CaseID) (handlingView, error) {
	f, err := s.desk.Case(v.Officer, id)
	if err != nil {
		return handlingView{}, err
	}
	chosen, err := s.chosenIn(r, v, id)
	if err != nil {
		return handlingView{}, err
	}
	if len(chosen) == 0 {
		return handlingView{}, errNoneTicked
	}
	view := handlingView{
		Path: casePath(id), Number: f.Number, Back: partPath(id, afterIn(r)), After: afterIn(r), Do: r.PostForm.Get("do"), All: r.PostForm.Get("all") != "",
		Count: pages.Many(len(chosen), "identifier", "identifiers"),
	}
	switch view.Do {
	case doShare:
		view.Heading, view.Audience = "Change who may learn of "+view.Count, s.audienceChoices(r.PostForm)
	case doWithdraw:
		view.Heading = "Withdraw " + view.Count + "?"
	case doPurge:
		view.Heading = "Purge " + view.Count + "?"
	default:
		return handlingView{}, pages.ErrBrokenForm
	}
	for _, i := range chosen[:min(len(chosen), shownChosen)] {
		view.Shown = append(view.Shown, chosenLine{Kind: kindName(i.Kind()), Value: i.Value()})
	}
	if rest := len(chosen) - shownChosen; rest > 0 {
		view.More = pages.Grouped(rest)
	}
	if !view.All {
		view.Keys = r.PostForm["id"]
	}
	return view, nil
}

// errNoneTicked is a form without an identifier.
var errNoneTicked = &casefile.Sentence{Text: "No identifier is ticked.", Hint: "Tick those that you mean, or all of the case, and press the button again."}

// handle does what the officer was asked about.
func (s *site) handle(w http.ResponseWriter, r *http.Request, v visitor) error {
	id, err := longCaseForm(w, r)
	if err != nil {
		return err
	}
	chosen, err := s.chosenIn(r, v, id)
	if err == nil {
		err = s.carryOut(w, r, v, id, chosen)
	}
	if err != nil {
		return s.handlingAgain(w, r, v, id, err)
	}
	return goTo(w, r, partPath(id, afterIn(r)))
}

func (s *site) carryOut(w http.ResponseWriter, r *http.Request, v visitor, id casefile.CaseID, chosen []identifier.Identifier) error {
	switch do := r.PostForm.Get("do"); do {
	case doShare:
		to, err := sharingOf(r.PostForm)
		if err == nil {
			err = s.desk.Handle(r.Context(), v.Officer, id, chosen, to)
		}
		if err != nil {
			return err
		}
		s.giveHandled(w, answerHandled, len(chosen))
	case doWithdraw:
		if err := s.desk.Handle(r.Context(), v.Officer, id, chosen, casefile.Sharing{Way: casefile.Withdrawn}); err != nil {
			return err
		}
		s.giveHandled(w, answerWithdrawn, len(chosen))
	case doPurge:
		if err := s.desk.Purge(r.Context(), v.Officer, id, chosen); err != nil {
			return err
		}
		s.giveHandled(w, answerPurged, len(chosen))
	default:
		return pages.ErrBrokenForm
	}
	return nil
}

// handlingAgain asks once more, with what is wrong.
func (s *site) handlingAgain(w http.ResponseWriter, r *http.Request, v visitor, id casefile.CaseID, err error) error {
	view, missing := s.handlingView(r, v, id)
	if missing != nil {
		return err
	}
	return s.again(w, r, v, err, "handling", func(n notice) shell {
		view.Problem = &n
		return handlingShell(view)
	})
}

// toCase leads from an address that only forms are sent to back to its case.
func (s *site) toCase(w http.ResponseWriter, r *http.Request, _ visitor) error {
	id, err := caseOf(r)
	if err != nil {
		return err
	}
	return goTo(w, r, casePath(id))
}
