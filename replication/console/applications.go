package console

import (
	"context"
	"encoding/hex"
	"net/http"
	"slices"
	"strings"

	"interlock/protocol/pages"
	"interlock/replication/centre"
	"interlock/replication/registry"
)

// subject is what an operator decides upon.
type subject = centre.Subject

// applicationLine is one application in the list.
type applicationLine struct {
	Name, ID, Jurisdiction, Contact string
	Approvals                       string
	Applied                         pages.Moment
	Path                            string
	Mine                            bool // waits for this operator
	NewKey                          bool
}

// applicationView is one application, to be decided upon.
type applicationView struct {
	applicationLine
	Addresses    []string
	Fingerprint  string
	Key          string
	Names        []string // who has approved
	OldKeySigned bool
	Last         bool // this approval admits it
	Approved     bool // by this operator
	May          bool
	Form         typed
}

func (v *visit) mayApprove(a subject) bool {
	return v.may(registry.Admission) && !slices.Contains(a.Approvals, v.me.Name)
}

func applicationPath(a subject) string { return "/applications/" + hex.EncodeToString(a.Hash[:]) }

func (c *Console) applicationLine(v *visit, a subject) applicationLine {
	line := applicationLine{
		Name: a.Agency.Name, ID: string(a.Agency.ID), Jurisdiction: a.Agency.Jurisdiction, Contact: a.Agency.Contact,
		Approvals: "none yet", Applied: c.ago(a.Applied), Path: applicationPath(a), Mine: v.mayApprove(a), NewKey: a.NewKey,
	}
	if len(a.Approvals) > 0 {
		line.Approvals = listed(a.Approvals)
	}
	return line
}

func (c *Console) applications(w http.ResponseWriter, r *http.Request, v *visit) error {
	var view struct {
		Lines  []applicationLine
		Invite bool
	}
	view.Invite = v.may(registry.Admission)
	for _, a := range v.status.Pending {
		view.Lines = append(view.Lines, c.applicationLine(v, a))
	}
	return c.show(w, r, v, http.StatusOK, "applications", shell{Title: "Applications", Place: "applications", View: view})
}

// pending finds the application that r names.
func (v *visit) pending(r *http.Request) (subject, error) {
	for _, a := range v.status.Pending {
		if hex.EncodeToString(a.Hash[:]) == r.PathValue("hash") {
			return a, nil
		}
	}
	return subject{}, errNoPage
}

func (c *Console) applicationShell(v *visit, a subject, form typed) shell {
	view := applicationView{
		applicationLine: c.applicationLine(v, a), Addresses: a.Agency.Addresses, Fingerprint: a.Fingerprint(), Key: a.Agency.Key.Hex(),
		Names: a.Approvals, OldKeySigned: a.OldKeySigned, Last: len(a.Approvals) == registry.Approvals-1,
		Approved: slices.Contains(a.Approvals, v.me.Name), May: v.may(registry.Admission), Form: form,
	}
	return shell{Title: a.Agency.Name + " applies", Place: "applications", View: view}
}

func (c *Console) application(w http.ResponseWriter, r *http.Request, v *visit) error {
	a, err := v.pending(r)
	if err != nil {
		return err
	}
	return c.show(w, r, v, http.StatusOK, "application", c.applicationShell(v, a, typed{}))
}

// decideApplication approves or refuses.
func (c *Console) decideApplication(w http.ResponseWriter, r *http.Request, v *visit) error {
	a, err := v.pending(r)
	if err != nil {
		return err
	}
	form := r.PathValue("verb")
	var verb centre.Verb
	done, next := "", "/applications"
	switch form {
	case "approve":
		verb, done, next = centre.Approve, "approved", applicationPath(a)
		if len(a.Approvals) == registry.Approvals-1 {
			done, next = "admitted", agencyPath(a.Agency.ID)
		}
		if r.PostFormValue("read") == "" {
			err = wrong("Tick that you compared the fingerprint.", "Call the agency on a number that you know, and let them read it to you.")
		}
	case "refuse":
		verb, done = centre.Refuse, "refused"
		err = needsReason(r)
	default:
		return errNoPage
	}
	if err == nil {
		err = v.decide(r.Context(), func(ctx context.Context) (*centre.Status, error) {
			return v.registry.DecideOn(ctx, verb, a, said(r, "reason"))
		})
	}
	if err != nil {
		return c.again(w, r, v, err, form, "application", func(t typed) shell { return c.applicationShell(v, a, t) })
	}
	return c.goTo(w, r, next, done)
}

// reasonLimit is the bytes of a reason that the registry takes.
const reasonLimit = 200

// needsReason asks for a reason where the registry does.
func needsReason(r *http.Request) error {
	reason := said(r, "reason")
	switch {
	case reason == "":
		return wrong("Write a reason.", "It goes into the record, and whoever it is about may read it.")
	case len(reason) > reasonLimit:
		return wrong("The reason is too long.", "It may have 200 characters, fewer where they are not plain ones.")
	case strings.ContainsFunc(reason, func(r rune) bool { return r < ' ' }):
		return wrong("The reason has characters that cannot be shown.", "Write it anew.")
	}
	return nil
}
