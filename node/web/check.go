package web

import (
	"errors"
	"fmt"
	"net/http"

	"interlock/node/casefile"
	"interlock/node/desk"
	"interlock/node/intake"
	"interlock/protocol/pages"
)

// checkView is what was found, before it is saved.
type checkView struct {
	Path, Number string
	Drafts       []draftView
	Found        string
	Audience     audienceView // of what is new
	Common       string       // how many of them many people share; empty for none
	Problem      *notice
}

// draftView is what was found in one file or text.
type draftView struct {
	ID, Source string
	Summary    string
	Lines      []draftLine
	More       string // how many are not shown
	Problems   []string
	IsText     bool // saved as a note as well
}

// draftLine is one distinct identifier that was found.
type draftLine struct {
	Key         string // names it in the form
	Kind, Value string
	Line, Count string
	Held        bool
	Left        bool   // out, by the officer
	Says, List  string // why it is common, and which list says so
}

// shownLines is how many identifiers of one draft are shown.
const shownLines = 1000

// shownProblems is how many sentences about one file are shown.
const shownProblems = 100

func (s *site) checkPage(w http.ResponseWriter, r *http.Request, v visitor) error {
	id, err := caseOf(r)
	if err != nil {
		return err
	}
	view, err := s.checkView(v, id, r.URL.Query()["draft"], nil)
	if errors.Is(err, errAllGone) {
		s.giveAnswer(w, answerGone)
		return goTo(w, r, casePath(id))
	}
	if err != nil {
		return err
	}
	return s.show(w, r, v, http.StatusOK, "check", checkShell(view))
}

func checkShell(view checkView) shell {
	return shell{Title: "Look through what was found", Place: "cases", View: view}
}

// errAllGone is a form whose drafts were all saved or discarded before.
var errAllGone = errors.New("no such drafts")

// checkView shows the drafts that are still there, with left ticked.
func (s *site) checkView(v visitor, id casefile.CaseID, names []string, left map[string]bool) (checkView, error) {
	f, err := s.desk.Case(v.Officer, id)
	if err != nil {
		return checkView{}, err
	}
	view := checkView{Path: casePath(id), Number: f.Number}
	total, common := 0, 0
	for _, name := range names[:min(len(names), maxFiles+1)] {
		of, err := desk.ParseDraftID(name)
		if err != nil {
			continue
		}
		d, err := s.desk.OpenDraft(v.Officer, id, of)
		if errors.Is(err, desk.ErrNotFound) {
			continue
		}
		if err != nil {
			return checkView{}, err
		}
		total += len(d.Lines)
		common += len(commonLines(d))
		view.Drafts = append(view.Drafts, draftOf(d, left))
	}
	if len(view.Drafts) == 0 {
		return checkView{}, errAllGone
	}
	view.Audience = s.audienceChoices(nil)
	view.Found = pages.Many(total, "identifier", "identifiers")
	if common > 0 {
		view.Common = pages.Many(common, "common value", "common values")
	}
	return view, nil
}

// commonLines are the lines of a draft that a warn list has.
func commonLines(d desk.Draft) (lines []int) {
	for n, l := range d.Lines {
		if l.Warning.List != "" {
			lines = append(lines, n)
		}
	}
	return lines
}

func draftOf(d desk.Draft, left map[string]bool) draftView {
	view := draftView{ID: d.ID.String(), Source: d.Source.Name, IsText: d.Text != ""}
	held := 0
	for i, l := range d.Lines {
		if l.AlreadyHeld {
			held++
		}
		if i >= shownLines {
			continue
		}
		key := fmt.Sprintf("%s:%d", d.ID, i)
		line := draftLine{
			Key: key, Kind: kindName(l.Identifier.Kind()), Value: l.Identifier.Value(),
			Line: pages.Grouped(l.First), Held: l.AlreadyHeld, Left: left[key],
			Says: l.Warning.Says, List: l.Warning.Source,
		}
		if l.Count > 1 {
			line.Count = pages.Grouped(l.Count) + " times"
		}
		view.Lines = append(view.Lines, line)
	}
	view.Summary = pages.Many(len(d.Lines), "identifier", "identifiers")
	if held > 0 {
		view.Summary += ", " + pages.Grouped(held) + " already held by this case"
	}
	if rest := len(d.Lines) - shownLines; rest > 0 {
		view.More = pages.Grouped(rest)
	}
	view.Problems = problems(d.Problems)
	return view
}

// problems are what a reader did not understand, each with its line.
func problems(list []intake.Problem) []string {
	var lines []string
	for i, p := range list {
		if i == shownProblems {
			return append(lines, "And "+pages.Many(len(list)-i, "other place", "other places")+" like these.")
		}
		if p.Line > 0 {
			lines = append(lines, fmt.Sprintf("Line %s: %s", pages.Grouped(p.Line), p.Sentence))
		} else {
			lines = append(lines, p.Sentence)
		}
	}
	return lines
}
