package metrics

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"interlock/crypto/dkg"
	"interlock/protocol/link"
	"interlock/protocol/wire"
	"interlock/replication/centre"
	"interlock/replication/registry"
)

// fake is a server of which everything is said.
type fake struct {
	figures centre.Figures
	err     error
	checks  []centre.Check
}

func (f fake) Figures() (centre.Figures, error) { return f.figures, f.err }
func (f fake) Health() []centre.Check           { return f.checks }

// full has something to show under every metric.
func full() fake {
	return fake{
		figures: centre.Figures{
			Server: 1, Servers: []centre.ServerFigures{{Index: 1, Linked: true}, {Index: 2}},
			Epochs: []centre.EpochFigures{{Epoch: 3, Generation: 2, Threshold: 2, Shares: 3, Held: true}},
			Phase:  dkg.Judging, PhaseLasts: 90 * time.Second, PhaseAwaits: 1,
			Notices: map[uint32]centre.NoticeFigures{
				registry.ForkedFeed: {Kept: 2, Newest: time.Unix(1_800_000_000, 0)},
				77:                  {Kept: 1, Newest: time.Unix(1_700_000_000, 0)}, 78: {Kept: 1, Newest: time.Unix(1_700_000_500, 0)},
			},
			Streams:  map[string]int{wire.ProtocolDirectory.ID: 4},
			Refusals: []link.Count{{Protocol: "unknown", Code: wire.CodeTooLarge, By: "us", N: 5}, {Protocol: "unknown", Code: wire.CodeNone, By: "peer", N: 9}},
		},
		checks: []centre.Check{{Name: centre.CheckLeader}, {Name: centre.CheckDisk, Trouble: "is full"}},
	}
}

func watching(s Server) *Metrics {
	m := New(nil)
	m.Watch(s)
	return m
}

func TestNoNameOrHelpTextBreaksTheConventions(t *testing.T) {
	_, body := scrapeOf(t, watching(full()))
	problems, err := promlint.New(strings.NewReader(body)).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

func TestOneConditionThatFailsIsNotReady(t *testing.T) {
	m := watching(full())
	status, body := ready(t, m)
	if got := failing(body); status != http.StatusServiceUnavailable || body.Ready || got != "disk" {
		t.Fatalf("got %d, %+v", status, body)
	}
	got, _ := scrapeOf(t, m)
	if got["ready"] != 0 || got[`check_passed{check="leader"}`] != 1 || got[`check_passed{check="disk"}`] != 0 {
		t.Fatalf("got ready %v and checks that differ from /readyz", got["ready"])
	}
}

func TestAServerThatHasNotStartedIsNotReadyAndLives(t *testing.T) {
	m := New(nil)
	if status, body := ready(t, m); status != http.StatusServiceUnavailable || failing(body) != started {
		t.Fatalf("readiness: got %d, %+v", status, body)
	}
	if status, body := get(t, m, "/healthz"); status != http.StatusOK || body != "{\"alive\":true}\n" {
		t.Fatalf("health: got %d, %s", status, body)
	}
	got, _ := scrapeOf(t, m)
	if value, ok := got["ready"]; !ok || value != 0 {
		t.Fatalf("scrape: got ready %v, %t", value, ok)
	}
	if _, ok := got["voters"]; ok {
		t.Fatal("scrape: numbers of a server that is not there")
	}
}

func TestOnlyThePhaseOfTheCeremonyIsOne(t *testing.T) {
	got, _ := scrapeOf(t, watching(full()))
	var phases []string
	for name, value := range got {
		if strings.HasPrefix(name, "ceremony_phase{") && value == 1 {
			phases = append(phases, name)
		}
	}
	if !slices.Equal(phases, []string{`ceremony_phase{phase="judging"}`}) || got["ceremony_phase_seconds"] != 90 {
		t.Fatalf("got %v, %v s", phases, got["ceremony_phase_seconds"])
	}
}

func TestNoticesOfKindsToComeAreCountedTogether(t *testing.T) {
	got, _ := scrapeOf(t, watching(full()))
	for name, want := range (samples{
		`notices{kind="other"}`: 2, `notice_newest_timestamp_seconds{kind="other"}`: 1_700_000_500,
		`notices{kind="forked_feed"}`: 2, `notice_newest_timestamp_seconds{kind="forked_feed"}`: 1_800_000_000,
		`notices{kind="unusual_demand"}`: 0, `notice_newest_timestamp_seconds{kind="unusual_demand"}`: 0,
	}) {
		if had, ok := got[name]; !ok || had != want {
			t.Errorf("%s: got %v, %t, want %v", name, had, ok, want)
		}
	}
}

func TestWhatTheDiskDoesNotSayIsCountedAndTheRestIsShown(t *testing.T) {
	f := full()
	f.err = errors.New("stat: input/output error")
	m := watching(f)
	scrapeOf(t, m)
	got, _ := scrapeOf(t, m)
	if got["measure_errors_total"] < 1 || got["server_number"] != 1 {
		t.Fatalf("got %v errors, server %v", got["measure_errors_total"], got["server_number"])
	}
}

func TestAPortThatIsTakenIsNamed(t *testing.T) {
	first, err := New(nil).Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, err = New(nil).Listen(first.Address())
	if err == nil || !strings.Contains(err.Error(), first.Address()) {
		t.Fatalf("got %v, want %s in it", err, first.Address())
	}
	response, err := http.Get("http://" + first.Address() + "/healthz")
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("got %v, %v", response, err)
	}
	if err := errors.Join(response.Body.Close(), first.Close()); err != nil {
		t.Fatal(err)
	}
	again, err := New(nil).Listen(first.Address())
	if err != nil {
		t.Fatalf("after Close: %v", err)
	}
	if err := again.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestNoAddressServesNothing(t *testing.T) {
	s, err := New(nil).Listen("")
	if err != nil || s.Address() != "" || s.Close() != nil {
		t.Fatalf("got %v, %v", s, err)
	}
}

func TestMetricsAreServedToThisMachineAlone(t *testing.T) {
	rows := []struct {
		address string
		good    bool
	}{
		{"127.0.0.1:9464", true}, {"[::1]:9464", true}, {"127.9.9.9:0", true}, {"", true},
		{"0.0.0.0:9464", false}, {"192.0.2.1:9464", false}, {"[::]:9464", false}, {":9464", false}, {"localhost:9464", false}, {"9464", false},
	}
	for _, row := range rows {
		path := filepath.Join(t.TempDir(), "registry.toml")
		file := "listen = ['/ip4/0.0.0.0/tcp/4001']\nunlock = 'unlock.key'\nmetrics = '" + row.address + "'\n"
		if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := centre.Load(path)
		if row.good && (err != nil || c.Metrics != row.address) {
			t.Errorf("%q: got %q, %v", row.address, c.Metrics, err)
		}
		if !row.good && (err == nil || !strings.Contains(err.Error(), "metrics: ") || !strings.Contains(err.Error(), "127.0.0.1:9464")) {
			t.Errorf("%q: got %v, want what to write instead", row.address, err)
		}
	}
}
