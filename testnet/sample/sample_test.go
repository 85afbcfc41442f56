package sample

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"path"
	"slices"
	"testing"

	"interlock/node/casefile"
	"interlock/protocol/identifier"

	"github.com/google/go-cmp/cmp"
)

func TestEveryEmbeddedFileIsInACase(t *testing.T) {
	var embedded, used []string
	err := fs.WalkDir(files, "files", func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			embedded = append(embedded, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range Agencies() {
		for _, c := range a.Cases {
			if got := len(c.Files); got < 2 || got > 5 {
				t.Errorf("case %s has %d files, want 2 to 5", c.Number, got)
			}
			for _, f := range c.Files {
				used = append(used, path.Join("files", a.ID, c.Number, f.Name))
			}
		}
	}
	slices.Sort(embedded)
	slices.Sort(used)
	if diff := cmp.Diff(embedded, used); diff != "" {
		t.Errorf("embedded files (-) and files of cases (+) differ:\n%s", diff)
	}
}

func TestAgenciesCanBeSetUpAsTheyStand(t *testing.T) {
	numbers := make(map[string]bool)
	for _, a := range Agencies() {
		if _, err := identifier.ParseRegion(a.Region); err != nil {
			t.Errorf("agency %s: region %q: %v", a.ID, a.Region, err)
		}
		supervisors := 0
		officers := make(map[string]bool)
		for _, o := range a.Officers {
			officers[o.Name] = true
			if _, err := casefile.ParseOfficerName(o.Name); err != nil {
				t.Errorf("agency %s: officer %q: %v", a.ID, o.Name, err)
			}
			role, err := casefile.ParseRole(o.Role)
			if err != nil {
				t.Errorf("agency %s: officer %s: %v", a.ID, o.Name, err)
			}
			if role == casefile.Supervisor {
				supervisors++
			}
		}
		if len(officers) != 2 || supervisors != 1 {
			t.Errorf("agency %s has %d officers, of them %d supervisors; want 2 and 1", a.ID, len(officers), supervisors)
		}
		for _, c := range a.Cases {
			want := casefile.NewCase{Number: c.Number, Title: c.Title}
			if got, err := want.Check(); err != nil || got != want {
				t.Errorf("agency %s: case %s would be stored as %+v, %v", a.ID, c.Number, got, err)
			}
			if !officers[c.Officer] {
				t.Errorf("case %s is opened by %q, who is not an officer of %s", c.Number, c.Officer, a.ID)
			}
			if numbers[c.Number] {
				t.Errorf("case number %s is given twice", c.Number)
			}
			numbers[c.Number] = true
		}
	}
}

func TestACallerCannotSpoilTheDataForOthers(t *testing.T) {
	first := Agencies()
	want := bytes.Clone(first[0].Cases[0].Files[0].Content)
	clear(first[0].Cases[0].Files[0].Content)
	first[0].Cases[0].Number = "spoilt"
	again := Agencies()[0].Cases[0]
	if !bytes.Equal(again.Files[0].Content, want) || again.Number == "spoilt" {
		t.Error("a change to one result of Agencies shows in the next")
	}
}

func TestTheListIsWellFormed(t *testing.T) {
	decoder := json.NewDecoder(bytes.NewReader(sharedList))
	decoder.DisallowUnknownFields()
	var list []Shared
	if err := decoder.Decode(&list); err != nil {
		t.Fatalf("shared.json: %v", err)
	}
	cases := make(map[Holder]bool)
	for _, a := range Agencies() {
		for _, c := range a.Cases {
			cases[Holder{a.ID, c.Number}] = true
		}
	}
	kinds := make(map[identifier.Kind]bool)
	values := make(map[identifier.Identifier]bool)
	byAgencies := make(map[int]int)
	for _, s := range list {
		id := parsed(t, s.Kind, s.Value)
		if values[id] {
			t.Errorf("%s is listed twice", s.Value)
		}
		values[id] = true
		kinds[id.Kind()] = true
		agencies := make(map[string]bool)
		holders := make(map[Holder]bool)
		for _, h := range s.Holders {
			if !cases[h] || holders[h] {
				t.Errorf("%s: holder %+v is no case, or is named twice", s.Value, h)
			}
			holders[h] = true
			agencies[h.Agency] = true
		}
		byAgencies[len(agencies)]++
	}
	if want := map[int]int{2: 15, 3: 2}; !cmp.Equal(byAgencies, want) {
		t.Errorf("identifiers by the number of agencies that hold them: got %v, want %v", byAgencies, want)
	}
	if len(kinds) != len(identifier.Kinds()) {
		t.Errorf("the list has %d kinds of identifier, want all %d", len(kinds), len(identifier.Kinds()))
	}
}

// parsed returns the identifier that a value in canonical form stands for.
func parsed(t *testing.T, kind, value string) identifier.Identifier {
	t.Helper()
	k, err := identifier.ParseKind(kind)
	if err != nil {
		t.Fatalf("%s %s: %v", kind, value, err)
	}
	id, err := identifier.Parse(k, value, "")
	if err != nil {
		t.Fatalf("%s %s: %v", kind, value, err)
	}
	if id.Value() != value {
		t.Errorf("%s %s is not in canonical form, which is %s", kind, value, id.Value())
	}
	return id
}
