package pages

import (
	"fmt"
	"html/template"
	"io/fs"
	"strings"
)

// Templates are those of whole pages by name, and the parts that are also sent
// by themselves.
type Templates struct {
	Whole map[string]*template.Template
	Parts *template.Template
}

// ParseTemplates reads the folder templates: parts.html holds what pages share,
// layout.html what stands around them, and every other file is a page. In them
// "asset" is the address of a file.
func ParseTemplates(files fs.FS, a Assets, more template.FuncMap) (Templates, error) {
	shared, err := template.New("").Funcs(template.FuncMap{"asset": a.Address}).Funcs(more).
		ParseFS(files, "templates/parts.html", "templates/layout.html")
	if err != nil {
		return Templates{}, fmt.Errorf("parse templates: %w", err)
	}
	entries, err := fs.ReadDir(files, "templates")
	if err != nil {
		return Templates{}, fmt.Errorf("read templates: %w", err)
	}
	p := Templates{Whole: map[string]*template.Template{}, Parts: shared}
	for _, e := range entries {
		name := strings.TrimSuffix(e.Name(), ".html")
		if name == "parts" || name == "layout" {
			continue
		}
		t, err := shared.Clone()
		if err == nil {
			t, err = t.ParseFS(files, "templates/"+e.Name())
		}
		if err != nil {
			return Templates{}, fmt.Errorf("parse template %s: %w", name, err)
		}
		p.Whole[name] = t
	}
	return p, nil
}
