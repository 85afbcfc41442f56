package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"interlock/protocol/directory"
	"interlock/replication/centre"
	"interlock/replication/registry"
)

// showStatus prints how the registry stands.
func showStatus(out io.Writer, st *centre.Status) error {
	leader := st.Leader + " leads"
	if st.Leader == "" {
		leader = "no server leads; this is what " + st.Asked + " knew last"
	}
	w := tabwriter.NewWriter(out, 0, 4, 3, ' ', 0)
	names := make([]string, len(st.Servers))
	for i, s := range st.Servers {
		names[i] = s.Name
	}
	fmt.Fprintf(w, "servers\t%s\n", strings.Join(names, ", "))
	fmt.Fprintf(w, "leader\t%s\n", leader)
	fmt.Fprintf(w, "directory\tversion %d, signed by %d of %d servers\n", st.Version, st.Endorsed, len(st.Servers))
	fmt.Fprintf(w, "token key\t%s\n", keyText(st))
	fmt.Fprintf(w, "agencies\t%d\n", len(st.Agencies))
	fmt.Fprintf(w, "applications\t%d\n", len(st.Pending))
	fmt.Fprintf(w, "motions\t%d\n", len(st.Motions))
	fmt.Fprintf(w, "record\t%d entries\n", st.RecordSize)
	fmt.Fprintln(w, "\nSERVER\tNAME\tLINK\tDIRECTORY\tSHARE\tADDRESSES")
	for _, s := range st.Servers {
		h := st.Health[s.Index]
		fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\t%s\n", s.Index, s.Name, either(h.GetReachable(), "up", "down"), either(h.GetEndorsed(), "signed", "not signed"),
			either(h.GetGeneration() > 0, "held", "none"), strings.Join(s.Addresses, ", "))
	}
	if len(st.Agencies) > 0 {
		fmt.Fprintln(w, "\nID\tNAME\tJURISDICTION\tSTATUS\tTODAY\tDECIDED BY")
	}
	for _, a := range st.Agencies {
		activity := st.Activity[a.Agency.ID]
		today := fmt.Sprintf("%d of %d", activity.GetUsed(), activity.GetDaily())
		if activity.GetFlagged() {
			today += ", throttled"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", a.Agency.ID, a.Agency.Name, a.Agency.Jurisdiction, a.Agency.Status, today, decidedText(a))
	}
	if len(st.Notices) > 0 {
		fmt.Fprintln(w, "\nNOTICES")
	}
	for _, n := range st.Notices[max(0, len(st.Notices)-10):] {
		fmt.Fprintf(w, "%s\t%s\n", time.Unix(int64(n.Time), 0).Local().Format("2006-01-02 15:04"), n.Text)
	}
	return w.Flush()
}

func either(is bool, yes, no string) string {
	if is {
		return yes
	}
	return no
}

func keyText(st *centre.Status) string {
	var parts []string
	for _, k := range st.Epochs {
		part := fmt.Sprintf("epoch %d, %d of %d servers make a token", k.Epoch, k.Keys.Threshold, len(k.Keys.Shares))
		if k.Retiring {
			part = fmt.Sprintf("epoch %d is retiring", k.Epoch)
		}
		parts = append(parts, part)
	}
	if c := st.Ceremony; c != nil {
		parts = append(parts, "the servers are making new shares ("+c.Phase+")")
	}
	return strings.Join(parts, "; ")
}

func decidedText(a centre.Subject) string {
	switch {
	case a.Forked:
		return "evidence of a forked feed"
	case a.Agency.Status == directory.Suspended:
		return a.By + ": " + a.Reason
	}
	return strings.Join(a.Approvals, ", ")
}

// registryStatus is the status as JSON.
type registryStatus struct {
	Version  uint64           `json:"version"`
	Endorsed int              `json:"endorsed"`
	Leader   string           `json:"leader"`
	Asked    string           `json:"asked"`
	Applied  uint64           `json:"applied"`
	Day      uint64           `json:"day"`
	Record   uint64           `json:"record"`
	Servers  []registryServer `json:"servers"`
	Keys     []registryKey    `json:"keys"`
	Ceremony string           `json:"ceremony,omitempty"` // its phase
	Motions  []registryMotion `json:"motions"`
	Notices  []string         `json:"notices"`
	Agencies []registryAgency `json:"agencies"`
	Pending  []registryAgency `json:"pending"`
}

