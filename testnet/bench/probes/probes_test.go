// Package probes measures how fast it is found which of many tags are among
// those that a node expects, beside Pebble as it is and beside Redis.
//
// All three hold the same tags, each with the number of an identifier, and
// answer the same batches. Ours is the store of a node, encrypted; bare Pebble
// has the tags alone as its keys, and Redis, from Debian, has them in memory.
package probes

import (
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"interlock/crypto/token"
)

// batch is how many tags are asked for at once.
const batch = 1000

// probe writes to found, for each of up to batch tags, the number that it is
// held under, and 0 for one that is not held.
type probe func(t testing.TB, tags []token.Tag, found []uint64)

// index makes a probe of tags in ascending order, of which the first has
// number 1.
type index struct {
	name string
	open func(t testing.TB, tags []token.Tag) probe
}

func indexes() []index {
	return []index{{"ours", openStore}, {"get", openBare}, {"redis", openRedis}}
}

// randomTags are n that are others for another seed.
func randomTags(seed byte, n int) []token.Tag {
	random := rand.NewChaCha8([32]byte{seed})
	tags := make([]token.Tag, n)
	for i := range tags {
		binary.LittleEndian.PutUint64(tags[i][:8], random.Uint64())
		binary.LittleEndian.PutUint64(tags[i][8:], random.Uint64())
	}
	return tags
}

func sorted(tags []token.Tag) []token.Tag {
	slices.SortFunc(tags, func(a, b token.Tag) int {
		if x, y := binary.BigEndian.Uint64(a[:]), binary.BigEndian.Uint64(b[:]); x != y {
			if x < y {
				return -1
			}
			return 1
		}
		return slices.Compare(a[8:], b[8:])
	})
	return tags
}

// asked is a batch of tags with the numbers that are to be found.
type asked struct {
	tags []token.Tag
	want []uint64
}

// ask makes a batch of which so many are held, at random places.
func ask(random *rand.Rand, held, absent []token.Tag, hits int) asked {
	a := asked{make([]token.Tag, batch), make([]uint64, batch)}
	for i, place := range random.Perm(batch) {
		if i >= hits {
			a.tags[place] = absent[random.IntN(len(absent))]
			continue
		}
		n := random.IntN(len(held))
		a.tags[place], a.want[place] = held[n], uint64(n+1)
	}
	return a
}

func TestEveryIndexFindsWhatItHoldsAndNothingElse(t *testing.T) {
	held, absent := sorted(randomTags(1, 20_000)), randomTags(2, 20_000)
	random := rand.New(rand.NewPCG(1, 2))
	for _, x := range indexes() {
		t.Run(x.name, func(t *testing.T) {
			look, found := x.open(t, held), make([]uint64, batch)
			for _, hits := range []int{0, 10, batch / 2, batch} {
				a := ask(random, held, absent, hits)
				look(t, a.tags, found)
				if diff := cmp.Diff(a.want, found); diff != "" {
					t.Errorf("%d of them held: (-want +got)\n%s", hits, diff)
				}
			}
		})
	}
}
