package web

import "testing"

func TestOnlyPagesOfThisSiteAreGoneBackTo(t *testing.T) {
	for next, want := range map[string]string{
		"/cases/1":                    "/cases/1",
		"/cases/1/check?draft=ab&x=1": "/cases/1/check?draft=ab&x=1",
		"/alerts#x":                   "/alerts",
		"":                            "/",
		"/":                           "/",
		"https://elsewhere.example/":  "/",
		"//elsewhere.example/":        "/",
		"///elsewhere.example/":       "/",
		`/\elsewhere.example`:         "/",
		`\\elsewhere.example`:         "/",
		"/\t/elsewhere.example":       "/",
		"\t//elsewhere.example":       "/",
		"javascript:alert(1)":         "/",
		"http:cases":                  "/",
		"cases":                       "/",
		"/%":                          "/",
		"/sign-in":                    "/",
		"/sign-out":                   "/",
		"/events?inbox=1":             "/",
	} {
		if got := localPath(next); got != want {
			t.Errorf("after the sign-in with next=%q: %s, want %s", next, got, want)
		}
	}
}
