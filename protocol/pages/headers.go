package pages

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"runtime/debug"
)

// policy lets a page load its own scripts, styles and pictures, talk to its
// own server, and nothing else: no inline script or style, no frame around it.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// Guard is what stands before every page: the headers that each answer carries,
// the refusal of forms that another site's page sent, and a page for a fault in
// place of a panic.
type Guard struct {
	Origin *url.URL
	Log    *slog.Logger
	Fail   func(http.ResponseWriter, *http.Request, error) // shows the page for a fault
	Refuse http.HandlerFunc                                // shows that a form came from elsewhere
}

// Handler is next behind the guard.
func (g Guard) Handler(next http.Handler) (http.Handler, error) {
	crossOrigin := http.NewCrossOriginProtection()
	if err := crossOrigin.AddTrustedOrigin(g.Origin.Scheme + "://" + g.Origin.Host); err != nil {
		return nil, fmt.Errorf("origin: %w", err)
	}
	crossOrigin.SetDenyHandler(g.Refuse)
	return g.withHeaders(g.withoutPanics(crossOrigin.Handler(next))), nil
}

func (g Guard) withHeaders(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
		h.Set("Cache-Control", "no-store")
		if g.Origin.Scheme == "https" {
			h.Set("Strict-Transport-Security", "max-age=31536000")
		}
		next.ServeHTTP(w, r)
	})
}

// withoutPanics lets http.ErrAbortHandler through: it is how a handler breaks
// an answer off.
func (g Guard) withoutPanics(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			switch p := recover(); p {
			case nil:
			case http.ErrAbortHandler:
				panic(p)
			default:
				g.Log.Error("page panicked", "route", r.Pattern, "stack", string(debug.Stack()))
				g.Fail(w, r, fmt.Errorf("panic of type %T", p))
			}
		}()
		next.ServeHTTP(w, r)
	})
}
