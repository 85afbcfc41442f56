package console

import (
	"cmp"
	"net/http"
	"slices"
	"strings"

	"interlock/protocol/pages"

	"golang.org/x/text/language"
	"golang.org/x/text/language/display"
)

// countryView is the agencies of one country.
type countryView struct {
	Name, Code string
	Agencies   int
	Count      string
	Places     []placeView
	Trouble    int
}

// placeView is the agencies of one part of a country.
type placeView struct {
	Code  string // ISO 3166-2 without the country, or empty for the whole of it
	Lines []agencyLine
}

// jurisdictionsView is the federation by jurisdiction.
type jurisdictionsView struct {
	Countries []countryView
	Agencies  string
	Places    string
}

func (c *Console) jurisdictions(w http.ResponseWriter, r *http.Request, v *visit) error {
	places := map[[2]string][]agencyLine{}
	for _, a := range v.status.Agencies {
		country, part := jurisdictionOf(a.Agency.Jurisdiction)
		key := [2]string{country, part}
		places[key] = append(places[key], c.agencyLine(v, a))
	}
	by := map[string]*countryView{}
	for key, lines := range places {
		country := by[key[0]]
		if country == nil {
			country = &countryView{Name: countryName(key[0]), Code: key[0]}
			by[key[0]] = country
		}
		country.Places = append(country.Places, placeView{key[1], lines})
	}
	view := jurisdictionsView{Agencies: pages.Many(len(v.status.Agencies), "agency", "agencies"), Places: pages.Many(len(by)-flag(by[""] != nil), "country", "countries")}
	for _, country := range by {
		slices.SortFunc(country.Places, func(a, b placeView) int { return cmp.Compare(a.Code, b.Code) })
		for _, p := range country.Places {
			country.Agencies += len(p.Lines)
			for _, l := range p.Lines {
				if l.Bad || l.Off || l.Silent {
					country.Trouble++
				}
			}
		}
		country.Count = pages.Many(country.Agencies, "agency", "agencies")
		view.Countries = append(view.Countries, *country)
	}
	slices.SortFunc(view.Countries, func(a, b countryView) int {
		return cmp.Or(cmp.Compare(flag(a.Code == ""), flag(b.Code == "")), cmp.Compare(b.Agencies, a.Agencies), cmp.Compare(a.Name, b.Name))
	})
	return c.show(w, r, v, http.StatusOK, "network", shell{Title: "Network", Place: "network", View: view})
}

func flag(b bool) int {
	if b {
		return 1
	}
	return 0
}

// jurisdictionOf reads an ISO 3166 code: a country, and after a hyphen a part
// of it. Whatever is none belongs to no country and is shown as it stands.
func jurisdictionOf(text string) (country, part string) {
	text = strings.TrimSpace(text)
	head, rest, _ := strings.Cut(text, "-")
	head = strings.ToUpper(head)
	if len(head) != 2 || len(rest) > 3 || countryName(head) == head {
		return "", text
	}
	return head, strings.ToUpper(rest)
}

// countryName is the English name of a country, or its code.
func countryName(code string) string {
	if code == "" {
		return "Elsewhere"
	}
	region, err := language.ParseRegion(code)
	if err != nil || !region.IsCountry() {
		return code
	}
	if name := display.English.Regions().Name(region); name != "" {
		return name
	}
	return code
}
