package console

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"net/http"
	"path"
)

//go:embed static/*.css static/*.js static/*.svg static/*.LICENSE
var staticFiles embed.FS

// asset is one embedded file as the browser gets it.
type asset struct {
	body    []byte
	kind    string // Content-Type
	version string // from the content: a changed file has another address
}

// assets are the embedded files by name.
type assets map[string]asset

func readAssets() (assets, error) {
	kinds := map[string]string{
		".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8",
		".svg": "image/svg+xml", ".LICENSE": "text/plain; charset=utf-8",
	}
	entries, err := staticFiles.ReadDir("static")
	if err != nil {
		return nil, fmt.Errorf("read embedded files: %w", err)
	}
	all := assets{}
	for _, e := range entries {
		body, err := staticFiles.ReadFile("static/" + e.Name())
		if err != nil {
			return nil, fmt.Errorf("read embedded file: %w", err)
		}
		sum := sha256.Sum256(body)
		all[e.Name()] = asset{body, kinds[path.Ext(e.Name())], hex.EncodeToString(sum[:6])}
	}
	return all, nil
}

// address is what pages write to load the file.
func (a assets) address(name string) (string, error) {
	file, ok := a[name]
	if !ok {
		return "", fmt.Errorf("no embedded file %s", name)
	}
	return "/static/" + name + "?v=" + file.version, nil
}

// static serves an embedded file. Under the address of its own version it may
// be kept, as it never changes there.
func (c *Console) static(w http.ResponseWriter, r *http.Request) {
	file, ok := c.assets[r.PathValue("name")]
	if !ok {
		c.fail(w, r, nil, errNoPage)
		return
	}
	h := w.Header()
	h.Set("Content-Type", file.kind)
	h.Set("ETag", `"`+file.version+`"`)
	h.Set("Cache-Control", "no-cache")
	if r.URL.RawQuery == "v="+file.version {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	if r.Header.Get("If-None-Match") == h.Get("ETag") {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	c.write(w, r, file.body)
}
