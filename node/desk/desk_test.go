package desk

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/go-cmp/cmp"

	"interlock/crypto/token"
	"interlock/node/alert"
	"interlock/node/casefile"
	"interlock/node/desk/rehearsal"
	"interlock/node/intake"
	"interlock/node/store"
	"interlock/protocol/directory"
	"interlock/protocol/identifier"
)

// flow holds what is entered and goes no further.
type flow struct {
	rehearsal.Flow
	fails int // after so many steps
	steps int
}

var errFault = errors.New("fault")

func (f *flow) Enter(_ context.Context, c casefile.CaseID, found []casefile.Found, with func(*store.Tx, Saved) error) (s Saved, err error) {
	f.steps++
	if f.fails > 0 && f.steps > f.fails {
		return Saved{}, errFault
	}
	return s, f.Store.Update(func(tx *store.Tx) error {
		for _, one := range found {
			_, isNew, err := f.Hold(tx, c, one)
			if err != nil {
				return err
			}
			if isNew {
				s.Added++
			} else {
				s.Already++
			}
		}
		return with(tx, s)
	})
}

// network is a federation that nobody hears.
type network struct{ directory *directory.Directory }

func (n *network) Directory() *directory.Directory { return n.directory }
func (n *network) Status() NetworkStatus           { return NetworkStatus{} }

type clock struct{ now time.Time }

type room struct {
	*Desk
	flow    *flow
	store   *store.Store
	network *network
	covers  *covers
	clock   *clock
}

func newRoom(t *testing.T) *room {
	t.Helper()
	return newRoomOn(t, func() (uint64, error) { return 1 << 40, nil })
}

// newRoomOn is a room on a disk with so much left.
func newRoomOn(t *testing.T, free func() (uint64, error)) *room {
	t.Helper()
	s, err := store.Open(store.Options{
		Dir: "/store", FS: vfs.NewMem(), Log: slog.New(slog.DiscardHandler), Free: free,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	r := &room{store: s, network: &network{}, covers: &covers{}, clock: &clock{time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)}}
	now := func() time.Time { return r.clock.now }
	r.flow = &flow{Flow: rehearsal.Flow{Store: s, Now: now}}
	r.Desk = New(Options{
		Agency: directory.Agency{ID: "denver-pd"}, Store: s, Flow: r.flow, Network: r.network, Coverage: r.covers, Now: now,
	})
	return r
}

var (
	okafor = casefile.Officer{Name: "m.okafor", Role: casefile.Investigator}
	lind   = casefile.Officer{Name: "r.lind", Role: casefile.Investigator}
	chief  = casefile.Officer{Name: "chief", Role: casefile.Supervisor}
	admin  = casefile.Officer{Name: "admin", Role: casefile.Administrator}
)

func (r *room) opens(t *testing.T, by casefile.Officer, number string) casefile.CaseID {
	t.Helper()
	c, err := r.OpenCase(by, casefile.NewCase{Number: number})
	if err != nil {
		t.Fatal(err)
	}
	return c.ID
}

func report(t *testing.T, n int) intake.Report {
	t.Helper()
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "p%d@example.org\n", i)
	}
	r := intake.Text("tip", b.String(), identifier.Region("US"))
	if len(r.Items) != n {
		t.Fatalf("%d items, want %d", len(r.Items), n)
	}
	return r
}

func TestACaseIsThereForItsOfficersAndSupervisorsAlone(t *testing.T) {
	r := newRoom(t)
	id := r.opens(t, okafor, "D-1")
	for _, tt := range []struct {
		by  casefile.Officer
		may bool
	}{{okafor, true}, {chief, true}, {lind, false}, {admin, false}} {
		_, err := r.Case(tt.by, id)
		if may := err == nil; may != tt.may || !may && !errors.Is(err, ErrNotFound) {
			t.Errorf("%s opens the case: %v, want allowed %t", tt.by.Name, err, tt.may)
		}
		lines, err := r.Cases(tt.by)
		if err != nil || (len(lines) == 1) != tt.may {
			t.Errorf("%s sees %d cases, %v; want allowed %t", tt.by.Name, len(lines), err, tt.may)
		}
		_, err = r.AddNote(tt.by, id, "note")
		if may := err == nil; may != tt.may {
			t.Errorf("%s writes a note: %v, want allowed %t", tt.by.Name, err, tt.may)
		}
		_, err = r.Draft(tt.by, id, report(t, 1), "")
		if may := err == nil; may != tt.may {
			t.Errorf("%s hands in a text: %v, want allowed %t", tt.by.Name, err, tt.may)
		}
	}
	if _, err := r.Case(lind, 99); !errors.Is(err, ErrNotFound) {
		t.Errorf("a case that is not there: %v, want %v", err, ErrNotFound)
	}
}

