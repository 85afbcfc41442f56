package metrics

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"interlock/protocol/wire"
)

func TestAScrapeShowsHowTheNetworkDoes(t *testing.T) {
	w := newWorld(t)
	m := w.enrolled()
	w.await(0, "the member in a published directory", func(s samples) bool {
		return s[`agencies{status="active"}`] == 1 && s["directory_version"] == s["directory_published_version"]
	})
	if err := m.evaluates(0, 1); err != nil {
		t.Fatal(err)
	}
	if err := m.evaluates(0, 99); err == nil {
		t.Fatal("evaluated under a generation that is not in force")
	}
	m.follows(t, 0, 1)
	got := w.await(0, "the follower", func(s samples) bool {
		return s["members_following"] == 1 && s[`refusals_total{by="us",code="unavailable",protocol="/interlock/evaluate/1"}`] == 1
	})
	want := samples{
		"server_number": 1, "voters": 3, "nonvoters": 0, "caught_up": 1, "incarnation": 1, "refusing_servers": 0, "measure_errors_total": 0,
		`standing{standing="voting"}`: 1, `standing{standing="removed"}`: 0,
		`server_linked{server="1"}`:    1,
		`server_has_share{server="3"}`: 1, `key_generation{epoch="1"}`: 1, `key_threshold{epoch="1"}`: 2, `key_shares{epoch="1"}`: 3,
		`key_retiring{epoch="1"}`: 0, `ceremony_phase{phase="dealing"}`: 0, "ceremony_phase_seconds": 0, "ceremony_awaited_servers": 0,
		"directory_unpublished_seconds": 0, "directory_endorsements_required": 2, `agencies{status="suspended"}`: 0,
		"applications_pending": 0, "motions_pending": 0, "motions_total": 0, "invitations_open": 0, "agencies_flagged": 0,
		`notices{kind="forked_feed"}`: 0, "members_linked": 1, "members_behind": 1,
		"evaluated_elements_total": 1, "evaluation_duration_seconds_count": 1,
		`evaluations_refused_total{code="unavailable"}`: 1, `evaluations_refused_total{code="busy"}`: 0,
		`streams_open{protocol="/interlock/directory/1"}`: 1, `streams_open{protocol="/interlock/evaluate/1"}`: 0, "snapshot_index": 0,
	}
	for name, value := range want {
		if had, ok := got[name]; !ok || had != value {
			t.Errorf("%s: got %v, %t, want %v", name, had, ok, value)
		}
	}
	for _, name := range []string{
		"log_size_bytes", "log_last_index", "log_committed_index", "log_applied_index", "term", "leader_number", "record_entries", "day",
		"directory_published_timestamp_seconds", "budget_identifiers", "leased_identifiers", "members_behind_versions", "goroutines",
		"process_resident_memory_bytes", "process_open_fds",
	} {
		if got[name] <= 0 {
			t.Errorf("%s: got %v, want more than 0", name, got[name])
		}
	}
	leader := w.await(0, "a leader", func(s samples) bool { return s["leader_number"] > 0 })["leader_number"]
	w.await(int(leader)-1, "its leadership, with a link to every other", func(s samples) bool {
		return s["is_leader"] == 1 && s[`server_linked{server="1"}`]+s[`server_linked{server="2"}`]+s[`server_linked{server="3"}`] == 3
	})
	for i := range w.servers {
		_, body := scrapeOf(t, w.metrics[i])
		namesNobody(t, w, m, i, body)
	}
}

// namesNobody checks that neither a scrape nor the health of a server has a
// name, a key, an id or an identifier of anybody.
func namesNobody(t *testing.T, w *world, m *member, i int, scrape string) {
	t.Helper()
	_, health := get(t, w.metrics[i], "/readyz")
	secrets := []string{memberID, memberName, contact, label1, identifier, "planted", m.host.Peer().Hex(), m.host.Peer().String(), networkName, w.dir}
	for j, s := range w.network.Servers {
		secrets = append(secrets, s.Key.Hex(), s.Key.String(), serverName(j))
	}
	for _, secret := range secrets {
		for what, text := range map[string]string{"scrape": scrape, "health": health} {
			if strings.Contains(strings.ToLower(text), strings.ToLower(secret)) {
				t.Errorf("server %d: %q is in its %s", i+1, secret, what)
			}
		}
	}
}

func TestReadinessEndsWithTheMajorityAndComesBackWithIt(t *testing.T) {
	w := newWorld(t)
	if status, body := ready(t, w.metrics[0]); status != http.StatusOK || !body.Ready {
		t.Fatalf("got %d, %+v, want ready", status, body)
	}
	w.stop(1)
	w.stop(2)
	w.await(0, "the loss of the majority", func(s samples) bool { return s["ready"] == 0 })
	status, body := ready(t, w.metrics[0])
	if got := failing(body); status != http.StatusServiceUnavailable || got != "leader" {
		t.Fatalf("without a majority: got %d, failing %q, want 503, leader", status, got)
	}
	s, _ := scrapeOf(t, w.metrics[0])
	if s["leader_number"] != 0 || s[`server_linked{server="2"}`] != 0 || s[`check_passed{check="leader"}`] != 0 {
		t.Fatalf("without a majority: got leader %v", s["leader_number"])
	}
	if status, _ := get(t, w.metrics[0], "/healthz"); status != http.StatusOK {
		t.Fatalf("the process lives: got %d", status)
	}
	w.start(1)
	w.await(0, "a majority", func(s samples) bool { return s["ready"] == 1 })
	w.await(1, "a majority", func(s samples) bool { return s["ready"] == 1 })
}

func failing(body readiness) string {
	var names []string
	for _, c := range body.Checks {
		if !c.Passed {
			names = append(names, c.Name)
		}
		if c.Passed != (c.Trouble == "") {
			names = append(names, fmt.Sprintf("%s without a reason", c.Name))
		}
	}
	return strings.Join(names, " ")
}

func TestARefusalIsNoLatency(t *testing.T) {
	m := New(nil)
	m.Evaluated(1, 0, wire.CodeTooLarge)
	m.Evaluated(1, 7, wire.CodeNone)
	got, _ := scrapeOf(t, m)
	for name, want := range (samples{
		"evaluation_duration_seconds_count": 1, "evaluated_elements_total": 7, `evaluations_refused_total{code="too_large"}`: 1,
	}) {
		if got[name] != want {
			t.Errorf("%s: got %v, want %v", name, got[name], want)
		}
	}
}
