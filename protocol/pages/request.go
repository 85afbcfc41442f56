package pages

import (
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// ByScript reports whether htmx sent r, and wants a part of a page.
func ByScript(r *http.Request) bool { return r.Header.Get("HX-Request") == "true" }

// GoTo leads on to another page after a form.
func GoTo(w http.ResponseWriter, r *http.Request, path string) {
	if ByScript(r) {
		w.Header().Set("HX-Redirect", path)
		w.WriteHeader(http.StatusNoContent)
		return
	}
	http.Redirect(w, r, path, http.StatusSeeOther)
}

// ErrBrokenForm is a form that could not be read to its end.
var ErrBrokenForm = errors.New("form not readable")

// ReadForm reads a form that is no upload. Errors: ErrBrokenForm, and an
// *http.MaxBytesError.
func ReadForm(r *http.Request) error {
	var tooLarge *http.MaxBytesError
	err := r.ParseForm()
	switch {
	case err == nil:
		return nil
	case errors.As(err, &tooLarge):
		return err
	}
	return errors.Join(ErrBrokenForm, err)
}

// Client returns where r comes from, for counting: the client's address, or
// what a trusted proxy says it is; of IPv6 the network of one subscriber.
func Client(r *http.Request, proxy netip.Prefix) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	address, err := netip.ParseAddr(host)
	if err != nil {
		return host
	}
	if proxy.IsValid() && proxy.Contains(address.Unmap()) {
		list := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
		if said, err := netip.ParseAddr(strings.TrimSpace(list[len(list)-1])); err == nil {
			address = said
		}
	}
	address = address.Unmap().WithZone("")
	if address.Is6() {
		if network, err := address.Prefix(64); err == nil {
			return network.String()
		}
	}
	return address.String()
}

// SignInPath is the sign-in that leads back to a page.
func SignInPath(back string) string {
	if back == "/" {
		return "/sign-in"
	}
	return "/sign-in?" + url.Values{"next": {back}}.Encode()
}

// LocalPath returns where to go after the sign-in: a page of this server that is
// none of those, or the first one.
func LocalPath(next string, none ...string) string {
	u, err := url.Parse(next)
	switch {
	case err != nil, u.Scheme != "", u.Host != "", u.User != nil:
	case !strings.HasPrefix(next, "/"), strings.HasPrefix(next, "//"), strings.Contains(next, `\`):
	case slices.Contains(none, u.Path):
	default:
		return u.RequestURI()
	}
	return "/"
}