func TestADraftIsSavedOnceWithItsNote(t *testing.T) {
	r := newRoom(t)
	id := r.opens(t, okafor, "D-1")
	draft, err := r.Draft(okafor, id, report(t, 3), "the tip")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.OpenDraft(chief, id, draft); !errors.Is(err, ErrNotFound) {
		t.Errorf("somebody else's draft: %v, want %v", err, ErrNotFound)
	}
	got, err := r.Save(t.Context(), okafor, id, draft, []int{1}, casefile.Sharing{})
	if err != nil || got != (Saved{Added: 2}) {
		t.Errorf("Save = %+v, %v; want 2 added", got, err)
	}
	if _, err := r.Save(t.Context(), okafor, id, draft, nil, casefile.Sharing{}); !errors.Is(err, ErrNotFound) {
		t.Errorf("saving again: %v, want %v", err, ErrNotFound)
	}
	c, err := r.Case(okafor, id)
	if err != nil || c.Total != 2 || len(c.Notes) != 1 || c.Notes[0].Text != "the tip" {
		t.Errorf("case has %d identifiers and notes %v, %v", c.Total, c.Notes, err)
	}
	again, err := r.Draft(okafor, id, report(t, 3), "")
	if err != nil {
		t.Fatal(err)
	}
	d, err := r.OpenDraft(okafor, id, again)
	if err != nil {
		t.Fatal(err)
	}
	var held []bool
	for _, l := range d.Lines {
		held = append(held, l.AlreadyHeld)
	}
	if want := []bool{true, false, true}; !cmp.Equal(held, want) {
		t.Errorf("already held %v, want %v", held, want)
	}
}

func TestAnInterruptedSaveGoesOnWhereItWas(t *testing.T) {
	r := newRoom(t)
	id := r.opens(t, okafor, "D-1")
	const n = 2*savedAtOnce + 10
	draft, err := r.Draft(okafor, id, report(t, n), "text")
	if err != nil {
		t.Fatal(err)
	}
	r.flow.fails = 1
	if _, err := r.Save(t.Context(), okafor, id, draft, nil, casefile.Sharing{}); !errors.Is(err, errFault) {
		t.Fatalf("Save = %v, want %v", err, errFault)
	}
	r.flow.fails = 0
	got, err := r.Save(t.Context(), okafor, id, draft, nil, casefile.Sharing{})
	if err != nil || got != (Saved{Added: n}) {
		t.Errorf("Save = %+v, %v; want %d added in all", got, err, n)
	}
	c, err := r.Case(okafor, id)
	if err != nil || c.Total != n || len(c.Notes) != 1 || c.Holdings[0].Seen != 1 {
		t.Errorf("case has %d identifiers, %d notes, the first seen %d times, %v", c.Total, len(c.Notes), c.Holdings[0].Seen, err)
	}
}

func TestADraftNobodyComesBackToIsDeleted(t *testing.T) {
	r := newRoom(t)
	id := r.opens(t, okafor, "D-1")
	old, err := r.Draft(okafor, id, report(t, 1), "")
	if err != nil {
		t.Fatal(err)
	}
	r.clock.now = r.clock.now.Add(DraftLife + time.Minute)
	if _, err := r.Draft(okafor, id, report(t, 1), ""); err != nil {
		t.Fatal(err)
	}
	if _, err := r.OpenDraft(okafor, id, old); !errors.Is(err, ErrNotFound) {
		t.Errorf("the old draft: %v, want %v", err, ErrNotFound)
	}
}

func TestAWrongNameAndAWrongPasswordReadAlike(t *testing.T) {
	r := newRoom(t)
	if err := r.AddOfficer(okafor, "correct horse battery"); err != nil {
		t.Fatal(err)
	}
	o, s, err := r.SignIn("m.okafor", "correct horse battery")
	if err != nil || o.Name != okafor.Name {
		t.Fatalf("SignIn = %s, %v", o.Name, err)
	}
	if got, err := r.Session(s); err != nil || got.Name != okafor.Name {
		t.Errorf("Session = %s, %v", got.Name, err)
	}
	_, _, wrong := r.SignIn("m.okafor", "wrong horse battery")
	_, _, unknown := r.SignIn("nobody", "correct horse battery")
	if wrong == nil || unknown == nil || wrong.Error() != unknown.Error() {
		t.Errorf("wrong password: %v; unknown name: %v", wrong, unknown)
	}
}

