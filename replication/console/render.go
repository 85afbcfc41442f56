package console

import (
	"bytes"
	"embed"
	"encoding/hex"
	"fmt"
	"net/http"

	"interlock/protocol/pages"
	"interlock/replication/registry"
)

//go:embed templates/*.html
var templateFiles embed.FS

//go:embed static
var staticFiles embed.FS

// shell is what every page is drawn in.
type shell struct {
	Title    string
	Place    string // where the operator is
	Network  string
	Operator string // empty before the sign-in
	Roles    string
	Counts   counts
	Stale    string  // since when the registry has not answered, empty while it does
	Said     string  // what came of the last form
	Problem  *notice // what is wrong with the form that was just sent
	Self     string  // the page's own address
	Seen     string  // what the page shows, in short: its stream says when that is old
	View     any
}

// counts are what waits for the operator.
type counts struct{ Applications, Motions int }

// All is what waits in all.
func (c counts) All() int { return c.Applications + c.Motions }

// waiting counts what the operator could decide.
func (v *visit) waiting() counts {
	var n counts
	for _, a := range v.status.Pending {
		if v.mayApprove(a) {
			n.Applications++
		}
	}
	for _, m := range v.status.Motions {
		if v.mayDecide(m) && m.By != v.me.Name {
			n.Motions++
		}
	}
	return n
}

// part renders one part of a page.
func (c *Console) part(name string, view any) (string, error) {
	var b bytes.Buffer
	if err := c.pages.Parts.ExecuteTemplate(&b, name, view); err != nil {
		return "", fmt.Errorf("render %s: %w", name, err)
	}
	return b.String(), nil
}

// show sends a whole page. It is rendered before the first byte is sent, so
// that a fault becomes a page of its own.
func (c *Console) show(w http.ResponseWriter, r *http.Request, v *visit, status int, name string, sh shell) error {
	sh.Network = c.network
	if v != nil {
		sh.Operator, sh.Self = v.name, r.URL.RequestURI()
		if r.Method != http.MethodGet {
			sh.Self = "" // the page after a form is not fetched again: it holds what was typed
		}
	}
	if v != nil && v.status != nil {
		sh.Counts, sh.Roles = v.waiting(), rolesOf(v.me)
		seen := digest(v.status, v.stale, c.now())
		sh.Seen = hex.EncodeToString(seen[:8])
		if v.stale {
			sh.Stale = c.at(v.as).Text
		}
		if !byItself(r) {
			sh.Said = c.takeSaid(w, r)
		}
	}
	var b bytes.Buffer
	if err := c.pages.Whole[name].ExecuteTemplate(&b, "layout", sh); err != nil {
		return fmt.Errorf("render page %s: %w", name, err)
	}
	c.send(w, r, status, b.Bytes())
	return nil
}

// rolesOf are an operator's roles in words.
func rolesOf(o registry.Operator) string {
	if o.Roles == 0 {
		return "no operator of this network"
	}
	return o.Roles.String()
}

// send answers with HTML.
func (c *Console) send(w http.ResponseWriter, r *http.Request, status int, html []byte) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	c.write(w, r, html)
}

// write sends b. A browser that went away is nobody's fault, but is counted in
// the log of those who look for it.
func (c *Console) write(w http.ResponseWriter, r *http.Request, b []byte) {
	_, err := w.Write(b)
	c.undelivered(r, err)
}

// undelivered notes that an answer did not arrive, where one did not.
func (c *Console) undelivered(r *http.Request, err error) {
	if err != nil {
		c.log.Debug("answer not delivered", "route", r.Pattern, "fault", err)
	}
}

// What came of a form, as it travels to the page that the form leads to: in a
// cookie that holds one word.
var saidOf = map[string]string{
	"approved":  "Your approval is taken. A second operator’s makes it count.",
	"admitted":  "The agency is admitted: yours was the second approval.",
	"refused":   "The application is refused. The applicant reads your reason.",
	"suspended": "The agency is suspended. Every node cuts it off as soon as it has the new directory.",
	"cleared":   "The throttle is off for the rest of the day.",
	"moved":     "The motion is put. A second operator has to approve it.",
	"carried":   "The motion is carried.",
	"dropped":   "The motion is refused.",
	"withdrawn": "The motion is withdrawn.",
	"handed":    "The invitation is no longer shown here. It stays open until it is used or expires.",
}

// goTo leads on to another page after a form.
func (c *Console) goTo(w http.ResponseWriter, r *http.Request, path, said string) error {
	if said != "" {
		http.SetCookie(w, c.cookies.Cookie(c.cookies.said, said))
	}
	pages.GoTo(w, r, path)
	return nil
}

// takeSaid returns what the last form came to, once.
func (c *Console) takeSaid(w http.ResponseWriter, r *http.Request) string {
	cookie, err := r.Cookie(c.cookies.said)
	if err != nil {
		return ""
	}
	c.cookies.Take(w, c.cookies.said)
	return saidOf[cookie.Value]
}
