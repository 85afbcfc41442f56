// Package psi measures what it costs to learn who shares what, by tags and by
// private set intersection, and shows that both find the same.
//
// The reference is the Diffie-Hellman intersection of Meadows (1986) and of
// Huberman, Franklin and Hogg (1999), on ristretto255 as gtank's module has
// it: each side sends its elements hashed to the group and raised to a secret
// exponent of this run, raises what it receives to its own, sends that back,
// and both compare. It is the plain protocol against an honest but curious
// other side. Ours is what a node does, less links and officers. Of either, the
// work of all sides is counted together, and what is sent is not.
package psi

import (
	"crypto/rand"
	"crypto/sha512"
	"testing"

	"github.com/gtank/ristretto255"
)

// element is an encoded element of ristretto255.
type element [32]byte

// operations is the work of the reference, all sides together.
type operations struct {
	hashed  int // to the group
	raised  int // to a secret exponent
	encoded int
	decoded int
	kept    int // in a table of what the other side has
	looked  int // up in such a table
}

// party is one side of an intersection.
type party struct {
	secret *ristretto255.Scalar
	done   *operations
}

func newParty(t testing.TB, done *operations) *party {
	t.Helper()
	var wide [64]byte
	if _, err := rand.Read(wide[:]); err != nil {
		t.Fatal(err)
	}
	return &party{secret: ristretto255.NewScalar().FromUniformBytes(wide[:]), done: done}
}

// blind returns H(x)^k of each of one's own.
func (p *party) blind(inputs [][]byte) []element {
	out := make([]element, len(inputs))
	hashed, raised := ristretto255.NewElement(), ristretto255.NewElement()
	for i, input := range inputs {
		wide := sha512.Sum512(input)
		raised.ScalarMult(p.secret, hashed.FromUniformBytes(wide[:]))
		raised.Encode(out[i][:0])
	}
	p.done.hashed += len(inputs)
	p.done.raised += len(inputs)
	p.done.encoded += len(inputs)
	return out
}

// raise returns e^k of each element of the other side.
func (p *party) raise(t testing.TB, theirs []element) []element {
	t.Helper()
	out := make([]element, len(theirs))
	decoded, raised := ristretto255.NewElement(), ristretto255.NewElement()
	for i := range theirs {
		if err := decoded.Decode(theirs[i][:]); err != nil {
			t.Fatal(err)
		}
		raised.ScalarMult(p.secret, decoded)
		raised.Encode(out[i][:0])
	}
	p.done.decoded += len(theirs)
	p.done.raised += len(theirs)
	p.done.encoded += len(theirs)
	return out
}

// compare returns the positions of one's own elements that the other side has.
func (p *party) compare(own, theirs []element) (shared []int) {
	table := make(map[element]struct{}, len(theirs))
	for _, e := range theirs {
		table[e] = struct{}{}
	}
	for i, e := range own {
		if _, ok := table[e]; ok {
			shared = append(shared, i)
		}
	}
	p.done.kept += len(theirs)
	p.done.looked += len(own)
	return shared
}

// intersect runs the protocol on two sets. Each side learns which of its own
// the other one has, as positions in its own set.
func intersect(t testing.TB, a, b [][]byte) (inA, inB []int, done operations) {
	t.Helper()
	alice, bob := newParty(t, &done), newParty(t, &done)
	fromAlice, fromBob := alice.blind(a), bob.blind(b)
	twiceA, twiceB := bob.raise(t, fromAlice), alice.raise(t, fromBob)
	return alice.compare(twiceA, twiceB), bob.compare(twiceB, twiceA), done
}

// costOf is the work of an intersection of two sets of n elements together,
// which is all that it depends on. So a run on a sample tells what a run on more
// elements costs.
func costOf(n int) operations {
	return operations{hashed: n, raised: 2 * n, encoded: 2 * n, decoded: n, kept: n, looked: n}
}