func TestAFullDiskIsSaidToTheOfficerAndNothingIsLost(t *testing.T) {
	var free uint64 = 1 << 40
	r := newRoomOn(t, func() (uint64, error) { return free, nil })
	id := r.opens(t, okafor, "D-1")
	draft, err := r.Draft(okafor, id, report(t, 2), "")
	if err != nil {
		t.Fatal(err)
	}
	free = 1 << 20
	for what, do := range map[string]func() error{
		"opening a case": func() error { _, err := r.OpenCase(okafor, casefile.NewCase{Number: "D-2"}); return err },
		"a note":         func() error { _, err := r.AddNote(okafor, id, "note"); return err },
		"a draft":        func() error { _, err := r.Draft(okafor, id, report(t, 1), ""); return err },
		"a save":         func() error { _, err := r.Save(t.Context(), okafor, id, draft, nil, casefile.Sharing{}); return err },
	} {
		var s *casefile.Sentence
		if err := do(); !errors.As(err, &s) || !strings.Contains(s.Text, "disk") {
			t.Errorf("%s on a full disk: %v, want a sentence about the disk", what, err)
		}
	}
	free = 1 << 40
	if got, err := r.Save(t.Context(), okafor, id, draft, nil, casefile.Sharing{}); err != nil || got.Added != 2 {
		t.Errorf("the same save once there is room: %+v, %v; want 2 added", got, err)
	}
}

func TestACrowdAtTheDoorIsTurnedAwayWithASentence(t *testing.T) {
	r := newRoom(t)
	for range hashesWaiting {
		r.queue <- struct{}{}
	}
	if _, _, err := r.SignIn("m.okafor", "correct horse battery"); !errors.Is(err, errCrowd) {
		t.Errorf("SignIn = %v, want %v", err, errCrowd)
	}
}

func TestASessionEnds(t *testing.T) {
	r := newRoom(t)
	if err := r.AddOfficer(okafor, "correct horse battery"); err != nil {
		t.Fatal(err)
	}
	in := func() Session {
		_, s, err := r.SignIn("m.okafor", "correct horse battery")
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	signedOut := func(what string, s Session) {
		t.Helper()
		if _, err := r.Session(s); !errors.Is(err, ErrSignedOut) {
			t.Errorf("%s: %v, want %v", what, err, ErrSignedOut)
		}
	}
	s := in()
	if err := r.SignOut(s); err != nil {
		t.Fatal(err)
	}
	signedOut("after signing out", s)
	s = in()
	r.clock.now = r.clock.now.Add(SessionIdle + time.Second)
	signedOut("unused for an hour", s)
	s = in()
	for range 12 * 2 {
		r.clock.now = r.clock.now.Add(30 * time.Minute)
		if _, err := r.Session(s); err != nil {
			t.Fatalf("a session in use: %v", err)
		}
	}
	r.clock.now = r.clock.now.Add(time.Second)
	signedOut("in use for twelve hours", s)
	s = in()
	if err := r.SetPassword("m.okafor", "another long password"); err != nil {
		t.Fatal(err)
	}
	signedOut("after a new password", s)
	signedOut("a made-up session", Session{1})
	var st *casefile.Sentence
	if err := r.AddOfficer(lind, "short"); !errors.As(err, &st) {
		t.Errorf("a short password: %v, want a sentence", err)
	}
}

func TestAlertsReachThoseWhoMayReadTheCase(t *testing.T) {
	r := newRoom(t)
	id := r.opens(t, okafor, "D-1")
	ctx, cancel := context.WithCancel(t.Context())
	mine, other, chiefs := r.Watch(ctx, okafor), r.Watch(ctx, lind), r.Watch(ctx, chief)
	i, err := identifier.Parse(identifier.Email, "a@example.org", "US")
	if err != nil {
		t.Fatal(err)
	}
	pair := alert.Pair{Case: id, Agency: "boulder-so", Theirs: token.CasePointer{1}}
	var raised []alert.Alert
	err = r.store.Update(func(tx *store.Tx) error {
		err := tx.Raise(pair, alert.Ground{Identifier: i, At: r.clock.now})
		if err == nil {
			raised, err = tx.Raised()
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Raised(raised); err != nil {
		t.Fatal(err)
	}
	for _, c := range []<-chan AlertLine{mine, chiefs} {
		if l := <-c; l.ID != pair.ID() || l.Case.ID != id || l.Seen {
			t.Errorf("pushed %+v", l)
		}
	}
	if _, err := r.Alert(lind, pair.ID()); !errors.Is(err, ErrNotFound) {
		t.Errorf("another officer's alert: %v, want %v", err, ErrNotFound)
	}
	if err := r.MarkSeen(okafor, pair.ID()); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		by   casefile.Officer
		want int
	}{{okafor, 0}, {chief, 1}, {lind, 0}} {
		if n, err := r.Unseen(tt.by); n != tt.want || err != nil {
			t.Errorf("%s has %d unseen, %v; want %d", tt.by.Name, n, err, tt.want)
		}
	}
	cancel()
	if l, open := <-other; open {
		t.Errorf("another officer was pushed %+v", l)
	}
}
