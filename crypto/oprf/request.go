package oprf

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/oasisprotocol/curve25519-voi/curve"
	"github.com/oasisprotocol/curve25519-voi/curve/scalar"
)

// Request is a batch of inputs under way: what the client must remember between
// Blind and Finalize. Its methods may be called from several goroutines.
type Request struct {
	client  *Client
	blinded batch // fixed

	mu      sync.Mutex
	inputs  [][]byte                // guarded by mu; nil once spent
	blinds  []scalar.Scalar         // guarded by mu; secret
	checked map[Index]checkedAnswer // guarded by mu; the last sound answer of each server
}

type checkedAnswer struct {
	quorum []Index
	answer Answer
	points []curve.RistrettoPoint
}

// Blinded returns the elements to be sent, in the order of the inputs. The same
// ones go to every server, of whichever quorum.
func (r *Request) Blinded() []Element { return slices.Clone(r.blinded.encoded) }

// Check verifies the answer of one server of the quorum, so that a server which
// lies can be replaced before Finalize; an answer that holds is not verified
// again there. The error is a [*WrongShareError] when the server is to blame, and
// wraps [ErrQuorum] when the caller is. A different quorum needs new answers from
// all its servers, since the weights differ.
func (r *Request) Check(quorum []Index, a Answer) error {
	if err := r.client.keys.checkQuorum(quorum); err != nil {
		return fmt.Errorf("check answer: %w", err)
	}
	_, err := r.check(quorum, a)
	return err
}

// check returns the evaluated points of an answer that holds.
func (r *Request) check(quorum []Index, a Answer) ([]curve.RistrettoPoint, error) {
	own := slices.Index(quorum, a.Server)
	if own < 0 {
		return nil, fmt.Errorf("check answer: %w: server %d is not in it", ErrQuorum, a.Server)
	}
	if points, ok := r.recall(quorum, a); ok {
		return points, nil
	}
	if len(a.Evaluated) != len(r.blinded.encoded) {
		return nil, &WrongShareError{Server: a.Server, Err: fmt.Errorf("%d elements, want %d", len(a.Evaluated), len(r.blinded.encoded))}
	}
	points, err := decodeAll(a.Evaluated)
	if err != nil {
		return nil, &WrongShareError{Server: a.Server, Err: err}
	}
	key := r.client.keys.shares[a.Server]
	weighted := sum(lagrange(quorum, 0)[own:own+1], []curve.RistrettoPoint{key}, 1)
	if err := verify(&weighted, r.blinded, batch{encoded: a.Evaluated, points: points}, a.Proof); err != nil {
		return nil, &WrongShareError{Server: a.Server, Err: err}
	}
	r.remember(quorum, a, points)
	return points, nil
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

// Finalize verifies the answers, one from each server of the quorum in any order,
// and returns the tokens in the order of the inputs. The error is a
// [*WrongShareError] that names a server which answered wrongly, or wraps
// [ErrQuorum]; the request can then be tried with other answers. When it succeeds
// the request erases its secrets, and a second call returns [ErrSpent].
func (r *Request) Finalize(quorum []Index, answers []Answer) ([]Token, error) {
	if err := r.client.keys.checkQuorum(quorum); err != nil {
		return nil, fmt.Errorf("finalize: %w", err)
	}
	if len(answers) != len(quorum) {
		return nil, fmt.Errorf("finalize: %w: %d answers for %d servers", ErrQuorum, len(answers), len(quorum))
	}
	parts := make([][]curve.RistrettoPoint, len(answers))
	for i, a := range answers {
		if slices.ContainsFunc(answers[:i], func(b Answer) bool { return a.Server == b.Server }) {
			return nil, fmt.Errorf("finalize: %w: two answers of server %d", ErrQuorum, a.Server)
		}
		points, err := r.check(quorum, a)
		if wrong := (*WrongShareError)(nil); errors.As(err, &wrong) {
			return nil, wrong
		} else if err != nil {
			return nil, fmt.Errorf("finalize: %w", err)
		}
		parts[i] = points
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.inputs == nil {
		return nil, fmt.Errorf("finalize: %w", ErrSpent)
	}
	tokens := r.unblind(parts)
	r.erase()
	return tokens, nil
}

// unblind adds the partial evaluations to Z = k·B and takes the blind off:
// Z - rK = k·H(x). r.mu is held.
func (r *Request) unblind(parts [][]curve.RistrettoPoint) []Token {
	tokens := make([]Token, len(r.inputs))
	spread(len(r.inputs), func(from, to int) {
		var z, rk curve.RistrettoPoint
		var buf []byte
		for i := from; i < to; i++ {
			z.Neg(rk.MulBasepoint(r.client.public, &r.blinds[i]))
			for _, points := range parts {
				z.Add(&z, &points[i])
			}
			tokens[i], buf = finalize(buf, r.inputs[i], encode(&z))
		}
		clear(buf[:cap(buf)])
	})
	return tokens
}

// Destroy erases the inputs and the blinds of a request that is given up.
func (r *Request) Destroy() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.erase()
}

// erase forgets everything secret. r.mu is held.
func (r *Request) erase() {
	for _, input := range r.inputs {
		clear(input)
	}
	clear(r.blinds)
	r.inputs, r.blinds, r.checked = nil, nil, nil
}

// checkQuorum reports whether a quorum is exactly the threshold of distinct
// servers of the key set.
func (k *keyring) checkQuorum(quorum []Index) error {
	if err := checkQuorum(k.threshold, quorum); err != nil {
		return err
	}
	for _, server := range quorum {
		if _, ok := k.shares[server]; !ok {
			return fmt.Errorf("%w: no server %d", ErrQuorum, server)
		}
	}
	return nil
}
