package web

import (
	"errors"
	"net/http"
	"strconv"
	"strings"

	"interlock/node/alert"
	"interlock/node/casefile"
	"interlock/node/desk"
	"interlock/protocol/pages"
)

// saveChecked saves what the officer looked at, or discards it.
func (s *site) saveChecked(w http.ResponseWriter, r *http.Request, v visitor) error {
	id, err := longCaseForm(w, r)
	if err != nil {
		return err
	}
	names := r.PostForm["draft"]
	if len(names) > maxFiles+1 {
		return pages.ErrBrokenForm
	}
	if r.PostFormValue("do") == "drop" {
		err = s.drop(w, v, id, names)
	} else {
		err = s.save(w, r, v, id, names)
	}
	if errors.Is(err, errAllGone) {
		s.giveAnswer(w, answerGone)
		err = nil
	}
	if err != nil {
		return s.checkAgain(w, r, v, id, err)
	}
	return goTo(w, r, casePath(id))
}

// checkAgain shows what is still to be saved, with the officer's ticks.
func (s *site) checkAgain(w http.ResponseWriter, r *http.Request, v visitor, id casefile.CaseID, err error) error {
	left := map[string]bool{}
	for _, key := range r.PostForm["leave"] {
		left[key] = true
	}
	view, missing := s.checkView(v, id, r.PostForm["draft"], left)
	if missing != nil {
		return err
	}
	return s.again(w, r, v, err, "check", func(n notice) shell {
		view.Problem, view.Audience = &n, s.audienceChoices(r.PostForm)
		return checkShell(view)
	})
}

// save takes the drafts into the case one after another. Each is saved whole
// or not at all; after a fault the same form saves those that are left.
func (s *site) save(w http.ResponseWriter, r *http.Request, v visitor, id casefile.CaseID, names []string) error {
	sharing, err := sharingOf(r.PostForm)
	if err != nil {
		return err
	}
	before, err := s.grounds(v, id)
	if err != nil {
		return err
	}
	leave := leftOut(r.PostForm["leave"])
	withoutCommon := r.PostFormValue("do") == "save-rare"
	var sum desk.Saved
	saved := 0
	for _, name := range names {
		of, err := desk.ParseDraftID(name)
		if err != nil {
			continue
		}
		if withoutCommon {
			d, err := s.desk.OpenDraft(v.Officer, id, of)
			if err != nil && !errors.Is(err, desk.ErrNotFound) {
				return err
			}
			leave[name] = append(leave[name], commonLines(d)...)
		}
		one, err := s.desk.Save(r.Context(), v.Officer, id, of, leave[name], sharing)
		if errors.Is(err, desk.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		saved++
		sum.Added, sum.Already, sum.Waiting = sum.Added+one.Added, sum.Already+one.Already, sum.Waiting+one.Waiting
	}
	if saved == 0 {
		return errAllGone
	}
	after, err := s.grounds(v, id)
	if err != nil {
		return err
	}
	s.giveSaved(w, sum, grown(before, after))
	return nil
}

func (s *site) drop(w http.ResponseWriter, v visitor, id casefile.CaseID, names []string) error {
	for _, name := range names {
		of, err := desk.ParseDraftID(name)
		if err != nil {
			continue
		}
		if err := s.desk.DropDraft(v.Officer, id, of); err != nil && !errors.Is(err, desk.ErrNotFound) {
			return err
		}
	}
	s.giveAnswer(w, answerDropped)
	return nil
}

// leftOut reads which lines of which draft the officer ticked.
func leftOut(keys []string) map[string][]int {
	leave := map[string][]int{}
	for _, key := range keys {
		draft, index, _ := strings.Cut(key, ":")
		if n, err := strconv.Atoi(index); err == nil {
			leave[draft] = append(leave[draft], n)
		}
	}
	return leave
}

// grounds counts what each alert of a case stands on.
func (s *site) grounds(v visitor, id casefile.CaseID) (map[alert.ID]int, error) {
	f, err := s.desk.Case(v.Officer, id)
	if err != nil {
		return nil, err
	}
	counts := make(map[alert.ID]int, len(f.Alerts))
	for _, a := range f.Alerts {
		counts[a.ID] = a.Total
	}
	return counts, nil
}

// grown counts the alerts that are new or stand on more than before.
func grown(before, after map[alert.ID]int) int {
	n := 0
	for id, grounds := range after {
		if grounds > before[id] {
			n++
		}
	}
	return n
}
