package sample

import (
	_ "embed"
	"encoding/json"
	"slices"
)

//go:embed shared.json
var sharedList []byte

// Shared is one identifier that stands in the files of more than one agency.
type Shared struct {
	Kind    string   `json:"kind"`  // as identifier.ParseKind reads it
	Value   string   `json:"value"` // in canonical form
	Holders []Holder `json:"holders"`
}

// Holder is one case whose files hold an identifier.
type Holder struct {
	Agency string `json:"agency"`
	Case   string `json:"case"` // its number
}

// Expected is one alert that must be raised, and be raised once: at Agency,
// for its own case, because OtherAgency announced under its OtherCase.
type Expected struct {
	Agency, Case           string
	OtherAgency, OtherCase string
	Identifiers            []string // canonical values that the two cases share, in the order of SharedIdentifiers
}

// SharedIdentifiers returns shared.json.
func SharedIdentifiers() []Shared {
	var list []Shared
	if err := json.Unmarshal(sharedList, &list); err != nil {
		panic("sample: shared.json: " + err.Error()) // a fault of this package, found by its tests
	}
	return list
}

// ExpectedAlerts derives from shared.json alone which alerts the agencies must
// see once each has imported its cases in the order of Agency.Cases.
//
// An agency announces an identifier once, under the first of its cases that
// holds it. So each case that holds it gets an alert for every other agency
// that holds it, naming that agency's first such case.
func ExpectedAlerts() []Expected {
	var expected []Expected
	agencies := Agencies()
	list := SharedIdentifiers()
	for _, own := range agencies {
		for _, c := range own.Cases {
			for _, other := range agencies {
				if other.ID != own.ID {
					expected = append(expected, alertsOf(Holder{own.ID, c.Number}, other, list)...)
				}
			}
		}
	}
	return expected
}

// alertsOf returns the alerts that the case own gets because of other, in the
// order of other's cases.
func alertsOf(own Holder, other Agency, list []Shared) []Expected {
	var alerts []Expected
	for _, c := range other.Cases {
		e := Expected{Agency: own.Agency, Case: own.Case, OtherAgency: other.ID, OtherCase: c.Number}
		for _, s := range list {
			if slices.Contains(s.Holders, own) && announcedUnder(s, other) == c.Number {
				e.Identifiers = append(e.Identifiers, s.Value)
			}
		}
		if len(e.Identifiers) > 0 {
			alerts = append(alerts, e)
		}
	}
	return alerts
}

// announcedUnder returns the number of a's first case that holds s; "" where
// none does.
func announcedUnder(s Shared, a Agency) string {
	for _, c := range a.Cases {
		if slices.Contains(s.Holders, Holder{a.ID, c.Number}) {
			return c.Number
		}
	}
	return ""
}
