package store

import (
	"errors"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"interlock/crypto/token"
	"interlock/node/alert"
	"interlock/node/casefile"
	"interlock/protocol/identifier"
)

var sameIdentifier = cmp.Comparer(func(a, b identifier.Identifier) bool { return a == b })

func TestWhatIsMutedIsListedWithItsReasonAndItsHistory(t *testing.T) {
	s, i := open(t, options("/store", vfs.NewMem())), email(t, "everybody@example.org")
	mute := Mute{By: "s.lindqvist", At: noon, Reason: "The school's own mailbox."}
	unmute := Mute{By: "m.okafor", At: noon.Add(1), Reason: "It was hers alone."}
	update(t, s, func(tx *Tx) error { return tx.Mute(i, mute) })
	view(t, s, func(tx *Tx) error {
		got, err := tx.MuteOf(i)
		if diff := cmp.Diff(Muted{Identifier: i, ByAgency: &mute}, got, sameIdentifier); diff != "" {
			t.Errorf("muted (-want +got):\n%s", diff)
		}
		n := 0
		return errors.Join(err, tx.Mutes(func(m Muted) error {
			n++
			if n > 1 || m.Identifier != i {
				t.Errorf("%d are listed, want the one", n)
			}
			return nil
		}))
	})
	update(t, s, func(tx *Tx) error { return tx.Unmute(i, unmute) })
	if err := s.Update(func(tx *Tx) error { return tx.Unmute(i, unmute) }); !errors.Is(err, ErrNotFound) {
		t.Errorf("unmuted twice: %v, want ErrNotFound", err)
	}
	view(t, s, func(tx *Tx) error {
		if _, err := tx.MuteOf(i); !errors.Is(err, ErrNotFound) {
			t.Errorf("after the mute was lifted: %v, want ErrNotFound", err)
		}
		got, err := tx.MuteEvents(i)
		if diff := cmp.Diff([]MuteEvent{{mute, true}, {unmute, false}}, got); diff != "" {
			t.Errorf("history (-want +got):\n%s", diff)
		}
		return err
	})
}

func TestAnAlertThatStandsOnAMutedIdentifierAloneIsQuiet(t *testing.T) {
	s, common, rare := open(t, options("/store", vfs.NewMem())), email(t, "everybody@example.org"), email(t, "j.doe@example.org")
	raise(t, s, common, pairOf(1, 0), pairOf(1, 2))
	raise(t, s, rare, pairOf(1, 2))
	quiet := func() (quiet map[alert.Pair]bool) {
		quiet = map[alert.Pair]bool{}
		view(t, s, func(tx *Tx) error {
			return tx.CaseAlerts(1, func(a alert.Alert) error {
				quiet[a.Pair] = a.Quiet()
				return nil
			})
		})
		return quiet
	}
	update(t, s, func(tx *Tx) error { return tx.Mute(common, Mute{By: "s.lindqvist", At: noon}) })
	if diff := cmp.Diff(map[alert.Pair]bool{pairOf(1, 0): true, pairOf(1, 2): false}, quiet()); diff != "" {
		t.Errorf("muted (-want +got):\n%s", diff)
	}
	update(t, s, func(tx *Tx) error { return tx.Unmute(common, Mute{By: "s.lindqvist", At: noon}) })
	if diff := cmp.Diff(map[alert.Pair]bool{pairOf(1, 0): false, pairOf(1, 2): false}, quiet()); diff != "" {
		t.Errorf("no longer muted (-want +got):\n%s", diff)
	}
}

