package oprf

import (
	"fmt"
	"slices"

	"github.com/oasisprotocol/curve25519-voi/curve"
	"github.com/oasisprotocol/curve25519-voi/curve/scalar"
)

// checkedAnswer is an answer that holds for a quorum.
type checkedAnswer struct {
	quorum []Index
	answer Answer
	points []curve.RistrettoPoint
}

// CheckAll verifies answers of servers of the quorum, all together, so that a
// server which lies can be replaced before Finalize; an answer that holds is not
// verified again there. It returns an error for each answer, in their order: nil
// where it holds, a [*WrongShareError] where the server is to blame, and one that
// wraps [ErrQuorum] where the caller is. A different quorum needs new answers from
// all its servers, since the weights differ.
func (r *Request) CheckAll(quorum []Index, answers []Answer) []error {
	faults := make([]error, len(answers))
	for i, v := range r.check(quorum, answers) {
		faults[i] = v.fault
	}
	return faults
}

// verdict is what became of an answer: points if it holds, otherwise a fault.
type verdict struct {
	points []curve.RistrettoPoint
	fault  error
	claim  *claim // where it had to be verified
}

func (r *Request) check(quorum []Index, answers []Answer) []verdict {
	verdicts := make([]verdict, len(answers))
	if err := r.client.keys.checkQuorum(quorum); err != nil {
		for i := range verdicts {
			verdicts[i].fault = fmt.Errorf("check answer: %w", err)
		}
		return verdicts
	}
	weights := lagrange(quorum, 0)
	for i, a := range answers {
		own := slices.Index(quorum, a.Server)
		if own < 0 {
			verdicts[i].fault = fmt.Errorf("check answer: %w: server %d is not in it", ErrQuorum, a.Server)
		} else if slices.ContainsFunc(answers[:i], func(b Answer) bool { return a.Server == b.Server }) {
			verdicts[i].fault = fmt.Errorf("check answer: %w: two answers of server %d", ErrQuorum, a.Server)
		} else if points, ok := r.recall(quorum, a); ok {
			verdicts[i].points = points
		} else if c, err := r.claim(&weights[own], a); err != nil {
			verdicts[i].fault = &WrongShareError{Server: a.Server, Err: err}
		} else {
			verdicts[i].claim = c
		}
	}
	r.settle(verdicts, answers)
	for i, v := range verdicts {
		if v.claim != nil && v.fault == nil { // and not remembered already
			r.remember(quorum, answers[i], v.points)
		}
	}
	return verdicts
}

// claim takes apart what a server with this weight in the quorum answered.
func (r *Request) claim(weight *scalar.Scalar, a Answer) (*claim, error) {
	if len(a.Evaluated) != len(r.blinded.encoded) {
		return nil, fmt.Errorf("%d elements, want %d", len(a.Evaluated), len(r.blinded.encoded))
	}
	points, err := decodeAll(a.Evaluated)
	if err != nil {
		return nil, err
	}
	share := r.client.keys.shares[a.Server]
	var key curve.RistrettoPoint
	key.MultiscalarMulVartime([]*scalar.Scalar{weight}, []*curve.RistrettoPoint{&share})
	return newClaim(&key, r.blinded.encoded, batch{encoded: a.Evaluated, points: points}, a)
}

// settle verifies the claims: together those that foretell their composites, and
// each by itself where that does not succeed.
func (r *Request) settle(verdicts []verdict, answers []Answer) {
	var foretold []*claim
	for _, v := range verdicts {
		if v.claim != nil && v.claim.foretold {
			foretold = append(foretold, v.claim)
		}
	}
	together := holdTogether(foretold, r.blinded.points, r.mix)
	for i := range verdicts {
		v := &verdicts[i]
		if v.claim == nil {
			continue
		}
		if !(together && v.claim.foretold) {
			if err := v.claim.verify(r.blinded.points); err != nil {
				v.fault = &WrongShareError{Server: answers[i].Server, Err: err}
				continue
			}
		}
		v.points = v.claim.evaluated.points
	}
}

func (r *Request) recall(quorum []Index, a Answer) ([]curve.RistrettoPoint, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	known, ok := r.checked[a.Server]
	if !ok || known.answer.Proof != a.Proof || !slices.Equal(known.quorum, quorum) || !slices.Equal(known.answer.Evaluated, a.Evaluated) {
		return nil, false
	}
	return known.points, true
}

func (r *Request) remember(quorum []Index, a Answer, points []curve.RistrettoPoint) {
	a.Evaluated = slices.Clone(a.Evaluated)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.checked != nil {
		r.checked[a.Server] = checkedAnswer{quorum: slices.Clone(quorum), answer: a, points: points}
	}
}
