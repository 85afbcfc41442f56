package console

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"

	"interlock/protocol/pages"
	"interlock/replication/centre"
	"interlock/replication/registry"
)

// motionLine is one motion in the list.
type motionLine struct {
	Title, By, Reason string
	At                pages.Moment
	Path              string
	Own, Mine         bool // put by this operator; waits for this operator
}

// motionView is one motion, to be decided upon.
type motionView struct {
	motionLine
	described
	May  bool
	Role string // that it takes
	Form typed
}

func motionPath(m centre.Motion) string { return fmt.Sprintf("/motions/%d", m.Number) }

// roleFor is the role that a motion takes.
func roleFor(m centre.Motion) registry.Role {
	if m.What.GetAgency() != nil {
		return registry.Admission
	}
	return registry.Operations
}

func (v *visit) mayDecide(m centre.Motion) bool { return v.may(roleFor(m)) }

func (c *Console) motionLine(v *visit, m centre.Motion) motionLine {
	own := m.By == v.me.Name
	return motionLine{
		Title: titleOf(v.status, m.What), By: m.By, Reason: m.Reason, At: c.ago(m.At), Path: motionPath(m),
		Own: own, Mine: !own && v.mayDecide(m),
	}
}

func (c *Console) motions(w http.ResponseWriter, r *http.Request, v *visit) error {
	var view struct {
		Lines []motionLine
		May   bool
	}
	view.May = v.may(registry.Admission | registry.Operations)
	for _, m := range v.status.Motions {
		view.Lines = append(view.Lines, c.motionLine(v, m))
	}
	return c.show(w, r, v, http.StatusOK, "motions", shell{Title: "Motions", Place: "motions", View: view})
}

func (v *visit) motion(r *http.Request) (centre.Motion, error) {
	for _, m := range v.status.Motions {
		if strconv.FormatUint(m.Number, 10) == r.PathValue("number") {
			return m, nil
		}
	}
	return centre.Motion{}, errNoPage
}

func (c *Console) motionShell(v *visit, m centre.Motion, form typed) shell {
	line := c.motionLine(v, m)
	view := motionView{motionLine: line, described: describe(v.status, m.What), May: v.mayDecide(m), Role: roleFor(m).String(), Form: form}
	return shell{Title: line.Title, Place: "motions", View: view}
}

func (c *Console) motion(w http.ResponseWriter, r *http.Request, v *visit) error {
	m, err := v.motion(r)
	if err != nil {
		return err
	}
	return c.show(w, r, v, http.StatusOK, "motion", c.motionShell(v, m, typed{}))
}

// decideMotion approves another operator's motion, refuses it, or withdraws an
// own one.
func (c *Console) decideMotion(w http.ResponseWriter, r *http.Request, v *visit) error {
	m, err := v.motion(r)
	if err != nil {
		return err
	}
	form, verb, done := r.PathValue("verb"), centre.Refuse, "dropped"
	switch {
	case form == "approve":
		verb, done = centre.Approve, "carried"
	case form != "refuse":
		return errNoPage
	default:
		if err = needsReason(r); m.By == v.me.Name {
			done = "withdrawn"
		}
	}
	if err == nil {
		err = v.decide(r.Context(), func(ctx context.Context) (*centre.Status, error) {
			return v.registry.DecideMotion(ctx, verb, m, said(r, "reason"))
		})
	}
	if err != nil {
		return c.again(w, r, v, err, form, "motion", func(t typed) shell { return c.motionShell(v, m, t) })
	}
	return c.goTo(w, r, "/motions", done)
}

// kindGroup is the kinds of motions that belong together.
type kindGroup struct {
	Name  string
	Kinds []kind
}

func (c *Console) motionKinds(w http.ResponseWriter, r *http.Request, v *visit) error {
	var groups []kindGroup
	for _, k := range kinds() {
		if !v.may(k.role) {
			continue
		}
		i := slices.IndexFunc(groups, func(g kindGroup) bool { return g.Name == k.Group })
		if i < 0 {
			groups, i = append(groups, kindGroup{Name: k.Group}), len(groups)
		}
		groups[i].Kinds = append(groups[i].Kinds, k)
	}
	return c.show(w, r, v, http.StatusOK, "motion-kinds", shell{Title: "New motion", Place: "motions", View: groups})
}

// formView is the form that puts a motion of one kind.
type formView struct {
	kind
	Fields []field
	Empty  string // why there is nothing to choose
	Form   typed
}

func (c *Console) formShell(v *visit, k kind, t typed, q map[string][]string) shell {
	view := formView{kind: k, Fields: k.fields(v, q), Form: t}
	for i, f := range view.Fields {
		if t.values != nil && f.Kind != "select" && f.Kind != "boxes" && f.Kind != "note" && f.Kind != "hidden" {
			view.Fields[i].Value = t.Value(f.Name)
		}
		if f.Kind == "hidden" && t.values != nil {
			view.Fields[i].Value = t.Value(f.Name)
		}
		if f.Kind == "select" {
			for j, o := range f.Options {
				view.Fields[i].Options[j].Chosen = o.Chosen || o.Value == t.Value(f.Name)
			}
			if len(f.Options) == 0 {
				view.Empty = "There is nothing that this could be done to now."
			}
		}
	}
	return shell{Title: k.Title, Place: "motions", View: view}
}

func (c *Console) motionForm(w http.ResponseWriter, r *http.Request, v *visit) error {
	k, ok := kindOf(r.PathValue("kind"))
	if !ok || !v.may(k.role) {
		return errNoPage
	}
	return c.show(w, r, v, http.StatusOK, "motion-form", c.formShell(v, k, typed{}, r.URL.Query()))
}

// putMotion puts a motion, which a second operator has to approve.
func (c *Console) putMotion(w http.ResponseWriter, r *http.Request, v *visit) error {
	k, ok := kindOf(r.PathValue("kind"))
	if !ok {
		return errNoPage
	}
	m, err := k.build(v, r.PostForm)
	if err == nil {
		err = needsReason(r)
	}
	if err == nil {
		err = v.decide(r.Context(), func(ctx context.Context) (*centre.Status, error) {
			return v.registry.Move(ctx, m, said(r, "reason"))
		})
	}
	if err != nil {
		return c.again(w, r, v, err, "put", "motion-form", func(t typed) shell { return c.formShell(v, k, t, r.PostForm) })
	}
	return c.goTo(w, r, "/motions", "moved")
}
