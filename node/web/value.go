package web

import (
	"net/http"
	"strconv"

	"interlock/node/casefile"
	"interlock/node/desk"
	"interlock/node/store"
	"interlock/protocol/pages"
)

// valueView is one identifier that the agency holds, and what was decided
// about it.
type valueView struct {
	Path, Kind, Value string
	Said              *answer
	Says, List        string // why it is common
	Muted             bool   // by this agency
	ByNetwork         bool
	Events            []muteEventLine
	Cases             []caseRef
	Held, Elsewhere   string
	MayMute           bool
	Tags              []desk.MuteTag
	Form              muteForm // for who may mute: to mute it, or to lift that
}

// muteForm asks for the reason of a decision.
type muteForm struct {
	Path, Do   string
	Reason     string
	MostReason int
	Problem    *notice
}

// muteEventLine is one decision about a value.
type muteEventLine struct {
	On     bool
	By     casefile.OfficerName
	At     pages.Moment
	Reason string
}

// caseRef leads to a case.
type caseRef struct{ Path, Number, Title string }

func valuePath(id casefile.IdentifierID) string {
	return "/values/" + strconv.FormatUint(uint64(id), 10)
}

func valueOf(r *http.Request) (casefile.IdentifierID, error) {
	n, err := strconv.ParseUint(r.PathValue("value"), 10, 64)
	if err != nil {
		return 0, desk.ErrNotFound
	}
	return casefile.IdentifierID(n), nil
}

func (s *site) valuePage(w http.ResponseWriter, r *http.Request, v visitor) error {
	view, err := s.valueView(r, v)
	if err != nil {
		return err
	}
	view.Said = s.takeAnswer(w, r)
	return s.show(w, r, v, http.StatusOK, "value", valueShell(view))
}

func valueShell(view valueView) shell { return shell{Title: "A value", Place: "common", View: view} }

func (s *site) valueView(r *http.Request, v visitor) (valueView, error) {
	id, err := valueOf(r)
	if err != nil {
		return valueView{}, err
	}
	value, err := s.desk.Value(v.Officer, id)
	if err != nil {
		return valueView{}, err
	}
	view := valueView{
		Path: valuePath(id), Kind: kindName(value.Identifier.Kind()), Value: value.Identifier.Value(),
		Says: value.Warning.Says, List: value.Warning.Source, Muted: value.Muted.ByAgency != nil, ByNetwork: value.Muted.ByNetwork,
		Held: pages.Many(value.Held, "case", "cases"), MayMute: desk.MayMute(v.Officer), Tags: value.Tags,
		Form: muteForm{Path: valuePath(id) + "/mute", Do: "Mute this value", MostReason: desk.MaxMuteReason},
	}
	if view.Muted {
		view.Form.Path, view.Form.Do = valuePath(id)+"/unmute", "Lift the mute"
	}
	for _, e := range value.Events {
		view.Events = append(view.Events, muteEventLine{e.On, e.By, s.at(e.At), e.Reason})
	}
	for _, c := range value.Cases {
		view.Cases = append(view.Cases, caseRef{casePath(c.ID), c.Number, c.Title})
	}
	if rest := value.Held - len(value.Cases); rest > 0 {
		view.Elsewhere = pages.Many(rest, "more case", "more cases")
	}
	return view, nil
}

func (s *site) mute(w http.ResponseWriter, r *http.Request, v visitor) error {
	return s.decideMute(w, r, v, s.desk.Mute, answerMuted)
}

func (s *site) unmute(w http.ResponseWriter, r *http.Request, v visitor) error {
	return s.decideMute(w, r, v, s.desk.Unmute, answerUnmuted)
}

// decideMute takes a decision about a value with its reason.
func (s *site) decideMute(w http.ResponseWriter, r *http.Request, v visitor,
	do func(casefile.Officer, casefile.IdentifierID, string) error, said string) error {
	id, err := valueOf(r)
	if err != nil {
		return err
	}
	if err := pages.ReadForm(r); err != nil {
		return err
	}
	reason := r.PostFormValue("reason")
	if err := do(v.Officer, id, reason); err != nil {
		view, missing := s.valueView(r, v)
		if missing != nil {
			return missing
		}
		return s.again(w, r, v, err, "value", func(n notice) shell {
			view.Form.Problem, view.Form.Reason = &n, reason
			return valueShell(view)
		})
	}
	s.giveAnswer(w, said)
	s.streams.poke(v.Name)
	return goTo(w, r, valuePath(id))
}

// muteReason says in a line why a value is muted.
func muteReason(m store.Muted) string {
	if m.ByAgency == nil {
		return "by the network"
	}
	return m.ByAgency.Reason
}
