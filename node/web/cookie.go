package web

import (
	"net/http"

	"interlock/node/desk"
	"interlock/protocol/pages"
)

// sessionOf reads the session out of r.
func (s *site) sessionOf(r *http.Request) (desk.Session, bool) {
	t, ok := s.cookies.Ticket(r, s.cookies.Prefix)
	return desk.Session(t), ok
}

// give makes the browser hold the session until it is closed; the desk ends
// it sooner.
func (s *site) give(w http.ResponseWriter, session desk.Session) {
	s.cookies.Give(w, s.cookies.Prefix, pages.Ticket(session))
}

// take makes the browser forget the session.
func (s *site) take(w http.ResponseWriter) { s.cookies.Take(w, s.cookies.Prefix) }
