package store

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/go-cmp/cmp"

	"interlock/crypto/oprf"
	"interlock/crypto/token"
	"interlock/node/alert"
	"interlock/node/casefile"
	"interlock/protocol/directory"
	"interlock/protocol/identifier"
)

const denver directory.AgencyID = "denver-pd"

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

func options(dir string, fs vfs.FS) Options {
	return Options{
		Dir: dir, Key: [32]byte{1}, Log: slog.New(slog.DiscardHandler), FS: fs,
		Free: func() (uint64, error) { return 1 << 40, nil },
	}
}

func open(t testing.TB, o Options) *Store {
	t.Helper()
	s, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil && !errors.Is(err, ErrDisk) {
			t.Error(err)
		}
	})
	return s
}

func update(t testing.TB, s *Store, f func(tx *Tx) error) {
	t.Helper()
	if err := s.Update(f); err != nil {
		t.Fatal(err)
	}
}

func view(t testing.TB, s *Store, f func(tx *Tx) error) {
	t.Helper()
	if err := s.View(f); err != nil {
		t.Fatal(err)
	}
}

func email(t testing.TB, raw string) identifier.Identifier {
	t.Helper()
	i, err := identifier.Parse(identifier.Email, raw, "US")
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func addCase(number string) func(tx *Tx) error {
	return func(tx *Tx) error {
		_, err := tx.AddCase(casefile.Case{Number: number, Opened: noon})
		return err
	}
}

func TestWhatUpdateReturnedSurvivesACrashAtAnyLaterInstant(t *testing.T) {
	mem := vfs.NewCrashableMem()
	s := open(t, options("/store", mem))
	for n := 1; n <= 20; n++ {
		update(t, s, addCase(fmt.Sprintf("C-%d", n)))
		clone := mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 0})
		after := open(t, options("/store", clone))
		view(t, after, func(tx *Tx) error {
			c, err := tx.Case(casefile.CaseID(n))
			if err != nil || c.Number != fmt.Sprintf("C-%d", n) {
				return fmt.Errorf("case %d after the crash: %q, %w", n, c.Number, err)
			}
			return nil
		})
	}
}

func TestAnUpdateThatFailsWritesNothing(t *testing.T) {
	s := open(t, options("/store", vfs.NewMem()))
	fault := errors.New("fault")
	err := s.Update(func(tx *Tx) error { return errors.Join(addCase("C-1")(tx), fault) })
	if !errors.Is(err, fault) {
		t.Fatalf("Update = %v, want %v", err, fault)
	}
	view(t, s, func(tx *Tx) error {
		if _, err := tx.Case(1); !errors.Is(err, ErrNotFound) {
			t.Errorf("Case(1) = %v, want %v", err, ErrNotFound)
		}
		return nil
	})
}

func TestAFailingDiskRefusesTheWriteAndLosesNothingAcknowledged(t *testing.T) {
	mem := vfs.NewCrashableMem()
	var failing atomic.Bool
	o := options("/store", mem)
	full := errors.New("no space left on device")
	o.Disk = func() error {
		if failing.Load() {
			return full
		}
		return nil
	}
	s := open(t, o)
	update(t, s, addCase("C-1"))
	failing.Store(true)
	for n := range 3 {
		if err := s.Update(addCase(fmt.Sprintf("C-%d", n+2))); !errors.Is(err, ErrDisk) {
			t.Fatalf("Update on a failing disk = %v, want %v", err, ErrDisk)
		}
	}
	failing.Store(false)
	after := open(t, options("/store", mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 0})))
	view(t, after, func(tx *Tx) error {
		if c, err := tx.Case(1); err != nil || c.Number != "C-1" {
			t.Errorf("acknowledged case = %q, %v", c.Number, err)
		}
		return nil
	})
	update(t, after, addCase("C-9"))
}

// TestNobodySeesWhatIsNotOnTheDisk holds the sync back, and then fails it:
// what a crash could take back is never shown, so it is never sent on.
func TestNobodySeesWhatIsNotOnTheDisk(t *testing.T) {
	mem := vfs.NewCrashableMem()
	var hold atomic.Bool
	held, release := make(chan struct{}, 100), make(chan struct{})
	o := options("/store", mem)
	o.Disk = func() error {
		if !hold.Load() {
			return nil
		}
		held <- struct{}{}
		<-release
		return errors.New("input/output error")
	}
	s := open(t, o)
	update(t, s, addCase("C-1"))
	hold.Store(true)
	done, seen := make(chan error), make(chan error)
	go func() { done <- s.Update(addCase("C-2")) }()
	<-held
	go func() {
		seen <- s.View(func(tx *Tx) error {
			_, err := tx.Case(2)
			return err
		})
	}()
	close(release)
	if err := <-done; !errors.Is(err, ErrDisk) {
		t.Errorf("Update = %v, want %v", err, ErrDisk)
	}
	if err := <-seen; !errors.Is(err, ErrNotFound) {
		t.Errorf("a reader meanwhile: %v, want %v", err, ErrNotFound)
	}
	view(t, s, func(tx *Tx) error {
		if _, err := tx.Case(2); !errors.Is(err, ErrNotFound) {
			t.Errorf("a reader afterwards: %v, want %v", err, ErrNotFound)
		}
		_, err := tx.Case(1)
		return err
	})
}

