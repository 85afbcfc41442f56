package sample

import (
	"bytes"
	"maps"
	"slices"
	"testing"

	"interlock/node/intake"
	"interlock/protocol/identifier"

	"github.com/google/go-cmp/cmp"
)

// place is what the readers found of one identifier.
type place struct {
	holders map[Holder]bool
	written map[string]bool // the ways in which it is written
}

// agencies returns the identifiers of the agencies that hold it.
func (p place) agencies() []string {
	ids := make(map[string]bool)
	for h := range p.holders {
		ids[h.Agency] = true
	}
	return slices.Sorted(maps.Keys(ids))
}

// readAll reads every file as an agency's node does.
func readAll(t *testing.T) map[identifier.Identifier]place {
	t.Helper()
	found := make(map[identifier.Identifier]place)
	for _, a := range Agencies() {
		for _, c := range a.Cases {
			for _, f := range c.Files {
				report, err := intake.Read(f.Name, bytes.NewReader(f.Content), identifier.Region(a.Region))
				if err != nil {
					t.Fatalf("read %s of case %s: %v", f.Name, c.Number, err)
				}
				for _, problem := range report.Problems {
					t.Errorf("%s of case %s, line %d: %s", f.Name, c.Number, problem.Line, problem.Sentence)
				}
				for _, item := range report.Items {
					if found[item.Identifier].holders == nil {
						found[item.Identifier] = place{make(map[Holder]bool), make(map[string]bool)}
					}
					found[item.Identifier].holders[Holder{a.ID, c.Number}] = true
					found[item.Identifier].written[item.Raw] = true
				}
			}
		}
	}
	return found
}

func TestTheFilesHoldExactlyWhatTheListSays(t *testing.T) {
	found := readAll(t)
	listed := make(map[identifier.Identifier]bool)
	for _, s := range SharedIdentifiers() {
		id := parsed(t, s.Kind, s.Value)
		listed[id] = true
		want := make(map[Holder]bool)
		for _, h := range s.Holders {
			want[h] = true
		}
		if diff := cmp.Diff(want, found[id].holders); diff != "" {
			t.Errorf("%s %s: holders by shared.json (-) and by the files (+):\n%s", s.Kind, s.Value, diff)
		}
	}
	for id, p := range found {
		if got := p.agencies(); len(got) > 1 && !listed[id] {
			t.Errorf("%s %s is in the files of %v and not in shared.json", id.Kind(), id.Value(), got)
		}
	}
}

func TestSharedIdentifiersAreWrittenDifferently(t *testing.T) {
	found := readAll(t)
	for _, s := range SharedIdentifiers() {
		if got := found[parsed(t, s.Kind, s.Value)].written; len(got) < 2 {
			t.Errorf("%s %s is written in one way only: %v", s.Kind, s.Value, slices.Sorted(maps.Keys(got)))
		}
	}
}

func TestEachAgencyHoldsAWorkloadAndSharesLittleOfIt(t *testing.T) {
	held := make(map[string]int)
	shared := make(map[string]int)
	for _, p := range readAll(t) {
		for _, agency := range p.agencies() {
			held[agency]++
			if len(p.agencies()) > 1 {
				shared[agency]++
			}
		}
	}
	for _, a := range Agencies() {
		t.Logf("%s holds %d identifiers, %d of them shared", a.ID, held[a.ID], shared[a.ID])
		if held[a.ID] < 60 || held[a.ID] > 150 {
			t.Errorf("%s holds %d identifiers, want 60 to 150", a.ID, held[a.ID])
		}
		if shared[a.ID]*5 > held[a.ID] {
			t.Errorf("%s shares %d of its %d identifiers, want at most a fifth", a.ID, shared[a.ID], held[a.ID])
		}
	}
}

// nearMisses are identifiers that look like a shared one.
var nearMisses = []struct {
	kind, value string
	holder      Holder
	like        string // the shared value
}{
	{"phone", "+14165550124", Holder{"boulder-so", "BCSO-26-00318"}, "+14165550142"},
	{"phone", "+14165550143", Holder{"toronto-ps", "TPS-2026-18844"}, "+14165550142"},
	{"phone", "+447700900381", Holder{"denver-pd", "DPD-2026-0701"}, "+447700900318"},
	{"email", "jdoe@example.org", Holder{"boulder-so", "BCSO-26-00318"}, "j.doe@example.org"},
	{"email", "r.penhallow+photo@mail.example.net", Holder{"toronto-ps", "TPS-2026-19377"}, "r.penhallow@mail.example.net"},
	{"ip", "192.52.193.16", Holder{"toronto-ps", "TPS-2026-19102"}, "192.52.193.61"},
	{"ip", "2620:4f:8000::a1:c25", Holder{"boulder-so", "BCSO-26-00344"}, "2620:4f:8000::a1:c52"},
	{"url", "http://files.lanternroom.example/d/7f3b", Holder{"denver-pd", "DPD-2026-0701"}, "http://files.lanternroom.example/d/7f3a"},
	{"domain", "quarryboard-two.example", Holder{"denver-pd", "DPD-2026-0701"}, "quarryboard.example"},
	{"account", "kik:northlight_773", Holder{"toronto-ps", "TPS-2026-19102"}, "kik:northlight_772"},
	{"account", "instagram:birch_walk_0419", Holder{"denver-pd", "DPD-2026-0412"}, "snapchat:birch_walk_0419"},
	{"account", "instagram:lantern_keeper_88.art", Holder{"toronto-ps", "TPS-2026-19510"}, "telegram:lantern_keeper_88"},
	{"md5", "c26fde8cc15f4d07913cf994909d5e18", Holder{"toronto-ps", "TPS-2026-19377"}, "c26fde8cc15f4d07913cf994909d5e08"},
	{"sha256", "fac57d9ba69db4b9ff672a73f12434b7a3962c2a45bcaf883e4feb8590cc2dca", Holder{"denver-pd", "DPD-2026-0633"},
		"fac57d9ba69db4b9ff672a73f12434b7a3962c2a45bcaf883e4feb8590cc2dba"},
}

func TestWhatOnlyLooksAlikeIsInOneCaseOnly(t *testing.T) {
	found := readAll(t)
	shared := make(map[string]bool)
	for _, s := range SharedIdentifiers() {
		shared[s.Value] = true
	}
	for _, miss := range nearMisses {
		if !shared[miss.like] || shared[miss.value] {
			t.Errorf("%s should look like the shared %s, and not be shared itself", miss.value, miss.like)
		}
		want := map[Holder]bool{miss.holder: true}
		if diff := cmp.Diff(want, found[parsed(t, miss.kind, miss.value)].holders); diff != "" {
			t.Errorf("%s %s: holders wanted (-) and found (+):\n%s", miss.kind, miss.value, diff)
		}
	}
}
