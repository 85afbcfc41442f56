package console

import (
	"context"
	"net/http"
	"time"

	"interlock/protocol/directory"
	"interlock/protocol/pages"
	"interlock/replication/centre"
	"interlock/replication/registry"
)

// agencyView is one agency.
type agencyView struct {
	agencyLine
	Contact, Key        string
	Addresses           []string
	Admitted            string // by whom
	Applied             pages.Moment
	Reason, By          string // of the suspension
	Forked              bool
	Own                 bool // has a quota of its own
	Groups              string
	MaySuspend, MayMove bool
	MayQuota            bool
	Form                typed
}

func unixTime(seconds uint64) time.Time { return time.Unix(int64(min(seconds, 1<<40)), 0) }

// member finds the agency that r names.
func (v *visit) member(r *http.Request) (subject, error) {
	return v.memberCalled(r.PathValue("id"))
}

func (v *visit) memberCalled(id string) (subject, error) {
	for _, a := range v.status.Agencies {
		if string(a.Agency.ID) == id {
			return a, nil
		}
	}
	return subject{}, errNoPage
}

func (c *Console) agencyShell(v *visit, a subject, form typed) shell {
	view := agencyView{
		agencyLine: c.agencyLine(v, a), Contact: a.Agency.Contact, Key: a.Agency.Key.Hex(), Addresses: a.Agency.Addresses,
		Admitted: listed(a.Approvals), Applied: c.at(a.Applied), Reason: a.Reason, By: a.By, Forked: a.Forked,
		MaySuspend: v.may(registry.Admission) && a.Agency.Status == directory.Active, MayMove: v.may(registry.Admission),
		MayQuota: v.may(registry.Operations), Form: form,
	}
	var groups []string
	for _, g := range v.status.Policy.Groups {
		for _, id := range g.Agencies {
			if id == a.Agency.ID {
				groups = append(groups, g.Name)
			}
		}
	}
	view.Groups = listed(groups)
	for _, q := range v.status.Policy.Quotas {
		view.Own = view.Own || q.Agency == a.Agency.ID
	}
	return shell{Title: a.Agency.Name, Place: "agencies", View: view}
}

func (c *Console) agency(w http.ResponseWriter, r *http.Request, v *visit) error {
	a, err := v.member(r)
	if err != nil {
		return err
	}
	return c.show(w, r, v, http.StatusOK, "agency", c.agencyShell(v, a, typed{}))
}

// suspend cuts an agency off at once.
func (c *Console) suspend(w http.ResponseWriter, r *http.Request, v *visit) error {
	a, err := v.member(r)
	if err != nil {
		return err
	}
	if err = needsReason(r); err == nil {
		err = v.decide(r.Context(), func(ctx context.Context) (*centre.Status, error) {
			return v.registry.DecideOn(ctx, centre.Suspend, a, said(r, "reason"))
		})
	}
	if err != nil {
		return c.again(w, r, v, err, "suspend", "agency", func(t typed) shell { return c.agencyShell(v, a, t) })
	}
	return c.goTo(w, r, agencyPath(a.Agency.ID), "suspended")
}

// clear ends the throttling of an agency.
func (c *Console) clear(w http.ResponseWriter, r *http.Request, v *visit) error {
	a, err := v.member(r)
	if err != nil {
		return err
	}
	if err = needsReason(r); err == nil {
		err = v.decide(r.Context(), func(ctx context.Context) (*centre.Status, error) {
			return v.registry.Clear(ctx, a.Agency.ID, said(r, "reason"))
		})
	}
	if err != nil {
		return c.again(w, r, v, err, "clear", "agency", func(t typed) shell { return c.agencyShell(v, a, t) })
	}
	return c.goTo(w, r, agencyPath(a.Agency.ID), "cleared")
}

// historyDepth is how many entries of the record an agency's page looks
// through; the record's own search goes further.
const historyDepth = 4000

// agencyHistory is what the record says of an agency, as a part of its page.
func (c *Console) agencyHistory(w http.ResponseWriter, r *http.Request, v *visit) error {
	id := r.PathValue("id")
	found, err := c.searchRecord(r.Context(), v, search{agency: id, before: v.status.RecordSize, most: 15, depth: historyDepth})
	if err != nil {
		return err
	}
	html, err := c.part("history", found)
	if err != nil {
		return err
	}
	c.send(w, r, http.StatusOK, []byte(html))
	return nil
}
