package metrics

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"interlock/node/desk"
	"interlock/protocol/directory"
)

// TestAScrapeSaysHowEachMemberIs: by its id, and with no other word about it.
func TestAScrapeSaysHowEachMemberIs(t *testing.T) {
	h, err := Handler(func() desk.NetworkStatus {
		return desk.NetworkStatus{RegistryReachable: true, Waiting: 3, Members: []desk.MemberLine{{
			Agency:    directory.Agency{ID: "boulder-so", Name: "Boulder County Sheriff", Contact: "+1 303 555 0100"},
			Connected: true, Have: 10, Head: 12, LastHeard: time.Unix(1_700_000_000, 0), Trouble: "it does not answer",
			Ours: 7, Has: 5, SentBytes: 100, ReceivedBytes: 200,
		}}}
	})
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	page := w.Body.String()
	for _, want := range []string{
		"interlock_node_registry_reachable 1", "interlock_node_waiting 3",
		`interlock_node_member_linked{agency="boulder-so"} 1`,
		`interlock_node_member_trouble{agency="boulder-so"} 1`,
		`interlock_node_member_entries_held{agency="boulder-so"} 10`,
		`interlock_node_member_entries_known{agency="boulder-so"} 12`,
		`interlock_node_member_entries_ours{agency="boulder-so"} 7`,
		`interlock_node_member_entries_acknowledged{agency="boulder-so"} 5`,
		`interlock_node_member_heard_timestamp_seconds{agency="boulder-so"} 1.7e+09`,
		`interlock_node_member_sent_bytes_total{agency="boulder-so"} 100`,
		`interlock_node_member_received_bytes_total{agency="boulder-so"} 200`,
	} {
		if !strings.Contains(page, want+"\n") {
			t.Errorf("the scrape has no line %q", want)
		}
	}
	for _, word := range []string{"Sheriff", "555", "answer"} {
		if strings.Contains(page, word) {
			t.Errorf("the scrape says %q", word)
		}
	}
}
