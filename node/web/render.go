package web

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"net/http"
	"strings"

	"interlock/node/casefile"
)

//go:embed templates/*.html
var templateFiles embed.FS

// pages are the templates of whole pages by name, and the parts that are also
// sent by themselves.
type pages struct {
	whole map[string]*template.Template
	parts *template.Template
}

// parsePages reads templates/: parts.html holds what pages share, layout.html
// what stands around them, and every other file is a page.
func parsePages(a assets) (pages, error) {
	shared, err := template.New("").Funcs(template.FuncMap{"asset": a.address}).
		ParseFS(templateFiles, "templates/parts.html", "templates/layout.html")
	if err != nil {
		return pages{}, fmt.Errorf("parse templates: %w", err)
	}
	entries, err := templateFiles.ReadDir("templates")
	if err != nil {
		return pages{}, fmt.Errorf("read templates: %w", err)
	}
	p := pages{whole: map[string]*template.Template{}, parts: shared}
	for _, e := range entries {
		name := strings.TrimSuffix(e.Name(), ".html")
		if name == "parts" || name == "layout" {
			continue
		}
		t, err := shared.Clone()
		if err == nil {
			t, err = t.ParseFS(templateFiles, "templates/"+e.Name())
		}
		if err != nil {
			return pages{}, fmt.Errorf("parse template %s: %w", name, err)
		}
		p.whole[name] = t
	}
	return p, nil
}

// shell is what every page is drawn in.
type shell struct {
	Title    string
	Place    string // "cases", "alerts", "network": where the officer is
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
	if err := s.pages.parts.ExecuteTemplate(&b, name, view); err != nil {
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
	if err := s.pages.whole[name].ExecuteTemplate(&b, "layout", sh); err != nil {
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
	if _, err := w.Write(b); err != nil {
		s.log.Debug("answer not delivered", "route", r.Pattern, "fault", err)
	}
}

// byScript reports whether htmx sent r, and waits for a part and not a page.
func byScript(r *http.Request) bool { return r.Header.Get("HX-Request") == "true" }

// goTo leads on to another page after a form.
func goTo(w http.ResponseWriter, r *http.Request, path string) error {
	if byScript(r) {
		w.Header().Set("HX-Redirect", path)
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	http.Redirect(w, r, path, http.StatusSeeOther)
	return nil
}
