package console

import (
	"fmt"
	"time"

	"interlock/protocol/directory"
	"interlock/protocol/wire"
	"interlock/replication/centre"
	"interlock/replication/registry"
)

// town is a federation as it may stand on an afternoon.
func (h *hub) town() {
	for i, a := range [][3]string{
		{"denver-pd", "Denver Police Department", "US-CO"}, {"boulder-so", "Boulder County Sheriff’s Office", "US-CO"},
		{"aurora-pd", "Aurora Police Department", "US-CO"}, {"utah-icac", "Utah ICAC Task Force", "US-UT"},
		{"slc-pd", "Salt Lake City Police Department", "US-UT"}, {"wyoming-dci", "Wyoming Division of Criminal Investigation", "US-WY"},
		{"montana-doj", "Montana Department of Justice", "US-MT"}, {"new-mexico-ag", "New Mexico Attorney General", "US-NM"},
		{"albuquerque-pd", "Albuquerque Police Department", "US-NM"}, {"phoenix-pd", "Phoenix Police Department", "US-AZ"},
		{"la-icac", "Los Angeles Regional ICAC", "US-CA"}, {"opp-ccs", "Ontario Provincial Police, Child Sexual Exploitation Unit", "CA-ON"},
		{"toronto-ps", "Toronto Police Service", "CA-ON"}, {"alert-alberta", "ALERT Internet Child Exploitation", "CA-AB"},
		{"rcmp-ncecc", "RCMP National Child Exploitation Crime Centre", "CA"}, {"surete-qc", "Sûreté du Québec", "CA-QC"},
		{"nca-uk", "National Crime Agency", "GB"}, {"met-police", "Metropolitan Police Service", "GB-LND"},
		{"gmp-uk", "Greater Manchester Police", "GB-MAN"}, {"psni", "Police Service of Northern Ireland", "GB-NIR"},
		{"police-scotland", "Police Scotland", "GB-SCT"}, {"bka-de", "Bundeskriminalamt", "DE"}, {"lka-nrw", "Landeskriminalamt Nordrhein-Westfalen", "DE-NW"},
		{"zac-bayern", "Zentralstelle Cybercrime Bayern", "DE-BY"}, {"gn-fr", "Gendarmerie nationale, C3N", "FR"}, {"ofmin-fr", "Office mineurs", "FR"},
		{"afp-accce", "Australian Centre to Counter Child Exploitation", "AU"}, {"qld-argos", "Queensland Police, Argos", "AU-QLD"},
		{"kripos-no", "Kripos", "NO"}, {"europol-ap", "Europol, AP Twins", "Europol"},
	} {
		h.admits(a[0], a[1], a[2])
		h.edit(func(s *centre.Status) {
			act := s.Activity[directory.AgencyID(a[0])]
			act.Used = uint64(i*i*211+340) % 160_000
			act.Seen -= uint64(i % 7 * 11)
			switch i {
			case 4:
				act.Software = "interlock 1.3.2"
			case 9:
				act.Flagged, act.Used = true, 187_400
			case 13:
				act.Version -= 6
				act.Seen -= 50 * 60
			case 19:
				act.Seen -= 9 * 3600
				act.Version -= 31
			}
		})
	}
	h.edit(func(s *centre.Status) {
		for i := range s.Agencies {
			id := s.Agencies[i].Agency.ID
			switch {
			case id == "slc-pd":
				s.Agencies[i].Agency.Status, s.Agencies[i].Reason, s.Agencies[i].By = directory.Suspended, "disk stolen from the evidence room, being rebuilt", "j-okoro"
			}
		}
		s.Policy.Quotas = []directory.Quota{{Agency: "la-icac", Daily: 500_000}}
		s.Policy.Groups = []directory.Group{{Name: "rockies", Agencies: []directory.AgencyID{"boulder-so", "denver-pd", "utah-icac"}}}
		s.Activity["la-icac"].Daily = 500_000
		s.Health[4].Reachable, s.Health[4].Seen, s.Health[4].Endorsed = false, uint64(h.now().Add(-26*time.Minute).Unix()), false
		s.Endorsed = 4
		s.Notices = []*wire.Notice{
			{Number: 3, Kind: registry.ServerDisqualified, Server: 5, Time: uint64(h.now().Add(-9 * 24 * time.Hour).Unix()), Text: "server 5 lyon did not deal in a key ceremony: silent while dealing"},
			{Number: 4, Kind: registry.ForkedFeed, Agency: "slc-pd", Time: uint64(h.now().Add(-50 * time.Hour).Unix()), Text: "slc-pd signed two different feeds of 8412 entries"},
			{Number: 5, Kind: registry.UnusualDemand, Agency: "phoenix-pd", Time: uint64(h.now().Add(-40 * time.Minute).Unix()), Text: "phoenix-pd asks for far more tokens than on other days and is throttled; ask what it imports, then clear or suspend it"},
		}
	})
	h.applies("winnipeg-ps", "Winnipeg Police Service", "CA-MB", "j-okoro")
	h.applies("garda-nccu", "Garda National Cyber Crime Bureau", "IE")
	h.history()
	h.edit(func(s *centre.Status) {
		for id, a := range s.Activity {
			if id != "alert-alberta" && id != "psni" {
				a.Version = s.Version + 1
			}
		}
	})
}

