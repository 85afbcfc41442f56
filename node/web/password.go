package web

import (
	"net/http"

	"interlock/node/casefile"
	"interlock/protocol/pages"
)

// passwordView is the form that changes the officer's own password. Passwords
// are the one thing that is not filled in again.
type passwordView struct {
	Name    casefile.OfficerName
	Problem *notice
}

func (s *site) passwordPage(w http.ResponseWriter, r *http.Request, v visitor) error {
	return s.show(w, r, v, http.StatusOK, "password", shell{Title: "Password", View: passwordView{Name: v.Name}})
}

// changePassword ends every session of the officer, this one too. The streams
// of the others end at their next event or heartbeat.
func (s *site) changePassword(w http.ResponseWriter, r *http.Request, v visitor) error {
	if err := pages.ReadForm(r); err != nil {
		return err
	}
	err := s.newPassword(r, v)
	if err != nil {
		return s.again(w, r, v, err, "password", func(n notice) shell {
			return shell{Title: "Password", View: passwordView{v.Name, &n}}
		})
	}
	s.streams.end(v.session)
	s.take(w)
	return goTo(w, r, "/sign-in")
}

func (s *site) newPassword(r *http.Request, v visitor) error {
	// Whoever took over a session could guess at the old password here.
	if s.gate.waitToChange(v.Name, s.now()) > 0 {
		return &casefile.Sentence{Text: "There were too many tries.", Hint: "Wait a minute and try again."}
	}
	if r.PostFormValue("new") != r.PostFormValue("repeat") {
		return &casefile.Sentence{Text: "The new password and its repetition differ.", Hint: "Type both again."}
	}
	return s.desk.ChangePassword(v.Officer, r.PostFormValue("old"), r.PostFormValue("new"))
}
