package metrics

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// deployed is where the examples for operators lie.
var deployed = filepath.Join("..", "..", "deploy")

func readDeployed(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(deployed, name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// shown are the metrics of a scrape that has everything, each with its labels.
func shown(t *testing.T) map[string]map[string]bool {
	t.Helper()
	_, body := scrapeOf(t, watching(full()))
	metrics := make(map[string]map[string]bool)
	for line := range strings.Lines(body) {
		name, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		if name == "#" {
			continue
		}
		name, labels, _ := strings.Cut(name+" "+rest, "{")
		name, _, _ = strings.Cut(name, " ")
		if metrics[name] == nil {
			metrics[name] = map[string]bool{"job": true, "instance": true}
		}
		for _, l := range labelPattern.FindAllStringSubmatch(labels, -1) {
			metrics[name][l[1]] = true
		}
	}
	return metrics
}

var (
	metricPattern = regexp.MustCompile(`\b(?:interlock|process|go)_\w+(?:\{[^}]*\})?`)
	labelPattern  = regexp.MustCompile(`(\w+)\s*(?:=~|!~|!=|=)\s*"`)
)

// unknown returns what of an expression no scrape has: metrics, and labels that
// one is selected by.
func unknownIn(expression string, metrics map[string]map[string]bool) (list []string) {
	for _, found := range metricPattern.FindAllString(expression, -1) {
		name, selector, _ := strings.Cut(found, "{")
		labels, ok := metrics[name]
		if !ok {
			list = append(list, name)
			continue
		}
		for _, l := range labelPattern.FindAllStringSubmatch(selector, -1) {
			if !labels[l[1]] {
				list = append(list, name+" by "+l[1])
			}
		}
	}
	return list
}

func TestAnExpressionOfNoMetricIsFound(t *testing.T) {
	metrics := shown(t)
	for expression, want := range map[string]string{
		`interlock_registry_ready == 1`:                                               "[]",
		`rate(interlock_registry_evaluation_duration_seconds_bucket{le="1"}[5m])`:     "[]",
		`interlock_registry_raedy == 1`:                                               "[interlock_registry_raedy]",
		`interlock_registry_agencies{state="active"} + process_open_fds{job=~"$job"}`: "[interlock_registry_agencies by state]",
	} {
		if got := fmt.Sprint(unknownIn(expression, metrics)); got != want {
			t.Errorf("%s: got %s, want %s", expression, got, want)
		}
	}
}

// dashboard is what the test needs of Grafana's model.
type dashboard struct {
	UID, Title    string
	SchemaVersion int
	Panels        []struct {
		ID                       int
		Type, Title, Description string
		GridPos                  struct{ H, W, X, Y int }
		Targets                  []struct{ RefID, Expr string }
	}
	Templating struct{ List []struct{ Name, Type string } }
}

func TestTheDashboardShowsWhatAServerHas(t *testing.T) {
	var d dashboard
	if err := json.Unmarshal(readDeployed(t, "grafana/interlock-registry.json"), &d); err != nil {
		t.Fatal(err)
	}
	if d.UID == "" || d.Title == "" || d.SchemaVersion < 36 || len(d.Templating.List) != 3 {
		t.Fatalf("got uid %q, title %q, schema %d, %d variables", d.UID, d.Title, d.SchemaVersion, len(d.Templating.List))
	}
	metrics, ids, taken := shown(t), make(map[int]bool), make(map[[2]int]string)
	for _, p := range d.Panels {
		if ids[p.ID] || p.Title == "" {
			t.Errorf("panel %d %q: number taken, or no title", p.ID, p.Title)
		}
		ids[p.ID] = true
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				if other, ok := taken[[2]int{x, y}]; ok || x >= 24 {
					t.Fatalf("panel %q lies outside, or over %q", p.Title, other)
				}
				taken[[2]int{x, y}] = p.Title
			}
		}
		if p.Type != "row" && (len(p.Targets) == 0 || p.Description == "") {
			t.Errorf("panel %q shows nothing, or does not say what", p.Title)
		}
		for _, target := range p.Targets {
			if unknown := unknownIn(target.Expr, metrics); target.RefID == "" || !metricPattern.MatchString(target.Expr) || len(unknown) > 0 {
				t.Errorf("panel %q: %s: %v", p.Title, target.Expr, unknown)
			}
		}
	}
}

// rule is one alert of the rules file.
type rule struct{ alert, expr, holds, severity, summary, description string }

// parseRules reads the rules file: the small part of YAML that it is written
// in, one key on a line, each text in double quotes. Anything else is an error.
func parseRules(b []byte) (rules []rule, err error) {
	header := []string{"groups:", `  - name: "interlock-registry"`, "    rules:"}
	for line := range strings.Lines(string(b)) {
		line = strings.TrimRight(line, "\n")
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if len(header) > 0 {
			if line != header[0] {
				return nil, fmt.Errorf("%q: want %q", line, header[0])
			}
			header = header[1:]
			continue
		}
		if line == "        annotations:" {
			continue
		}
		key, text, _ := strings.Cut(line, `"`)
		text, tail := strings.CutSuffix(text, "}")
		text, err := strconv.Unquote(`"` + text)
		if err != nil || tail != strings.Contains(key, "{") {
			return nil, fmt.Errorf("%q: %w", line, err)
		}
		if key == "      - alert: " {
			rules = append(rules, rule{})
		}
		if len(rules) == 0 {
			return nil, fmt.Errorf("%q: before the first alert", line)
		}
		r := &rules[len(rules)-1]
		field, ok := map[string]*string{
			"      - alert: ": &r.alert, "        expr: ": &r.expr, "        for: ": &r.holds, "        labels: {severity: ": &r.severity,
			"          summary: ": &r.summary, "          description: ": &r.description,
		}[key]
		if !ok || *field != "" || text == "" {
			return nil, fmt.Errorf("%q: a key that is not known here, or was there already, or nothing in it", line)
		}
		*field = text
	}
	return rules, nil
}

func TestEveryAlertIsOfWhatAServerHas(t *testing.T) {
	rules, err := parseRules(readDeployed(t, "prometheus/interlock.rules.yml"))
	if err != nil {
		t.Fatal(err)
	}
	metrics, names := shown(t), make(map[string]bool)
	for _, r := range rules {
		if names[r.alert] || !strings.HasPrefix(r.alert, "Interlock") {
			t.Errorf("alert %q: another has this name, or it does not begin with Interlock", r.alert)
		}
		names[r.alert] = true
		if r.summary == "" || r.description == "" || r.severity != "critical" && r.severity != "warning" && r.severity != "info" {
			t.Errorf("alert %s: no text, or severity %q", r.alert, r.severity)
		}
		if unknown := unknownIn(r.expr, metrics); len(unknown) > 0 || r.alert != "InterlockServerDown" && !metricPattern.MatchString(r.expr) {
			t.Errorf("alert %s: %v", r.alert, unknown)
		}
	}
	for _, name := range []string{
		"InterlockNoLeader", "InterlockServerWithoutShare", "InterlockDirectoryNotEndorsed", "InterlockMembersBehind",
		"InterlockBudgetNearlyUsed", "InterlockNotice",
	} {
		if !names[name] {
			t.Errorf("no alert %s", name)
		}
	}
}
