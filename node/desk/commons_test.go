package desk

import (
	"errors"
	"strings"
	"testing"

	"interlock/node/alert"
	"interlock/node/casefile"
	"interlock/node/commons"
	"interlock/node/intake"
	"interlock/node/store"
	"interlock/protocol/identifier"
)

func email(t *testing.T, raw string) identifier.Identifier {
	t.Helper()
	i, err := identifier.Parse(identifier.Email, raw, "US")
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// holds has a case hold an identifier, as a saved draft does.
func (r *room) holds(t *testing.T, c casefile.CaseID, i identifier.Identifier) (id casefile.IdentifierID) {
	t.Helper()
	err := r.store.Update(func(tx *store.Tx) (err error) {
		id, _, err = r.flow.Hold(tx, c, casefile.Found{Identifier: i})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func TestASupervisorAloneMutesAndSaysWhy(t *testing.T) {
	r := newRoom(t)
	lifted := 0
	r.unmuted = func() { lifted++ }
	id := r.holds(t, r.opens(t, okafor, "D-1"), email(t, "everybody@example.org"))
	const reason = "The school's own mailbox."
	for _, tt := range []struct {
		name   string
		by     casefile.Officer
		reason string
		want   string // a part of the sentence
	}{
		{"the officer of the case", okafor, reason, "Only a supervisor"},
		{"without a reason", chief, " ", "Say why."},
		{"with a reason of two lines", chief, "a\nb", "on one line"},
		{"with a reason too long", chief, strings.Repeat("x", MaxMuteReason+1), "at most 300"},
	} {
		var s *casefile.Sentence
		if err := r.Mute(tt.by, id, tt.reason); !errors.As(err, &s) || !strings.Contains(s.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
	for _, by := range []casefile.Officer{lind, admin} {
		if err := r.Mute(by, id, reason); !errors.Is(err, ErrNotFound) {
			t.Errorf("%s, who does not read the case: %v, want ErrNotFound", by.Name, err)
		}
	}
	if err := r.Mute(chief, id, reason); err != nil {
		t.Fatal(err)
	}
	var s *casefile.Sentence
	if err := r.Mute(chief, id, "Again."); !errors.As(err, &s) {
		t.Errorf("muted twice: %v, want a sentence", err)
	}
	v, err := r.Value(okafor, id)
	if err != nil || v.Muted.ByAgency == nil || *v.Muted.ByAgency != (store.Mute{By: "chief", At: r.clock.now, Reason: reason}) {
		t.Errorf("the value is %+v (%v)", v.Muted, err)
	}
	for by, want := range map[string]int{"okafor": 1, "lind": 0} {
		list, total, err := r.Mutes(map[string]casefile.Officer{"okafor": okafor, "lind": lind}[by])
		if len(list) != want || total != want || err != nil {
			t.Errorf("%s reads %d of %d mutes (%v), want %d", by, len(list), total, err, want)
		}
	}
	if err := r.Unmute(chief, id, "It was hers."); err != nil || lifted != 1 {
		t.Errorf("lifted: %v, told %d times, want once", err, lifted)
	}
	if err := r.Unmute(chief, id, "Again."); !errors.As(err, &s) || lifted != 1 {
		t.Errorf("lifted twice: %v, told %d times, want a sentence and once", err, lifted)
	}
	if v, err := r.Value(okafor, id); err != nil || v.Muted.ByAgency != nil || len(v.Events) != 2 {
		t.Errorf("after that the value is %+v with %d events (%v)", v.Muted, len(v.Events), err)
	}
}

func TestAnAlertOnAMutedValueWaitsForNobody(t *testing.T) {
	r := newRoom(t)
	c, i := r.opens(t, okafor, "D-1"), email(t, "everybody@example.org")
	id := r.holds(t, c, i)
	err := r.store.Update(func(tx *store.Tx) error {
		return tx.Raise(alert.Pair{Case: c, Agency: "boulder-so"}, alert.Ground{Identifier: i, At: r.clock.now})
	})
	if err != nil {
		t.Fatal(err)
	}
	counts := func(want int) {
		t.Helper()
		n, err := r.Unseen(okafor)
		cases, listing := r.Cases(okafor)
		if err := errors.Join(err, listing); err != nil || n != want || cases[0].Unseen != want || cases[0].Alerts != 1 {
			t.Errorf("%d wait, and %d of %d at the case (%v), want %d of 1", n, cases[0].Unseen, cases[0].Alerts, err, want)
		}
	}
	counts(1)
	if err := r.Mute(chief, id, "A newsletter."); err != nil {
		t.Fatal(err)
	}
	counts(0)
	if err := r.Unmute(chief, id, "Not one."); err != nil {
		t.Fatal(err)
	}
	counts(1)
}

func TestAListOfTheAgencysOwnWarnsUntilItIsDropped(t *testing.T) {
	r := newRoom(t)
	c := r.opens(t, okafor, "D-1")
	draft, err := r.Draft(okafor, c, intake.Text("tip", "exit 185.220.101.7 seen", "US"), "")
	if err != nil {
		t.Fatal(err)
	}
	warned := func(want string) {
		t.Helper()
		d, err := r.OpenDraft(okafor, c, draft)
		if err != nil || len(d.Lines) != 1 || d.Lines[0].Warning.List != want {
			t.Errorf("%d lines, %+v (%v), want a warning by %q", len(d.Lines), d.Lines, err, want)
		}
	}
	warned("")
	if about, err := r.LoadWarnList("tor-exits", "185.220.101.7\n"); err != nil || about.Entries != 1 || !about.Own {
		t.Errorf("loaded: %+v (%v)", about, err)
	}
	warned("tor-exits")
	var s *casefile.Sentence
	for name, text := range map[string]string{"tor-exits": "two words\n", "No Name": "", "big": strings.Repeat("a", commons.MaxText+1)} {
		if _, err := r.LoadWarnList(name, text); !errors.As(err, &s) {
			t.Errorf("a wrong list %q is loaded: %v", name, err)
		}
	}
	warned("tor-exits")
	if err := r.DropWarnList("tor-exits"); err != nil {
		t.Fatal(err)
	}
	warned("")
	if err := r.DropWarnList("tor-exits"); !errors.As(err, &s) {
		t.Errorf("dropped twice: %v, want a sentence", err)
	}
}