type registryServer struct {
	Number    uint16   `json:"number"`
	Name      string   `json:"name"`
	Addresses []string `json:"addresses"`
	Reachable bool     `json:"reachable"`
	Endorsed  bool     `json:"endorsed"`
	Share     uint32   `json:"share"` // generation of the key in force, 0 for none
}

type registryKey struct {
	Epoch      uint32 `json:"epoch"`
	Generation uint32 `json:"generation"`
	Threshold  int    `json:"threshold"`
	Shares     int    `json:"shares"`
	Retiring   bool   `json:"retiring"`
	PublicKey  string `json:"public_key"`
}

type registryMotion struct {
	Number uint64    `json:"number"`
	What   string    `json:"what"`
	By     string    `json:"by"`
	Reason string    `json:"reason"`
	At     time.Time `json:"at"`
}

type registryAgency struct {
	ID           directory.AgencyID `json:"id"`
	Name         string             `json:"name"`
	Jurisdiction string             `json:"jurisdiction"`
	Contact      string             `json:"contact"`
	Status       string             `json:"status"`
	Hash         string             `json:"hash"`
	Applied      time.Time          `json:"applied"`
	ApprovedBy   []string           `json:"approved_by"`
	SuspendedBy  string             `json:"suspended_by,omitempty"`
	Reason       string             `json:"reason,omitempty"`
	Daily        uint64             `json:"daily,omitempty"`
	Used         uint64             `json:"used,omitempty"`
	Flagged      bool               `json:"flagged,omitempty"`
	Acts         uint64             `json:"acts_on,omitempty"` // version of the directory
	Software     string             `json:"software,omitempty"`
}

func registryReport(st *centre.Status) registryStatus {
	r := registryStatus{
		Version: st.Version, Endorsed: st.Endorsed, Leader: st.Leader, Asked: st.Asked, Applied: st.Applied, Day: st.Day, Record: st.RecordSize,
		Ceremony: st.Ceremony.GetPhase(), Agencies: []registryAgency{}, Pending: []registryAgency{}, Motions: []registryMotion{}, Notices: []string{},
	}
	for _, s := range st.Servers {
		h := st.Health[s.Index]
		r.Servers = append(r.Servers, registryServer{
			Number: uint16(s.Index), Name: s.Name, Addresses: s.Addresses, Reachable: h.GetReachable(), Endorsed: h.GetEndorsed(), Share: h.GetGeneration(),
		})
	}
	for _, k := range st.Epochs {
		r.Keys = append(r.Keys, registryKey{
			Epoch: uint32(k.Epoch), Generation: k.Generation, Threshold: k.Keys.Threshold, Shares: len(k.Keys.Shares),
			Retiring: k.Retiring, PublicKey: fmt.Sprintf("%x", k.Keys.Public[:]),
		})
	}
	for _, m := range st.Motions {
		r.Motions = append(r.Motions, registryMotion{Number: m.Number, What: registry.DescribeMotion(m.What), By: m.By, Reason: m.Reason, At: m.At.UTC()})
	}
	for _, n := range st.Notices {
		r.Notices = append(r.Notices, n.Text)
	}
	for _, a := range st.Agencies {
		report, activity := reportAgency(a), st.Activity[a.Agency.ID]
		report.Daily, report.Used, report.Flagged = activity.GetDaily(), activity.GetUsed(), activity.GetFlagged()
		report.Acts, report.Software = activity.GetVersion(), activity.GetSoftware()
		r.Agencies = append(r.Agencies, report)
	}
	for _, a := range st.Pending {
		r.Pending = append(r.Pending, reportAgency(a))
	}
	return r
}

func reportAgency(a centre.Subject) registryAgency {
	return registryAgency{
		ID: a.Agency.ID, Name: a.Agency.Name, Jurisdiction: a.Agency.Jurisdiction, Contact: a.Agency.Contact,
		Status: a.Agency.Status.String(), Hash: fmt.Sprintf("%x", a.Hash[:]), Applied: a.Applied.UTC(),
		ApprovedBy: a.Approvals, SuspendedBy: a.By, Reason: a.Reason,
	}
}
