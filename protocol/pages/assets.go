package pages

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"path"
)

//go:embed static
var common embed.FS

// asset is one embedded file as the browser gets it.
type asset struct {
	body    []byte
	kind    string // Content-Type
	version string // from the content: a changed file has another address
}

// Assets are embedded files by name.
type Assets map[string]asset

// ReadAssets returns what all pages have, and the files in own's folder static.
func ReadAssets(own fs.FS) (Assets, error) {
	all := Assets{}
	return all, errors.Join(all.read(common), all.read(own))
}

func (a Assets) read(from fs.FS) error {
	kinds := map[string]string{
		".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8",
		".svg": "image/svg+xml", ".LICENSE": "text/plain; charset=utf-8",
	}
	entries, err := fs.ReadDir(from, "static")
	if err != nil {
		return fmt.Errorf("read embedded files: %w", err)
	}
	for _, e := range entries {
		body, err := fs.ReadFile(from, "static/"+e.Name())
		if err != nil {
			return fmt.Errorf("read embedded file: %w", err)
		}
		kind, known := kinds[path.Ext(e.Name())]
		if _, twice := a[e.Name()]; twice || !known {
			return fmt.Errorf("embedded file %s: of an unknown kind, or twice", e.Name())
		}
		sum := sha256.Sum256(body)
		a[e.Name()] = asset{body, kind, hex.EncodeToString(sum[:6])}
	}
	return nil
}

// Address is what pages write to load the file.
func (a Assets) Address(name string) (string, error) {
	file, ok := a[name]
	if !ok {
		return "", fmt.Errorf("no embedded file %s", name)
	}
	return "/static/" + name + "?v=" + file.version, nil
}

// Serve answers with the file that the pattern's {name} names, and reports
// whether there is one. Under the address of its own version it may be kept, as
// it never changes there.
func (a Assets) Serve(w http.ResponseWriter, r *http.Request) (found bool, err error) {
	file, ok := a[r.PathValue("name")]
	if !ok {
		return false, nil
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
		return true, nil
	}
	_, err = w.Write(file.body)
	return true, err
}
