package metrics

import (
	"time"

	"interlock/replication/centre"
)

// plain is a number without labels.
type plain struct {
	name, help string
	value      func(*centre.Figures) float64
}

// plains are the gauges that have no labels.
func plains() []plain {
	return []plain{
		{"server_number", "Number of this server in the network, 0 while it has none.", func(f *centre.Figures) float64 { return float64(f.Server) }},
		{"is_leader", "Whether this server leads the replication.", func(f *centre.Figures) float64 { return truth(f.Replication.Leading) }},
		{"leader_number", "Number of the server that leads, as far as this one knows; 0 for none.", func(f *centre.Figures) float64 { return float64(f.Replication.Leader) }},
		{"leader_silence_seconds", "Seconds since the leader was last heard here; 0 on the leader, and where it was never heard.", func(f *centre.Figures) float64 { return silence(f.Log.Heard) }},
		{"term", "Term of the replication; it rises with each election.", func(f *centre.Figures) float64 { return float64(f.Log.Term) }},
		{"incarnation", "How often the network has begun a new log, from 1; 0 while the server waits to be taken in.", func(f *centre.Figures) float64 { return float64(f.Replication.Incarnation) }},
		{"voters", "Servers whose vote counts.", func(f *centre.Figures) float64 { return float64(f.Log.Voters) }},
		{"nonvoters", "Servers that receive the log and have no vote yet.", func(f *centre.Figures) float64 { return float64(f.Log.Following) }},
		{"refusing_servers", "Servers that would not replicate with this one when last asked.", func(f *centre.Figures) float64 { return float64(len(f.Replication.RefusedBy)) }},
		{"caught_up", "Whether this server has seen what was decided before it started.", func(f *centre.Figures) float64 { return truth(f.CaughtUp) }},
		{"log_last_index", "Index of the last entry in the log here.", func(f *centre.Figures) float64 { return float64(f.Log.Last) }},
		{"log_committed_index", "Index of the last entry that is known here to be on a majority's disks.", func(f *centre.Figures) float64 { return float64(f.Log.Committed) }},
		{"log_applied_index", "Index of the last entry in the state here.", func(f *centre.Figures) float64 { return float64(f.Log.Applied) }},
		{"log_size_bytes", "Size of the file that holds the log and the votes.", func(f *centre.Figures) float64 { return float64(f.Log.LogBytes) }},
		{"snapshot_index", "Log index of the newest snapshot, 0 for none.", func(f *centre.Figures) float64 { return float64(f.Log.SnapshotIndex) }},
		{"snapshot_timestamp_seconds", "When the newest snapshot was written, as a Unix time; 0 for never.", func(f *centre.Figures) float64 { return unix(f.Log.SnapshotAt) }},

		{"directory_version", "Version of the directory, published or not.", func(f *centre.Figures) float64 { return float64(f.Version) }},
		{"directory_published_version", "Newest version that enough servers have signed, as this server shows it; 0 for none.", func(f *centre.Figures) float64 { return float64(f.Published) }},
		{"directory_published_timestamp_seconds", "When this server published its newest directory, as a Unix time; 0 for never.", func(f *centre.Figures) float64 { return unix(f.PublishedAt) }},
		{"directory_unpublished_seconds", "How long a later version has waited for signatures without any progress; 0 while none waits.", func(f *centre.Figures) float64 { return f.Unpublished.Seconds() }},
		{"directory_endorsements", "Servers that have signed the current version.", func(f *centre.Figures) float64 { return float64(f.Endorsed) }},
		{"directory_endorsements_required", "Servers that have to sign it before it counts.", func(f *centre.Figures) float64 { return float64(f.Required) }},
		{"record_entries", "Entries of the record of decisions and evaluations.", func(f *centre.Figures) float64 { return float64(f.RecordSize) }},
		{"day", "Day that the registry counts, in days since 1970; 0 before the first.", func(f *centre.Figures) float64 { return float64(f.Day) }},

		{"applications_pending", "Applications that wait for operators.", func(f *centre.Figures) float64 { return float64(f.Applications) }},
		{"motions_pending", "Motions that wait for a second operator.", func(f *centre.Figures) float64 { return float64(f.Motions) }},
		{"invitations_open", "Invitations that are neither used nor expired.", func(f *centre.Figures) float64 { return float64(f.Invitations) }},
		{"budget_identifiers", "Identifiers that all active agencies together may have evaluated today.", func(f *centre.Figures) float64 { return float64(f.Budget) }},
		{"leased_identifiers", "Identifiers of that budget which the servers have leased today.", func(f *centre.Figures) float64 { return float64(f.Leased) }},
		{"agencies_near_budget", "Active agencies with more than 80 % of their budget of today leased.", func(f *centre.Figures) float64 { return float64(f.NearBudget) }},
		{"agencies_flagged", "Active agencies that are throttled because their demand is unusual.", func(f *centre.Figures) float64 { return float64(f.Flagged) }},

		{"ceremony_phase_seconds", "How long the key ceremony under way has been in its phase, as seen here; 0 for none.", func(f *centre.Figures) float64 { return f.PhaseLasts.Seconds() }},
		{"ceremony_awaited_servers", "Servers that have yet to speak in that phase.", func(f *centre.Figures) float64 { return float64(f.PhaseAwaits) }},
		{"members_linked", "Active agencies that have a link to this server.", func(f *centre.Figures) float64 { return float64(f.Linked) }},
		{"members_following", "Of these, agencies that follow the directory here.", func(f *centre.Figures) float64 { return float64(f.Following) }},
		{"members_behind", "Of these, agencies that act on a version before the published one.", func(f *centre.Figures) float64 { return float64(f.Behind) }},
		{"members_behind_versions", "How many versions the furthest of them is behind.", func(f *centre.Figures) float64 { return float64(f.Furthest) }},
	}
}

func truth(is bool) float64 {
	if is {
		return 1
	}
	return 0
}

// unix is a time in seconds, and 0 for the zero time.
func unix(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.UnixMilli()) / 1000
}

// silence is how long ago a time was, and 0 for the zero time.
func silence(since time.Time) float64 {
	if since.IsZero() {
		return 0
	}
	return time.Since(since).Seconds()
}
