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
	blinded batch           // fixed
	mix     []scalar.Scalar // fixed; for together: the servers must not know it while they answer

	mu      sync.Mutex
	inputs  [][]byte                // guarded by mu; nil once spent
	blinds  []scalar.Scalar         // guarded by mu; secret
	checked map[Index]checkedAnswer // guarded by mu; the last sound answer of each server
}

// Blinded returns the elements to be sent, in the order of the inputs. The same
// ones go to every server, of whichever quorum.
func (r *Request) Blinded() []Element { return slices.Clone(r.blinded.encoded) }

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
	for i, v := range r.check(quorum, answers) {
		if wrong := (*WrongShareError)(nil); errors.As(v.fault, &wrong) {
			return nil, wrong
		} else if v.fault != nil {
			return nil, fmt.Errorf("finalize: %w", v.fault)
		}
		parts[i] = v.points
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
