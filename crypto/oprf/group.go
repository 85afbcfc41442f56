package oprf

import (
	"fmt"
	"runtime"
	"slices"
	"sync"

	"github.com/oasisprotocol/curve25519-voi/curve"
	"github.com/oasisprotocol/curve25519-voi/curve/scalar"
)

// encode is SerializeElement (RFC 9497, section 2.1).
func encode(p *curve.RistrettoPoint) Element {
	var c curve.CompressedRistretto
	return Element(*c.SetRistrettoPoint(p))
}

// decode is DeserializeElement: it refuses what is not canonical, and the identity.
func decode(p *curve.RistrettoPoint, e Element) error {
	if e == (Element{}) {
		return fmt.Errorf("%w: the identity", ErrElement)
	}
	c := curve.CompressedRistretto(e)
	if _, err := p.SetCompressed(&c); err != nil {
		return fmt.Errorf("%w: %w", ErrElement, err)
	}
	return nil
}

// decodeAll decodes a batch on all processors; the error names the first fault.
func decodeAll(elements []Element) ([]curve.RistrettoPoint, error) {
	points := make([]curve.RistrettoPoint, len(elements))
	faults := make([]error, len(elements))
	spread(len(elements), func(from, to int) {
		for i := from; i < to; i++ {
			faults[i] = decode(&points[i], elements[i])
		}
	})
	for i, err := range faults {
		if err != nil {
			return nil, fmt.Errorf("element %d: %w", i, err)
		}
	}
	return points, nil
}

// wideScalar reduces 64 uniform bytes modulo the group's order.
func wideScalar(b *[scalar.ScalarWideSize]byte) scalar.Scalar {
	var s scalar.Scalar
	if _, err := s.SetBytesModOrderWide(b[:]); err != nil {
		panic("oprf: 64 bytes refused as a wide scalar: " + err.Error()) // depends on the length alone
	}
	return s
}

func scalarBytes(s *scalar.Scalar) [ScalarSize]byte {
	var b [ScalarSize]byte
	if err := s.ToBytes(b[:]); err != nil {
		panic("oprf: 32 bytes refused for a scalar: " + err.Error()) // depends on the length alone
	}
	return b
}

// sum returns the sum of the weighted points, in variable time: all of it must
// be public. It uses up to the given number of processors.
func sum(weights []scalar.Scalar, points []curve.RistrettoPoint, processors int) curve.RistrettoPoint {
	return (&terms{}).add(weights, points).sum(processors)
}

// terms are weighted points from several places, to be summed.
type terms struct {
	weights []*scalar.Scalar
	points  []*curve.RistrettoPoint
}

func (t *terms) add(weights []scalar.Scalar, points []curve.RistrettoPoint) *terms {
	t.weights, t.points = slices.Grow(t.weights, len(weights)), slices.Grow(t.points, len(points))
	for i := range weights {
		t.weights, t.points = append(t.weights, &weights[i]), append(t.points, &points[i])
	}
	return t
}

func (t *terms) sum(processors int) curve.RistrettoPoint {
	// Pippenger's method gains with length: pieces shorter than this cost more
	// than a second processor saves.
	const shortest = 384
	parts := max(1, min(processors, len(t.weights)/shortest))
	partial := make([]curve.RistrettoPoint, parts)
	inParts(len(t.weights), parts, func(part, from, to int) {
		partial[part].MultiscalarMulVartime(t.weights[from:to], t.points[from:to])
	})
	for i := 1; i < parts; i++ {
		partial[0].Add(&partial[0], &partial[i])
	}
	return partial[0]
}

// spread divides n pieces of work among the processors.
func spread(n int, work func(from, to int)) {
	const fewest = 16 // some 100 microseconds, far above the cost of a goroutine
	parts := max(1, min(runtime.GOMAXPROCS(0), n/fewest))
	inParts(n, parts, func(_, from, to int) { work(from, to) })
}

// inParts runs work on equal parts of n, each on a goroutine, and waits for all.
func inParts(n, parts int, work func(part, from, to int)) {
	var wg sync.WaitGroup
	for part := 1; part < parts; part++ {
		wg.Go(func() { work(part, part*n/parts, (part+1)*n/parts) })
	}
	work(0, 0, n/parts)
	wg.Wait()
}
