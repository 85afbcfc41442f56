package psi

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// identifiers are n that nobody else has unless he takes the same name.
func identifiers(name string, n int) [][]byte {
	list := make([][]byte, n)
	for i := range list {
		list[i] = fmt.Appendf(nil, "email:%s.%d@example.org", name, i)
	}
	return list
}

// joined is the list of both, in an order of its own.
func joined(seed uint64, a, b [][]byte) [][]byte {
	all := slices.Concat(a, b)
	rand.New(rand.NewPCG(seed, 0)).Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all
}

// shown is the identifiers at some positions, in order.
func shown(set [][]byte, at []int) []string {
	list := make([]string, len(at))
	for i, p := range at {
		list[i] = string(set[p])
	}
	slices.Sort(list)
	return list
}

func all(set [][]byte) (at []int) {
	for i := range set {
		at = append(at, i)
	}
	return at
}

func TestTheIntersectionFindsWhatWasPlantedAndCostsWhatItsSizeSays(t *testing.T) {
	const size, planted = 256, 17
	both := identifiers("both", planted)
	full := joined(1, both, identifiers("denver", size-planted))
	for _, c := range []struct {
		name string
		a, b [][]byte
		want [][]byte
	}{
		{"two of one size", full, joined(2, both, identifiers("boulder", size-planted)), both},
		{"one against many", both[:1], full, both[:1]},
		{"one that the other has not", identifiers("nobody", 1), full, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			inA, inB, done := intersect(t, c.a, c.b)
			want := shown(c.want, all(c.want))
			if diff := cmp.Diff(want, shown(c.a, inA)); diff != "" {
				t.Errorf("the first side (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(want, shown(c.b, inB)); diff != "" {
				t.Errorf("the second side (-want +got):\n%s", diff)
			}
			if want := costOf(len(c.a) + len(c.b)); done != want {
				t.Errorf("done %+v, want %+v", done, want)
			}
		})
	}
}

func TestMatchingCostsWhatItsSizeSays(t *testing.T) {
	const planted = 5
	for _, c := range []struct{ members, size int }{{3, 256}, {2, 1100}} {
		both, sets := identifiers("all", planted), [][][]byte{}
		for i := range c.members {
			sets = append(sets, joined(uint64(i), both, identifiers(fmt.Sprintf("agency-%d", i), c.size-planted)))
		}
		_, got := match(t, newRegistry(t), sets)
		met := c.members * (c.members - 1) * planted
		want := costOfMatch(c.members, c.size)
		want.add(work{opened: met, derived: met})
		if got != want {
			t.Errorf("%d members of %d: done %+v, want %+v", c.members, c.size, got, want)
		}
	}
}

// randomSets are the holdings of some members out of few identifiers.
func randomSets(seed uint64, members int) [][][]byte {
	random := rand.New(rand.NewPCG(seed, 1))
	world := identifiers("world", 120)
	sets := make([][][]byte, members)
	for m := range sets {
		sets[m] = [][]byte{world[random.IntN(len(world))]} // never nothing
		for _, i := range world {
			if random.IntN(3) == 0 && !slices.ContainsFunc(sets[m], func(h []byte) bool { return string(h) == string(i) }) {
				sets[m] = append(sets[m], i)
			}
		}
		random.Shuffle(len(sets[m]), func(i, j int) { sets[m][i], sets[m][j] = sets[m][j], sets[m][i] })
	}
	return sets
}

func TestMembersFindWhatPairwiseIntersectionsFind(t *testing.T) {
	r := newRegistry(t)
	for seed := range uint64(4) {
		sets := randomSets(seed, 4)
		found, _ := match(t, r, sets)
		for a := range sets {
			for b := range a {
				inA, inB, _ := intersect(t, sets[a], sets[b])
				if len(inA) == 0 {
					t.Fatalf("seed %d: two random sets share nothing", seed)
				}
				for _, side := range []struct {
					holder, author int
					want           []int
				}{{a, b, inA}, {b, a, inB}} {
					got := shown(sets[side.holder], found[pair{side.holder, side.author}])
					if diff := cmp.Diff(shown(sets[side.holder], side.want), got); diff != "" {
						t.Errorf("seed %d: %d in the feed of %d (-intersection +members):\n%s", seed, side.holder, side.author, diff)
					}
				}
			}
		}
	}
}

func TestANewIdentifierIsMetWhereAnIntersectionMeetsIt(t *testing.T) {
	for seed := range uint64(2) {
		sets := randomSets(seed, 2)
		denver, boulder := meet(t, sets[1], len(sets[1])+100)
		for _, identifier := range sets[0] {
			inOne, _, _ := intersect(t, [][]byte{identifier}, sets[1])
			want := len(inOne) == 1
			b, met := denver.enter(t, boulder.id, identifier)
			if met != want {
				t.Errorf("seed %d: %s: denver meets it %t, want %t", seed, identifier, met, want)
			}
			if met := boulder.take(t, denver, b); met != want {
				t.Errorf("seed %d: %s: boulder meets it %t, want %t", seed, identifier, met, want)
			}
		}
	}
}
