package control

import (
	"context"
	"net/http"

	"interlock/node/casefile"
	"interlock/node/commons"
	"interlock/node/desk"
	"interlock/protocol/identifier"
)

// maxList bounds a request that carries a warn list, with what JSON escapes.
const maxList = 2 * commons.MaxText

// warnList is a list to be loaded, or to be dropped.
type warnList struct{ Name, Text string }

// valueAsked is an identifier in its stored form.
type valueAsked struct{ Identifier []byte }

// serveCommons answers about values that many people share.
func serveCommons(mux *http.ServeMux, d *desk.Desk) {
	mux.HandleFunc("GET /commons", func(w http.ResponseWriter, _ *http.Request) {
		list, err := d.WarnLists()
		answer(w, list, err)
	})
	mux.HandleFunc("POST /commons", func(w http.ResponseWriter, r *http.Request) {
		var l warnList
		if !readAtMost(w, r, maxList, &l) {
			return
		}
		about, err := d.LoadWarnList(l.Name, l.Text)
		answer(w, about, err)
	})
	mux.HandleFunc("POST /commons/drop", func(w http.ResponseWriter, r *http.Request) {
		var l warnList
		if !read(w, r, &l) {
			return
		}
		answer(w, struct{}{}, d.DropWarnList(l.Name))
	})
	mux.HandleFunc("POST /commons/tags", func(w http.ResponseWriter, r *http.Request) {
		var v valueAsked
		if !read(w, r, &v) {
			return
		}
		i, err := identifier.Decode(v.Identifier)
		if err != nil {
			answer(w, nil, &casefile.Sentence{Text: "This is no identifier that the node knows the form of."})
			return
		}
		tags, err := d.MuteTags(i)
		answer(w, tags, err)
	})
}

// WarnLists returns what every warn list says of itself.
func (c *Client) WarnLists(ctx context.Context) (list []commons.About, err error) {
	return list, c.call(ctx, http.MethodGet, "/commons", nil, &list)
}

// LoadWarnList takes a warn list of the agency's own.
func (c *Client) LoadWarnList(ctx context.Context, name, text string) (about commons.About, err error) {
	return about, c.call(ctx, http.MethodPost, "/commons", warnList{name, text}, &about)
}

// DropWarnList forgets a warn list of the agency's own.
func (c *Client) DropWarnList(ctx context.Context, name string) error {
	return c.call(ctx, http.MethodPost, "/commons/drop", warnList{Name: name}, &struct{}{})
}

// MuteTags returns what the network mutes an identifier by.
func (c *Client) MuteTags(ctx context.Context, i identifier.Identifier) (tags []desk.MuteTag, err error) {
	b, err := i.MarshalBinary()
	if err != nil {
		return nil, err
	}
	return tags, c.call(ctx, http.MethodPost, "/commons/tags", valueAsked{b}, &tags)
}
