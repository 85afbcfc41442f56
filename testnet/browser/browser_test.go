package browser

import (
	"fmt"
	"image/png"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const form = `<!doctype html><title>Form</title><link rel="icon" href="data:,">
<form action="/said" method="post"><input id="word" name="word" value="old"><input id="file" name="file" type="file">
<button id="go">Go</button></form><script>setTimeout(() => document.title = "Ready", 50)</script>`

func serve(t *testing.T) string {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, form) })
	mux.HandleFunc("POST /said", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprintf(w, "<p>You said\n <b>%s</b> and chose %s</p>", r.FormValue("word"), r.FormValue("file"))
	})
	mux.HandleFunc("GET /broken", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", "script-src 'none'")
		fmt.Fprint(w, form)
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.URL
}

func TestWhatIsTypedAndChosenIsSent(t *testing.T) {
	url, file := serve(t), filepath.Join(t.TempDir(), "tip.txt")
	if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	b := Open(t)
	b.Page(url)
	b.AwaitTitle("Ready")
	b.Fill("#word", "néw word")
	b.Choose("#file", file)
	b.Click("#go")
	b.AwaitText("You said néw word and chose tip.txt")

	for _, want := range []string{url + "/", url + "/said"} {
		if got := b.Requests(); !slices.Contains(got, want) {
			t.Errorf("requests %v, want %s among them", got, want)
		}
	}
	if got := b.Complaints(); len(got) != 0 {
		t.Errorf("complaints of a page without fault: %v", got)
	}
}

func TestABlockedScriptIsAComplaint(t *testing.T) {
	url := serve(t)
	b := Open(t)
	b.Page(url + "/broken")
	got := strings.Join(b.Complaints(), "\n")
	if !strings.Contains(got, "Content Security Policy") {
		t.Errorf("complaints %q, want the blocked script", got)
	}
}

func TestAPictureHasTheSizeAskedFor(t *testing.T) {
	url, path := serve(t), filepath.Join(t.TempDir(), "page.png")
	b := Open(t)
	b.Page(url)
	for _, size := range [][2]int{{1280, 800}, {390, 844}} {
		b.Screenshot(path, size[0], size[1])
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		config, err := png.DecodeConfig(f)
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		if got := [2]int{config.Width, config.Height}; err != nil || got != size {
			t.Errorf("picture of %v pixels (%v), want %v", got, err, size)
		}
	}
}
