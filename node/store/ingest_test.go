package store

import (
	"errors"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"interlock/crypto/token"
	"interlock/node/casefile"
)

// ingested are tags in no order, of which some begin alike and one is there twice.
func ingested(n int) (list []Expectation, tags []token.Tag, want [][]casefile.IdentifierID) {
	for i := range n {
		list = append(list, Expectation{nth(i), casefile.IdentifierID(i + 1)})
		tags, want = append(tags, nth(i)), append(want, []casefile.IdentifierID{casefile.IdentifierID(i + 1)})
	}
	alike := list[0]
	alike.Tag[15]++
	alike.ID = 1 << 40
	want[0] = append(want[0], 1<<40)
	return append(list, alike, list[1]), tags, want
}

func built(t testing.TB, fs vfs.FS) (n int) {
	t.Helper()
	names, err := fs.List("/store")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if strings.HasPrefix(name, builtPrefix) {
			n++
		}
	}
	return n
}

func TestWhatAMemberWouldAnnounceIsTakenAtOnceAndDurably(t *testing.T) {
	mem := vfs.NewCrashableMem()
	s := open(t, options("/store", mem))
	list, tags, want := ingested(5000)
	done := func(tx *Tx) error { return tx.PutMember(Member{Agency: boulder, Done: 5000}) }
	update(t, s, func(tx *Tx) error { return tx.Expect(boulder, 1, tags[2], 3) })
	for range 2 { // the second time changes nothing
		if err := s.IngestExpected(boulder, 1, list, done); err != nil {
			t.Fatal(err)
		}
		s = open(t, options("/store", mem.CrashClone(vfs.CrashCloneCfg{})))
		equal(t, "expected", expected(t, s, boulder, 1, tags...), want)
		view(t, s, func(tx *Tx) error {
			m, err := tx.Member(boulder)
			equal(t, "member", m, Member{Agency: boulder, Done: 5000})
			return err
		})
	}
	if n := built(t, mem); n != 0 {
		t.Errorf("%d built files were left", n)
	}
	update(t, s, func(tx *Tx) error { return tx.Unexpect(boulder, 1, tags[5], 6) })
	equal(t, "expected after one was taken back", expected(t, s, boulder, 1, tags[5]), [][]casefile.IdentifierID{nil})
}

func TestAnAbandonedIngestLeavesNothing(t *testing.T) {
	mem := vfs.NewMem()
	s := open(t, options("/store", mem))
	list, tags, _ := ingested(100)
	purged := errors.New("an identifier was purged meanwhile")
	if err := s.IngestExpected(boulder, 1, list, func(*Tx) error { return purged }); !errors.Is(err, purged) {
		t.Fatalf("IngestExpected = %v, want %v", err, purged)
	}
	equal(t, "expected", expected(t, s, boulder, 1, tags[1]), [][]casefile.IdentifierID{nil})
	if n := built(t, mem); n != 0 {
		t.Errorf("%d built files were left", n)
	}
}

func TestFilesOfAnInterruptedIngestAreRemoved(t *testing.T) {
	mem := vfs.NewMem()
	s := open(t, options("/store", mem))
	list, _, _ := ingested(100)
	if _, err := s.build(parts(1, 1, list)); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if n := built(t, mem); n == 0 {
		t.Fatal("no file was built")
	}
	open(t, options("/store", mem))
	if n := built(t, mem); n != 0 {
		t.Errorf("%d built files were left", n)
	}
}

func TestAnIngestOfNothingStillDoesWhatGoesWithIt(t *testing.T) {
	s := open(t, options("/store", vfs.NewMem()))
	err := s.IngestExpected(boulder, 1, nil, func(tx *Tx) error { return tx.PutMember(Member{Agency: boulder, Active: true}) })
	if err != nil {
		t.Fatal(err)
	}
	view(t, s, func(tx *Tx) error {
		m, err := tx.Member(boulder)
		equal(t, "member", m, Member{Agency: boulder, Active: true})
		return err
	})
}
