package oprf

import (
	"errors"
	"fmt"
	"io"

	"github.com/oasisprotocol/curve25519-voi/curve"
	"github.com/oasisprotocol/curve25519-voi/curve/scalar"
)

// Client asks for tokens under one key set. It does not change after it was made,
// and many goroutines may use it at once.
type Client struct {
	keys   keyring
	public *curve.RistrettoBasepointTable // multiples of the public key
}

// NewClient makes a client for a key set, which must be authentic: a server that
// can choose the public key can test guesses at an input against what becomes
// of its token. The error wraps [ErrKeySet].
func NewClient(k KeySet) (*Client, error) {
	keys, err := k.open()
	if err != nil {
		return nil, err
	}
	return &Client{keys: keys, public: curve.NewRistrettoBasepointTable(&keys.public)}, nil
}

// Blind hides the inputs, 1 to [MaxBatch] of up to [MaxInput] bytes each, for one
// request to the servers: each becomes its hash to the group plus a random
// multiple of the generator, a uniform element whatever the input. rand is
// crypto/rand.Reader. The errors wrap [ErrBatch] and [ErrInput]; none holds an input.
func (c *Client) Blind(rand io.Reader, inputs [][]byte) (*Request, error) {
	if err := checkBatch(len(inputs)); err != nil {
		return nil, fmt.Errorf("blind: %w", err)
	}
	held, err := hold(inputs)
	if err != nil {
		return nil, fmt.Errorf("blind: %w", err)
	}
	r := &Request{
		client:  c,
		inputs:  held,
		blinds:  make([]scalar.Scalar, len(inputs)),
		blinded: batch{encoded: make([]Element, len(inputs)), points: make([]curve.RistrettoPoint, len(inputs))},
		mix:     make([]scalar.Scalar, c.keys.threshold),
		checked: make(map[Index]checkedAnswer),
	}
	if err := errors.Join(randomScalars(rand, r.blinds), randomScalars(rand, r.mix)); err != nil {
		return nil, fmt.Errorf("blind: %w", err)
	}
	faults := make([]error, len(inputs))
	spread(len(inputs), func(from, to int) {
		h := newHasher(dstGroup)
		defer h.wipe()
		for i := from; i < to; i++ {
			faults[i] = r.blind(h, i)
		}
	})
	for i, err := range faults {
		if err != nil {
			return nil, fmt.Errorf("blind: input %d: %w", i, err)
		}
	}
	return r, nil
}

// hold copies the inputs, so that the request can erase them.
func hold(inputs [][]byte) ([][]byte, error) {
	size := 0
	for i, input := range inputs {
		if len(input) > MaxInput {
			return nil, fmt.Errorf("input %d: %w: %d bytes, want up to %d", i, ErrInput, len(input), MaxInput)
		}
		size += len(input)
	}
	all := make([]byte, 0, size)
	held := make([][]byte, len(inputs))
	for i, input := range inputs {
		all = append(all, input...)
		held[i] = all[len(all)-len(input) : len(all) : len(all)]
	}
	return held, nil
}

// blind sets the blinded element of input i: B = H(x) + rG.
func (r *Request) blind(h *hasher, i int) error {
	hashed, err := h.hashToGroup(r.inputs[i])
	if err != nil {
		return err
	}
	p := &r.blinded.points[i]
	p.MulBasepoint(curve.RISTRETTO_BASEPOINT_TABLE, &r.blinds[i])
	p.Add(p, &hashed)
	r.blinded.encoded[i] = encode(p)
	if r.blinded.encoded[i] == (Element{}) {
		// One chance in 2^252; the servers would refuse it.
		return fmt.Errorf("%w: blinded to the identity", ErrInput)
	}
	return nil
}

// randomScalars fills s with uniform scalars from one read of rand.
func randomScalars(rand io.Reader, s []scalar.Scalar) error {
	wide := make([]byte, len(s)*scalar.ScalarWideSize)
	defer clear(wide)
	if _, err := io.ReadFull(rand, wide); err != nil {
		return fmt.Errorf("read randomness: %w", err)
	}
	for i := range s {
		s[i] = wideScalar((*[scalar.ScalarWideSize]byte)(wide[i*scalar.ScalarWideSize:]))
	}
	return nil
}
