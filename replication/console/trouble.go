package console

import (
	"errors"
	"net/http"
	"strings"

	"interlock/protocol/pages"
	"interlock/replication/centre"
)

// errNoPage is an address that is no page of this console.
var errNoPage = errors.New("no such page")

// notice is a sentence for the operator and what to do next.
type notice struct {
	Text string
	Hint string
	Link string // where Hint leads, if anywhere
}

// sentence is what is wrong with what an operator typed.
type sentence struct{ text, hint string }

func (s *sentence) Error() string { return s.text }

// signedOutNotice answers a form that was sent after the session had ended.
var signedOutNotice = notice{
	Text: "You are signed out, so nothing was decided.",
	Hint: "Sign in again in another tab, then press the button once more: what you typed is still here.",
	Link: "/sign-in",
}

// told returns what to tell the operator about err and the status to tell it
// with. What is not the operator's to mend is logged and told in general terms.
func (c *Console) told(r *http.Request, err error) (notice, int) {
	var declined centre.Declined
	var mistake *sentence
	var silent *unanswered
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &mistake):
		return notice{Text: mistake.text, Hint: mistake.hint}, http.StatusUnprocessableEntity
	case errors.As(err, &declined):
		return notice{Text: "The registry refused: " + strings.TrimSuffix(string(declined), ".") + "."}, http.StatusUnprocessableEntity
	case errors.Is(err, errNotRight):
		return notice{
			Text: "The name, the passphrase or the code is not right.",
			Hint: "A code is good once, and for a minute: wait for the next one.",
		}, http.StatusUnprocessableEntity
	case errors.Is(err, errCrowd):
		return notice{Text: "Too many sign in at once.", Hint: "Try again in a minute."}, http.StatusServiceUnavailable
	case errors.Is(err, errNoPage), errors.Is(err, centre.ErrNoSubject):
		return notice{
			Text: "There is nothing here any more.",
			Hint: "It was decided or replaced in the meantime, or it never existed. The record says what became of it.",
		}, http.StatusNotFound
	case errors.As(err, &tooLarge):
		return notice{Text: "This is more than the console takes at once."}, http.StatusRequestEntityTooLarge
	case errors.Is(err, pages.ErrBrokenForm):
		return notice{Text: "The form did not arrive whole.", Hint: "Check the connection and send it again."}, http.StatusBadRequest
	case r.Context().Err() != nil:
		return notice{Text: "The connection ended."}, http.StatusRequestTimeout // the browser went away: nobody reads this
	case errors.As(err, &silent):
		c.log.Warn("registry does not answer", "route", r.Pattern, "fault", err)
		n := notice{Text: "No registry server answered.", Hint: "Nothing can be decided until one does. If others can work, your key is no operator’s of this network."}
		if r.Method == http.MethodPost {
			n.Hint = "It may have been taken all the same: look at it again before you repeat it."
		}
		return n, http.StatusServiceUnavailable
	}
	c.log.Error("page failed", "route", r.Pattern, "fault", err)
	return notice{
		Text: "The console could not do this.",
		Hint: "It is the console’s fault and is in its log. Try again; if it stays, tell whoever runs it.",
	}, http.StatusInternalServerError
}

// headings are the titles of pages that say what went wrong.
var headings = map[int]string{
	http.StatusBadRequest:            "That did not arrive whole",
	http.StatusForbidden:             "Not from this page",
	http.StatusNotFound:              "Not found",
	http.StatusRequestEntityTooLarge: "Too large",
	http.StatusUnprocessableEntity:   "Not done",
	http.StatusServiceUnavailable:    "The registry does not answer",
}

// fail answers a request that came to nothing.
func (c *Console) fail(w http.ResponseWriter, r *http.Request, v *visit, err error) {
	if errors.Is(err, errSignedOut) {
		c.sendToSignIn(w, r)
		return
	}
	n, status := c.told(r, err)
	c.failWith(w, r, v, status, n)
}

// failWith shows a notice as a page, or as a part where htmx asked for one.
func (c *Console) failWith(w http.ResponseWriter, r *http.Request, v *visit, status int, n notice) {
	if pages.ByScript(r) && !byItself(r) {
		c.answerProblem(w, r, status, n)
		return
	}
	title := headings[status]
	if title == "" {
		title = "Something went wrong"
	}
	if err := c.show(w, r, v, status, "trouble", shell{Title: title, View: n}); err != nil {
		c.log.Error("page for a fault failed", "route", r.Pattern, "fault", err)
		http.Error(w, n.Text+" "+n.Hint, status)
	}
}

// answerProblem sends a notice by itself, into the form that htmx sent.
func (c *Console) answerProblem(w http.ResponseWriter, r *http.Request, status int, n notice) {
	html, err := c.part("problem", n)
	if err != nil {
		c.log.Error("notice failed", "route", r.Pattern, "fault", err)
		http.Error(w, n.Text+" "+n.Hint, status)
		return
	}
	c.send(w, r, status, []byte(html))
}

// again answers a form with what is wrong with it: by htmx the sentence alone,
// which leaves the form on the screen as it is; else the page, filled in with
// what was typed.
func (c *Console) again(w http.ResponseWriter, r *http.Request, v *visit, err error, form, page string, filled func(typed) shell) error {
	if errors.Is(err, errSignedOut) {
		return err
	}
	n, status := c.told(r, err)
	if pages.ByScript(r) {
		c.answerProblem(w, r, status, n)
		return nil
	}
	sh := filled(typed{form: form, values: r.PostForm})
	sh.Problem = &n
	return c.show(w, r, v, status, page, sh)
}

// typed is what was typed into one of a page's forms.
type typed struct {
	form   string
	values map[string][]string
}

// In is what was typed into the form of this name.
func (t typed) In(form string) typed {
	if t.form != form {
		return typed{}
	}
	return t
}

// Value is what was typed into a field.
func (t typed) Value(field string) string {
	if list := t.values[field]; len(list) > 0 {
		return list[0]
	}
	return ""
}

// refuseCrossOrigin answers a form that another site's page sent.
func (c *Console) refuseCrossOrigin(w http.ResponseWriter, r *http.Request) {
	c.log.Warn("cross-origin form refused", "route", r.Pattern)
	c.failWith(w, r, nil, http.StatusForbidden, notice{
		Text: "This form came from another site, so the console did not take it.",
		Hint: "Open the console’s own page and do it there.",
	})
}

// said returns what was typed into a field on one line.
func said(r *http.Request, field string) string {
	return strings.Join(strings.Fields(r.PostFormValue(field)), " ")
}
