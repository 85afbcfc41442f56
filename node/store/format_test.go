package store

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"interlock/crypto/oprf"
	"interlock/crypto/token"
	"interlock/node/alert"
	"interlock/node/casefile"
	"interlock/protocol/directory"
	"interlock/protocol/feed"
	"interlock/protocol/identifier"
)

// write makes testdata/v1 anew; only before a format was ever released.
var write = flag.Bool("write-v1", false, "write the store of format 1 anew")

var (
	v1Case     = casefile.Case{Number: "DPD-2026-0412", Title: "Title", Officers: []casefile.OfficerName{"m.okafor"}, Opened: noon, Pointer: token.CasePointer{7}}
	v1Note     = casefile.Note{By: "m.okafor", At: noon, Text: "A note."}
	v1Sighting = casefile.Sighting{Source: casefile.Source{Name: "tip.txt", Format: "text", SHA256: [32]byte{5}}, Line: 3, By: "m.okafor", At: noon}
	v1Feed     = feed.ID{Author: denver}
	v1Entry    = feed.Entry{Number: 1, Kind: feed.Announce, Epoch: 1, Tag: token.Tag{1, 2, 3}}
	v1Pair     = alert.Pair{Case: 1, Agency: "boulder-so", Theirs: token.CasePointer{9}}
	v1Officer  = casefile.Officer{Name: "m.okafor", FullName: "M. Okafor", Role: casefile.Investigator, Password: "hash", Created: noon}
)

func writeV1(t *testing.T, i identifier.Identifier, dir string) {
	t.Helper()
	s := open(t, options(dir, nil))
	update(t, s, func(tx *Tx) error {
		c, err := tx.AddCase(v1Case)
		if err != nil {
			return err
		}
		id, err := tx.IdentifierID(i)
		if err != nil {
			return err
		}
		_, hold := tx.Hold(c.ID, id, v1Sighting)
		_, note := tx.AddNote(c.ID, v1Note)
		entry := tx.PutEntries(v1Feed, []feed.Entry{v1Entry})
		return errors.Join(hold, note, entry,
			tx.PutOfficer(v1Officer), tx.PutToken(id, 1, oprf.Token{8}), tx.PutHead(feed.Empty(v1Feed, 1, make([]byte, 64))),
			tx.Expect("boulder-so", 1, token.Tag{4}, id), tx.PutMember(Member{Agency: "boulder-so", Active: true, Done: 1, Until: 1}),
			tx.Raise(v1Pair, alert.Ground{Identifier: i, Handling: token.H1, At: noon}), tx.SeeAlert(v1Pair.ID(), "m.okafor"),
			tx.PutMeta("agency", []byte("denver-pd")))
	})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestTheStoreOfFormat1IsStillRead opens a store that an earlier build wrote.
func TestTheStoreOfFormat1IsStillRead(t *testing.T) {
	kept := filepath.Join("testdata", "v1")
	i := email(t, "j.doe@example.org")
	if *write {
		writeV1(t, i, kept)
	}
	dir := filepath.Join(t.TempDir(), "store")
	if err := os.CopyFS(dir, os.DirFS(kept)); err != nil {
		t.Fatal(err)
	}
	s := open(t, options(dir, nil))
	same := func(what string, got, want any) {
		t.Helper()
		if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b identifier.Identifier) bool { return a == b }),
			cmp.Comparer(func(a, b token.Tag) bool { return a == b }), cmp.Comparer(func(a, b directory.Audience) bool { return a == b })); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
	view(t, s, func(tx *Tx) error {
		c, err := tx.Case(1)
		want := v1Case
		want.ID = 1
		same("case", c, want)
		notes, err2 := tx.Notes(1)
		note := v1Note
		note.Number = 1
		same("notes", notes, []casefile.Note{note})
		held, err3 := tx.Holdings(1, 10)
		same("holdings", held, []casefile.Holding{{Identifier: i, Sightings: []casefile.Sighting{v1Sighting}, Seen: 1, State: casefile.Announced}})
		tok, epoch, err4 := tx.Token(1)
		if tok != (oprf.Token{8}) || epoch != 1 {
			t.Error("the token is another")
		}
		found, err5 := tx.Tagged(denver, 1, v1Entry.Tag)
		same("entry", found, []Announced{{Entry: v1Entry}})
		expected, err6 := tx.Expected("boulder-so", 1, token.Tag{4})
		same("expected", expected, []casefile.IdentifierID{1})
		a, err7 := tx.Alert(v1Pair.ID())
		same("alert", a, alert.Alert{
			ID: v1Pair.ID(), Pair: v1Pair, Total: 1, Raised: noon, SeenBy: []casefile.OfficerName{"m.okafor"},
			Grounds: []alert.Ground{{Identifier: i, Handling: token.H1, At: noon}},
		})
		o, err8 := tx.Officer("m.okafor")
		same("officer", o, v1Officer)
		m, err9 := tx.Member("boulder-so")
		same("member", m, Member{Agency: "boulder-so", Active: true, Done: 1, Until: 1})
		return errors.Join(err, err2, err3, err4, err5, err6, err7, err8, err9)
	})
}
