package console

import (
	"net/url"

	"interlock/protocol/pages"
)

// ticket is what a browser holds of a session. The console keeps its hash.
type ticket = pages.Ticket

// cookies is how tickets travel, and under which names.
type cookies struct {
	pages.Cookies
	session, enrolment, said string
}

func cookiesFor(origin *url.URL) (cookies, error) {
	c, err := pages.CookiesFor(origin, "interlock-console")
	return cookies{c, c.Prefix, c.Prefix + "-enrol", c.Prefix + "-said"}, err
}