func TestAFullDiskRefusesTheWriteAndIsReadOn(t *testing.T) {
	o := options("/store", vfs.NewMem())
	var free atomic.Uint64
	free.Store(1 << 40)
	o.Free = func() (uint64, error) { return free.Load(), nil }
	s := open(t, o)
	update(t, s, addCase("C-1"))
	free.Store(foreignReserve - 1)
	if err := s.UpdateForeign(addCase("C-2")); !errors.Is(err, ErrDisk) {
		t.Errorf("UpdateForeign = %v, want %v while officers can still save", err, ErrDisk)
	}
	update(t, s, addCase("C-3"))
	free.Store(reserve - 1)
	if err := s.Update(addCase("C-2")); !errors.Is(err, ErrDisk) {
		t.Errorf("Update = %v, want %v", err, ErrDisk)
	}
	view(t, s, func(tx *Tx) error { _, err := tx.Case(1); return err })
	free.Store(1 << 40)
	update(t, s, addCase("C-2"))
}

func TestASecondProcessOnOneFolderIsRefused(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	s := open(t, options(dir, nil))
	update(t, s, addCase("C-1"))
	if _, err := Open(options(dir, nil)); !errors.Is(err, ErrInUse) {
		t.Fatalf("second Open = %v, want %v", err, ErrInUse)
	}
	update(t, s, addCase("C-2"))
}

func TestNothingReadableLiesOnTheDisk(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	s := open(t, options(dir, nil))
	const secret = "marker.of.a.suspect@example.org"
	update(t, s, func(tx *Tx) error {
		_, err := tx.IdentifierID(email(t, secret))
		return errors.Join(err, addCase("MARKER-CASE")(tx))
	})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		b, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		for _, marker := range []string{secret, "MARKER-CASE", "suspect", "leveldb", "comparer"} {
			if strings.Contains(string(b), marker) {
				t.Errorf("%s holds %q in the clear", f.Name(), marker)
			}
		}
	}
	o := options(dir, nil)
	o.Key = [32]byte{2}
	if other, err := Open(o); err == nil {
		t.Error("opened under another key", other.Close())
	}
}

func TestACaseNumberIsUniqueWhateverItsCase(t *testing.T) {
	s := open(t, options("/store", vfs.NewMem()))
	update(t, s, addCase("Dpd-1"))
	if err := s.Update(addCase("DPD-1")); !errors.Is(err, ErrNumberTaken) {
		t.Errorf("AddCase = %v, want %v", err, ErrNumberTaken)
	}
}

func TestHoldingAnIdentifierTwiceCountsItOnce(t *testing.T) {
	s := open(t, options("/store", vfs.NewMem()))
	i := email(t, "j.doe@example.org")
	sighting := casefile.Sighting{Source: casefile.Source{Name: "tip.txt", Format: "text"}, Line: 3, By: "m.okafor", At: noon}
	var news []bool
	update(t, s, func(tx *Tx) error {
		for _, c := range []casefile.CaseID{1, 1, 2} {
			id, err := tx.IdentifierID(i)
			if err != nil {
				return err
			}
			isNew, err := tx.Hold(c, id, sighting)
			if err != nil {
				return err
			}
			news = append(news, isNew)
			if err := tx.Wait(id); err != nil {
				return err
			}
		}
		return nil
	})
	if want := []bool{true, false, true}; !cmp.Equal(news, want) {
		t.Errorf("Hold reported new %v, want %v", news, want)
	}
	view(t, s, func(tx *Tx) error {
		list, err := tx.Holdings(1, 10)
		if err != nil {
			return err
		}
		if len(list) != 1 || list[0].Seen != 2 || list[0].Identifier != i || list[0].State != casefile.Waiting ||
			!cmp.Equal(list[0].Sightings, []casefile.Sighting{sighting, sighting}) {
			t.Errorf("Holdings = %+v", list)
		}
		cases, err := tx.CasesHolding(1)
		if !cmp.Equal(cases, []casefile.CaseID{1, 2}) {
			t.Errorf("CasesHolding = %v, want 1 and 2", cases)
		}
		return err
	})
	update(t, s, func(tx *Tx) error { return tx.PutToken(1, 4, oprf.Token{9}) })
	view(t, s, func(tx *Tx) error {
		got, epoch, err := tx.Token(1)
		waiting, werr := tx.Waiting(10)
		if got != (oprf.Token{9}) || epoch != 4 || len(waiting) != 0 {
			t.Errorf("token kept %t, epoch %d, waiting %v", got == oprf.Token{9}, epoch, waiting)
		}
		return errors.Join(err, werr)
	})
}

func TestAnAlertIsOnePerPairOfCases(t *testing.T) {
	s := open(t, options("/store", vfs.NewMem()))
	p := alert.Pair{Case: 1, Agency: "boulder-so", Theirs: token.CasePointer{4}}
	ground := func(raw string) alert.Ground { return alert.Ground{Identifier: email(t, raw), At: noon} }
	for range 2 {
		update(t, s, func(tx *Tx) error {
			return errors.Join(tx.Raise(p, ground("a@example.org")), tx.Raise(p, ground("b@example.org")))
		})
	}
	update(t, s, func(tx *Tx) error {
		if err := tx.Raise(p, ground("a@example.org")); err != nil {
			return err
		}
		again, err := tx.Raised()
		if len(again) != 0 {
			t.Errorf("a repeated ground counts as %d raised alerts, want none", len(again))
		}
		return err
	})
	view(t, s, func(tx *Tx) error {
		n := 0
		err := tx.RecentAlerts(func(a alert.Alert) (bool, error) {
			n++
			if len(a.Grounds) != 2 || a.Total != 2 || a.Pair != p || !a.Raised.Equal(noon) {
				t.Errorf("alert = %+v, want two grounds", a)
			}
			return true, nil
		})
		if n != 1 {
			t.Errorf("%d alerts, want 1", n)
		}
		return err
	})
}
