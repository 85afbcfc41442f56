package web

import "net/http"

func (s *site) addNote(w http.ResponseWriter, r *http.Request, v visitor) error {
	id, err := caseForm(r)
	if err != nil {
		return err
	}
	text := said(r, "note")
	if _, err := s.desk.AddNote(v.Officer, id, text); err != nil {
		return s.caseAgain(w, r, v, err, func(view *caseView, n *notice) { view.NoteProblem, view.Note = n, text })
	}
	s.giveAnswer(w, answerNote)
	return goTo(w, r, casePath(id))
}
