package web

import (
	"bytes"
	"embed"
	"fmt"
	"net/http"

	"interlock/node/casefile"
	"interlock/protocol/pages"
)

//go:embed templates/*.html
var templateFiles embed.FS

//go:embed static
var staticFiles embed.FS

// shell is what every page is drawn in.
type shell struct {
	Title    string
	Place    string // where the officer is: "cases", "alerts", "common" or "network"
	Agency   string
	Officer  string // empty before the sign-in
	HasCases bool   // false for administrators
	Unseen   count
	Stream   string // address of the page's events
	View     any
}

// count is a number of unseen alerts in the bar and in the title.
type count struct{ Number int }

// part renders one part of a page.
func (s *site) part(name string, view any) (string, error) {
	var b bytes.Buffer
	if err := s.pages.Parts.ExecuteTemplate(&b, name, view); err != nil {
		return "", fmt.Errorf("render %s: %w", name, err)
	}
	return b.String(), nil
}

// show sends a whole page. It is rendered before the first byte is sent, so
// that a fault becomes a page of its own.
func (s *site) show(w http.ResponseWriter, r *http.Request, v visitor, status int, name string, sh shell) error {
	sh.Agency = s.desk.Agency().Name
	if v.Name != "" {
		sh.Officer, sh.HasCases = v.FullName, v.Role != casefile.Administrator
		if sh.Officer == "" {
			sh.Officer = string(v.Name)
		}
		unseen, err := s.desk.Unseen(v.Officer)
		if err != nil {
			return fmt.Errorf("count alerts: %w", err)
		}
		sh.Unseen = count{unseen}
		if sh.Stream == "" {
			sh.Stream = "/events"
		}
	}
	var b bytes.Buffer
	if err := s.pages.Whole[name].ExecuteTemplate(&b, "layout", sh); err != nil {
		return fmt.Errorf("render page %s: %w", name, err)
	}
	s.send(w, r, status, b.Bytes())
	return nil
}

// send answers with HTML.
func (s *site) send(w http.ResponseWriter, r *http.Request, status int, html []byte) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	s.write(w, r, html)
}

// write sends b. A browser that went away is nobody's fault, but is counted
// in the log of those who look for it.
func (s *site) write(w http.ResponseWriter, r *http.Request, b []byte) {
	_, err := w.Write(b)
	s.undelivered(r, err)
}

// undelivered notes that an answer did not arrive, where one did not.
func (s *site) undelivered(r *http.Request, err error) {
	if err != nil {
		s.log.Debug("answer not delivered", "route", r.Pattern, "fault", err)
	}
}

// goTo leads on to another page after a form.
func goTo(w http.ResponseWriter, r *http.Request, path string) error {
	pages.GoTo(w, r, path)
	return nil
}
