package web

import (
	"errors"
	"net/http"
	"strings"

	"interlock/node/casefile"
	"interlock/node/desk"
	"interlock/protocol/pages"
)

// errNoPage is an address that is no page of this site.
var errNoPage = errors.New("no such page")

// notice is a sentence for the officer and what to do next.
type notice struct {
	Text string
	Hint string
	Link string // where Hint leads, if anywhere
}

// signedOutNotice answers a form that was sent after the session had ended.
var signedOutNotice = notice{
	Text: "You are signed out, so this was not saved.",
	Hint: "Sign in again in another tab, then press the button once more: what you typed is still here.",
	Link: "/sign-in",
}

// told returns what to tell the officer about err and the status to tell it
// with. What is not the officer's to mend is logged and told in general terms.
func (s *site) told(r *http.Request, err error) (notice, int) {
	var sentence *casefile.Sentence
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &sentence):
		return notice{Text: sentence.Text, Hint: sentence.Hint}, http.StatusUnprocessableEntity
	case errors.Is(err, desk.ErrNotFound), errors.Is(err, errNoPage):
		return notice{
			Text: "There is nothing here for you.",
			Hint: "It may not exist, or it may belong to a case that you do not work. Ask your supervisor if you should.",
		}, http.StatusNotFound
	case errors.As(err, &tooLarge):
		return notice{
			Text: "This is more than the node takes at once.",
			Hint: "One upload may have " + megabytes(MaxUpload) + ", all files together. Split it, and hand the parts in one after another.",
		}, http.StatusRequestEntityTooLarge
	case errors.Is(err, pages.ErrBrokenForm):
		return notice{
			Text: "The form did not arrive whole.",
			Hint: "Check the connection and send it again.",
		}, http.StatusBadRequest
	case r.Context().Err() != nil:
		// The browser went away: nobody reads this.
		return notice{Text: "The connection ended."}, http.StatusRequestTimeout
	}
	s.log.Error("page failed", "route", r.Pattern, "fault", err)
	return notice{
		Text: "The node could not do this.",
		Hint: "It is the node's fault and is in its log. Try again; if it stays, tell the node's administrator.",
	}, http.StatusInternalServerError
}

// headings are the titles of pages that say what went wrong.
var headings = map[int]string{
	http.StatusBadRequest:            "That did not arrive whole",
	http.StatusForbidden:             "Not from this page",
	http.StatusNotFound:              "Not found",
	http.StatusRequestEntityTooLarge: "Too large",
	http.StatusTooManyRequests:       "Too many tries",
	http.StatusUnprocessableEntity:   "Not done",
}

// fail answers a request that came to nothing.
func (s *site) fail(w http.ResponseWriter, r *http.Request, v visitor, err error) {
	if errors.Is(err, desk.ErrSignedOut) {
		s.sendToSignIn(w, r)
		return
	}
	n, status := s.told(r, err)
	s.failWith(w, r, v, status, n)
}

// failWith shows a notice as a page, or as a part where htmx asked for one.
func (s *site) failWith(w http.ResponseWriter, r *http.Request, v visitor, status int, n notice) {
	if pages.ByScript(r) {
		s.answerProblem(w, r, status, n)
		return
	}
	title := headings[status]
	if title == "" {
		title = "Something went wrong"
	}
	sh := shell{Title: title, View: n}
	if err := s.show(w, r, v, status, "trouble", sh); err != nil {
		s.log.Error("page for a fault failed", "route", r.Pattern, "fault", err)
		http.Error(w, n.Text+" "+n.Hint, status)
	}
}

// answerProblem sends a notice by itself, into the form that htmx sent.
func (s *site) answerProblem(w http.ResponseWriter, r *http.Request, status int, n notice) {
	html, err := s.part("problem", n)
	if err != nil {
		s.log.Error("notice failed", "route", r.Pattern, "fault", err)
		http.Error(w, n.Text+" "+n.Hint, status)
		return
	}
	s.send(w, r, status, []byte(html))
}

// again answers a form with what is wrong with it: by htmx the sentence alone,
// which leaves the form on the screen as it is; else the page, filled in with
// what was typed.
func (s *site) again(w http.ResponseWriter, r *http.Request, v visitor, err error, page string, filled func(notice) shell) error {
	if errors.Is(err, desk.ErrNotFound) || errors.Is(err, desk.ErrSignedOut) {
		return err
	}
	n, status := s.told(r, err)
	if pages.ByScript(r) {
		s.answerProblem(w, r, status, n)
		return nil
	}
	return s.show(w, r, v, status, page, filled(n))
}

// refuseCrossOrigin answers a form that another site's page sent.
func (s *site) refuseCrossOrigin(w http.ResponseWriter, r *http.Request) {
	s.log.Warn("cross-origin form refused", "route", r.Pattern)
	s.failWith(w, r, visitor{}, http.StatusForbidden, notice{
		Text: "This form came from another site, so the node did not take it.",
		Hint: "Open the node's own page and do it there.",
	})
}

// said returns what was typed into a field, with line ends as a file has them.
func said(r *http.Request, field string) string {
	return strings.ReplaceAll(r.PostFormValue(field), "\r\n", "\n")
}
