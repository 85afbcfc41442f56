package testnet

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"interlock/crypto/token"
	"interlock/node/casefile"
	"interlock/node/store"
	"interlock/protocol/directory"
	"interlock/protocol/feed"
)

const (
	inCommon = 40 // identifiers that each two of the five agencies share
	alone    = 80 // that each has alone
)

// population is who holds what: for each two agencies inCommon identifiers, and alone
// of each one's own, in an order of its own.
func population(order *rand.Rand, agencies int) (held [][]string) {
	held = make([][]string, agencies)
	for i := range agencies {
		for j := range i {
			for n := range inCommon {
				name := fmt.Sprintf("pair%d.%d.%d@example.org", j, i, n)
				held[i], held[j] = append(held[i], name), append(held[j], name)
			}
		}
		for n := range alone {
			held[i] = append(held[i], fmt.Sprintf("alone%d.%d@example.org", i, n))
		}
	}
	for _, list := range held {
		order.Shuffle(len(list), func(a, b int) { list[a], list[b] = list[b], list[a] })
	}
	return held
}

// observe reads every feed from every store.
func observe(t *testing.T, net *Net) *everything {
	t.Helper()
	o := &everything{entries: map[directory.AgencyID][]seen{}}
	for _, at := range net.Agencies() {
		err := at.Node().View(func(tx *store.Tx) error {
			for _, a := range net.Agencies() {
				author := directory.AgencyID(a.ID)
				list, err := readFeed(tx, author)
				if err != nil {
					return err
				}
				if held := o.entries[author]; held != nil && !slices.Equal(held, list) {
					t.Errorf("%s has other entries of %s than others have", at.ID, author)
				}
				o.entries[author] = list
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return o
}

// truth is which entries stand for what, which an observer does not know.
func (o *everything) truth(t *testing.T, net *Net) map[string]map[directory.AgencyID]seen {
	t.Helper()
	stands := map[string]map[directory.AgencyID]seen{}
	for _, a := range net.Agencies() {
		for name, number := range standing(t, a) {
			if stands[name] == nil {
				stands[name] = map[directory.AgencyID]seen{}
			}
			stands[name][directory.AgencyID(a.ID)] = o.entries[directory.AgencyID(a.ID)][number-1]
		}
	}
	return stands
}

func readFeed(tx *store.Tx, author directory.AgencyID) ([]seen, error) {
	id := feed.ID{Author: author}
	entries, err := tx.EntriesAfter(id, 0, math.MaxInt)
	if err != nil {
		return nil, err
	}
	heads, err := tx.Heads(id, 1, 1, math.MaxInt)
	var list []seen
	for i, e := range entries {
		n, _ := slices.BinarySearchFunc(heads, e.Number, func(h feed.Head, n uint64) int { return int(h.Number) - int(n) })
		list = append(list, seen{author: author, Entry: e, place: float64(i) / float64(max(1, len(entries)-1)), batch: heads[n].Number})
	}
	return list, err
}

// standing is under which number an agency announces each of its identifiers.
func standing(t *testing.T, a *Agency) map[string]uint64 {
	t.Helper()
	numbers := map[string]uint64{}
	err := a.Node().View(func(tx *store.Tx) error {
		return tx.Cases(func(c casefile.Case) error {
			list, err := tx.Holdings(c.ID, math.MaxInt)
			if err != nil {
				return err
			}
			for _, h := range list {
				id, err := tx.Known(h.Identifier)
				if err != nil {
					return err
				}
				s, err := tx.Standing(id)
				if err != nil || len(s) != 1 {
					return fmt.Errorf("%d announcements stand, %w", len(s), err)
				}
				numbers[h.Identifier.Value()] = s[0].Number
			}
			return nil
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	return numbers
}

// trialsOf asks of every identifier that two agencies share, beside one that the
// second has alone or, once those are used up, shares with another.
func trialsOf(t *testing.T, stands map[string]map[directory.AgencyID]seen, order *rand.Rand) (trials []trial) {
	t.Helper()
	decoys := map[directory.AgencyID][]seen{}
	var pairs []string
	for name, by := range stands {
		if len(by) == 2 {
			pairs = append(pairs, name)
			continue
		}
		for id, e := range by {
			decoys[id] = append(decoys[id], e)
		}
	}
	slices.Sort(pairs)
	for _, list := range decoys {
		slices.SortFunc(list, func(a, b seen) int { return bytes.Compare(a.Tag[:], b.Tag[:]) })
	}
	for _, name := range pairs {
		var ids []directory.AgencyID
		for id := range stands[name] {
			ids = append(ids, id)
		}
		slices.Sort(ids)
		if order.IntN(2) == 0 {
			ids[0], ids[1] = ids[1], ids[0]
		}
		if len(decoys[ids[1]]) == 0 {
			ids[0], ids[1] = ids[1], ids[0]
		}
		list := decoys[ids[1]]
		if len(list) == 0 {
			continue
		}
		decoys[ids[1]] = list[1:]
		trials = append(trials, trial{stands[name][ids[0]], stands[name][ids[1]], list[0]})
	}
	return trials
}

// TestAnObserverOfEveryFeedGuessesNoOverlapBetterThanChance: five agencies, of which
// each two have identifiers in common, and an observer who has all that lies on
// anybody's disk of feeds but holds no token.
func TestAnObserverOfEveryFeedGuessesNoOverlapBetterThanChance(t *testing.T) {
	order := rand.New(rand.NewPCG(5, 40))
	ids := []string{"aurora-pd", "boulder-so", "denver-pd", "golden-pd", "pueblo-pd"}
	net := Start(t, Plan{Agencies: Members(ids...)})
	held := population(order, len(ids))
	for i, a := range net.Agencies() {
		c := opens(t, a, "C-1")
		for part := range slices.Chunk(held[i], 30) {
			pastes(t, a, c, strings.Join(part, "\n"))
		}
	}
	settleAndCheck(t, net)
	o := observe(t, net)
	stands := o.truth(t, net)
	trials := trialsOf(t, stands, order)
	if len(trials) < 300 {
		t.Fatalf("%d trials, want 300 or more", len(trials))
	}
	t.Logf("%d trials; more than %d right answers beyond half of them show that something leaks", len(trials), beyondChance(len(trials), 4*len(guesses())))
	if found := leaks(t, o, trials, order); len(found) > 0 {
		t.Errorf("an observer tells overlaps by %v", found)
	}
	o.secret = federationSecret(t, net.Agencies()[0])
	if found := leaks(t, o, trials, order); len(found) > 0 {
		t.Errorf("an observer with the federation secret tells overlaps by %v", found)
	}
	wouldLeak(t, o, stands, order)
}

// wouldLeak shows that the same observer finds overlaps where there is something to
// find: where tags are the same for every author, and where each author's differ
// from that by what is its own.
func wouldLeak(t *testing.T, o *everything, stands map[string]map[directory.AgencyID]seen, order *rand.Rand) {
	t.Helper()
	for name, tag := range map[string]func(name string, by directory.AgencyID) token.Tag{
		"equal tags": func(name string, _ directory.AgencyID) token.Tag {
			return token.Tag(sum(name))
		},
		"difference of tags": func(name string, by directory.AgencyID) token.Tag {
			one, own := sum(name), sum(string(by))
			return token.Tag(xored(one[:], own[:]))
		},
	} {
		leaky := &everything{entries: map[directory.AgencyID][]seen{}, secret: o.secret}
		changed := map[string]map[directory.AgencyID]seen{}
		for value, by := range stands {
			changed[value] = map[directory.AgencyID]seen{}
			for id, e := range by {
				e.Tag = tag(value, id)
				changed[value][id] = e
				leaky.entries[id] = append(leaky.entries[id], e)
			}
		}
		if found := leaks(t, leaky, trialsOf(t, changed, order), order); !slices.Contains(found, name) {
			t.Errorf("tags that leak by %q do not show: %v do", name, found)
		}
	}
}

func sum(text string) [token16]byte {
	s := sha256.Sum256([]byte(text))
	return [token16]byte(s[:])
}

// federationSecret is the newest that an agency has on its disk.
func federationSecret(t *testing.T, a *Agency) (s token.Secret) {
	t.Helper()
	var b []byte
	err := a.Node().View(func(tx *store.Tx) (err error) {
		b, err = tx.Meta("federation secrets")
		return err
	})
	if err != nil || len(b) < len(s) {
		t.Fatalf("no federation secret: %v", err)
	}
	copy(s[:], b[len(b)-len(s):])
	epoch, ok := a.Node().Directory().Current()
	if !ok || epoch.Federation != s.Commit() || binary.BigEndian.Uint32(b[len(b)-len(s)-4:]) != uint32(epoch.Epoch) {
		t.Fatal("what is stored is not the federation secret of the epoch")
	}
	return s
}