// history is a record of some length.
func (h *hub) history() {
	h.mu.Lock()
	defer h.mu.Unlock()
	by := func(i int) []byte { return h.status.Operators[i%3].Key[:] }
	at := func(i int) uint64 { return uint64(h.now().Add(-time.Duration(140-i) * 7 * time.Hour).Unix()) }
	i := 0
	put := func(e *wire.RecordEntry) { e.Time = at(i); h.writes(e); i++ }
	decide := func(m *wire.Decision) { put(&wire.RecordEntry{Of: &wire.RecordEntry_Decision{Decision: m}}) }
	put(&wire.RecordEntry{Of: &wire.RecordEntry_Key{Key: &wire.KeyEpoch{Epoch: 1, Generation: 1, Threshold: 3, Shares: make([]*wire.PublicShare, 5)}}})
	for _, a := range h.status.Agencies {
		id := string(a.Agency.ID)
		decide(&wire.Decision{Verb: 5, Invitation: &wire.Invitation{Label: a.Agency.Name, Expires: h.status.Day}, Operator: by(i)})
		put(&wire.RecordEntry{Of: &wire.RecordEntry_Application{Application: &wire.Application{Id: id, Name: a.Agency.Name, Jurisdiction: a.Agency.Jurisdiction, Contact: a.Agency.Contact}}})
		decide(&wire.Decision{Verb: 1, Agency: id, Application: a.Hash[:], Operator: by(i)})
		decide(&wire.Decision{Verb: 1, Agency: id, Application: a.Hash[:], Operator: by(i + 1)})
	}
	m := &wire.Motion{Of: &wire.Motion_Reshare{Reshare: &wire.Reshare{}}}
	hash, err := registry.MotionHash(m)
	if err != nil {
		panic(err)
	}
	decide(&wire.Decision{Verb: 4, Motion: m, Application: hash[:], Reason: "server lyon was moved to another room", Operator: by(0)})
	decide(&wire.Decision{Verb: 1, Application: hash[:], Operator: by(1)})
	put(&wire.RecordEntry{Of: &wire.RecordEntry_Key{Key: &wire.KeyEpoch{Epoch: 2, Generation: 4, Threshold: 3, Shares: make([]*wire.PublicShare, 5)}}})
	put(&wire.RecordEntry{Of: &wire.RecordEntry_Evaluated{Evaluated: &wire.Tick{Server: 2, Day: h.status.Day, Usage: []*wire.Usage{{Agency: "denver-pd", Elements: 18_233}, {Agency: "bka-de", Elements: 9_120}}}}})
	put(&wire.RecordEntry{Of: &wire.RecordEntry_Evidence{Evidence: &wire.Evidence{First: &wire.Head{Author: "slc-pd"}, Second: &wire.Head{Author: "slc-pd"}}}})
	for _, n := range h.status.Notices {
		put(&wire.RecordEntry{Of: &wire.RecordEntry_Notice{Notice: n}})
	}
	decide(&wire.Decision{Verb: 3, Agency: "slc-pd", Application: hash[:], Reason: "disk stolen from the evidence room, being rebuilt", Operator: by(1)})
	for n := range 3 {
		h.status.Invitations = append(h.status.Invitations, &wire.Invitation{Key: []byte(fmt.Sprint("invitation key ", n, " of the town")), Expires: h.status.Day + uint64(3*n), Label: []string{"Polisen, Stockholm", "Garda National Cyber Crime Bureau", "KLPD, Driebergen"}[n]})
	}
}
