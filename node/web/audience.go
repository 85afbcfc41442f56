package web

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"interlock/node/casefile"
	"interlock/protocol/directory"
	"interlock/protocol/pages"
)

// audienceView is the choice of who may learn of identifiers.
type audienceView struct {
	Everyone, Watch, Listed bool // which one is chosen; else one of Groups
	Groups                  []groupChoice
	Agencies                []agencyChoice
	MostListed              int
}

// groupChoice is a group of the directory.
type groupChoice struct {
	Name, Who string
	Chosen    bool
}

// agencyChoice is an agency that can be listed.
type agencyChoice struct {
	ID     directory.AgencyID
	Name   string
	Chosen bool
}

// What a form says of who may learn of identifiers, in its field "who".
const (
	whoEveryone = "everyone"
	whoWatch    = "watch"
	whoListed   = "agencies"
	whoGroup    = "group:" // then its name
)

// What is wrong with the choice.
var (
	errNobodyListed = &casefile.Sentence{
		Text: "No agency is chosen.", Hint: "Tick the agencies that may learn of these, or choose “Nobody: only watch”.",
	}
	errManyListed = &casefile.Sentence{
		Text: fmt.Sprintf("At most %d agencies can be chosen.", directory.MaxListed),
		Hint: "For more, ask the national centre for a group, or share with everyone.",
	}
)

// audienceChoices is what the directory gives this agency to choose from, with
// what a form chose already.
func (s *site) audienceChoices(form url.Values) audienceView {
	who := form.Get("who")
	offered := s.desk.Audiences()
	view := audienceView{Watch: who == whoWatch, Listed: who == whoListed, MostListed: directory.MaxListed}
	chosen := view.Watch || view.Listed
	for _, g := range offered.Groups {
		c := groupChoice{Name: g.Name, Who: s.agencies(g.Agencies), Chosen: who == whoGroup+g.Name}
		chosen = chosen || c.Chosen
		view.Groups = append(view.Groups, c)
	}
	for _, a := range offered.Agencies {
		view.Agencies = append(view.Agencies, agencyChoice{a.ID, a.Name, slices.Contains(form["agency"], string(a.ID))})
	}
	view.Everyone = !chosen
	return view
}

// sharingOf reads who may learn of identifiers out of a form. A form that does
// not say is one for everyone.
func sharingOf(form url.Values) (s casefile.Sharing, err error) {
	who := form.Get("who")
	group, isGroup := strings.CutPrefix(who, whoGroup)
	switch {
	case who == "", who == whoEveryone:
	case who == whoWatch:
		s.Way = casefile.Watch
	case isGroup:
		s.Audience, err = directory.GroupAudience(group)
	case who == whoListed && len(form["agency"]) == 0:
		return s, errNobodyListed
	case who == whoListed && len(form["agency"]) > directory.MaxListed:
		return s, errManyListed
	case who == whoListed:
		var ids []directory.AgencyID
		for _, id := range form["agency"] {
			ids = append(ids, directory.AgencyID(id))
		}
		s.Audience, err = directory.ListAudience(ids...)
	default:
		return s, pages.ErrBrokenForm
	}
	if err != nil {
		return s, pages.ErrBrokenForm
	}
	return s, nil
}

// sharingWords says who may learn of an identifier.
func (s *site) sharingWords(sh casefile.Sharing) string {
	switch sh.Way {
	case casefile.Watch:
		return "Nobody: only watched"
	case casefile.Withdrawn:
		return "Withdrawn"
	}
	return s.audienceWords(sh.Audience)
}

func (s *site) audienceWords(a directory.Audience) string {
	if a == directory.Everyone {
		return "Everyone in the network"
	}
	if name, ok := a.Group(); ok {
		return "Group " + name
	}
	return s.agencies(a.Listed())
}

// namedAgencies is how many agencies a sentence names.
const namedAgencies = 3

// agencies names agencies, the first ones where there are many.
func (s *site) agencies(ids []directory.AgencyID) string {
	var names []string
	for _, id := range ids[:min(len(ids), namedAgencies+1)] {
		names = append(names, s.desk.AgencyOf(id).Name)
	}
	return listing(names, len(ids))
}

// listing writes the first of total names.
func listing(names []string, total int) string {
	if total > namedAgencies+1 {
		return strings.Join(names[:namedAgencies], ", ") + " and " + pages.Grouped(total-namedAgencies) + " others"
	}
	return strings.Join(names, ", ")
}