// TestWhatAMuteKeptBackIsFoundOnceItIsLifted plays matches and mutes in any
// order: in the end the alerts are those of somebody who never muted anything.
func TestWhatAMuteKeptBackIsFoundOnceItIsLifted(t *testing.T) {
	i, tag := email(t, "everybody@example.org"), token.Tag{1, 2, 3}
	rapid.Check(t, func(rt *rapid.T) {
		s := open(t, options("/store", vfs.NewMem()))
		defer func() {
			if err := s.Close(); err != nil {
				rt.Error(err)
			}
		}()
		var number casefile.IdentifierID
		update(t, s, func(tx *Tx) (err error) {
			number, err = tx.IdentifierID(i)
			return err
		})
		met := map[alert.Pair]bool{}
		meet := func(tx *Tx, p alert.Pair) error {
			muted, err := tx.Muted(i, tag)
			if err != nil || muted {
				return err
			}
			return tx.Raise(p, alert.Ground{Identifier: i, At: noon})
		}
		lookAgain := func() {
			update(t, s, func(tx *Tx) error {
				ids, err := tx.LookAgain(10)
				if err != nil {
					return err
				}
				for _, id := range ids {
					if id != number {
						rt.Errorf("identifier %d is to be looked for, want %d alone", id, number)
					}
					for p := range met {
						if err := meet(tx, p); err != nil {
							return err
						}
					}
					if err := tx.Looked(id); err != nil {
						return err
					}
				}
				return nil
			})
		}
		unmute := func() {
			err := s.Update(func(tx *Tx) error { return tx.Unmute(i, Mute{By: "s.lindqvist", At: noon}) })
			if err != nil && !errors.Is(err, ErrNotFound) {
				rt.Fatal(err)
			}
		}
		policy := func(tags ...token.Tag) {
			update(t, s, func(tx *Tx) error { return tx.PutMutedTags(tags) })
		}
		rt.Repeat(map[string]func(*rapid.T){
			"meet": func(rt *rapid.T) {
				p := pairOf(1, rapid.IntRange(0, 40).Draw(rt, "pair"))
				met[p] = true
				update(t, s, func(tx *Tx) error { return meet(tx, p) })
			},
			"mute": func(*rapid.T) {
				update(t, s, func(tx *Tx) error { return tx.Mute(i, Mute{By: "s.lindqvist", At: noon}) })
			},
			"unmute":        func(*rapid.T) { unmute() },
			"policy":        func(*rapid.T) { policy(tag) },
			"other policy":  func(*rapid.T) { policy(token.Tag{9}, token.Tag{10}) },
			"larger policy": func(*rapid.T) { policy(tag, token.Tag{10}) },
			"look":          func(*rapid.T) { lookAgain() },
		})
		unmute()
		policy()
		lookAgain()
		if got := readPairs(t, s, 1, i); !cmp.Equal(met, got.all()) {
			rt.Errorf("pairs (-met +found):\n%s", cmp.Diff(met, got.all()))
		}
		view(t, s, func(tx *Tx) error {
			if _, err := tx.MuteOf(i); !errors.Is(err, ErrNotFound) {
				rt.Errorf("after every mute was lifted: %v, want ErrNotFound", err)
			}
			return nil
		})
	})
}

func TestTheNetworksMuteHoldsWhenTheAgencysIsLifted(t *testing.T) {
	s, i, tag := open(t, options("/store", vfs.NewMem())), email(t, "everybody@example.org"), token.Tag{1}
	muted := func() (yes bool) {
		update(t, s, func(tx *Tx) (err error) {
			yes, err = tx.Muted(i, tag)
			return err
		})
		return yes
	}
	update(t, s, func(tx *Tx) error {
		return errors.Join(tx.PutMutedTags([]token.Tag{{1}, {2}}), tx.Mute(i, Mute{By: "s.lindqvist", At: noon}))
	})
	if !muted() {
		t.Error("a muted identifier is not")
	}
	update(t, s, func(tx *Tx) error { return tx.Unmute(i, Mute{By: "s.lindqvist", At: noon}) })
	if !muted() {
		t.Error("what the network mutes is not muted after the agency's mute was lifted")
	}
	update(t, s, func(tx *Tx) error { return tx.PutMutedTags([]token.Tag{{2}}) })
	if muted() {
		t.Error("what the policy no longer holds is muted")
	}
}
