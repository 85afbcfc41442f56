package oprf

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/sha512"
	"encoding/binary"
	"errors"
	"testing"

	"github.com/cloudflare/circl/group"
	"github.com/cloudflare/circl/oprf"
	"github.com/cloudflare/circl/zk/dleq"
)

// composed is a threshold client put together from what circl offers: blinding
// by multiplication, circl's verification of each server's proof against the
// server's own key, weights applied by the client, unblinding by inversion.
type composed struct {
	public map[Index]group.Element
	proofs dleq.Verifier
}

var circlGroup = group.Ristretto255

func newComposed(t testing.TB, keys KeySet) *composed {
	t.Helper()
	c := &composed{
		public: map[Index]group.Element{},
		proofs: dleq.Verifier{Params: dleq.Params{G: circlGroup, H: crypto.SHA512, DST: []byte(context)}},
	}
	for _, s := range keys.Shares {
		e := circlGroup.NewElement()
		if err := e.UnmarshalBinary(s.Key[:]); err != nil {
			t.Fatal(err)
		}
		c.public[s.Index] = e
	}
	return c
}

type composedRequest struct {
	blinds  []group.Scalar
	blinded []group.Element
}

func (c *composed) blind(inputs [][]byte) (composedRequest, [][]byte, error) {
	r := composedRequest{}
	wire := make([][]byte, len(inputs))
	for i, input := range inputs {
		b := circlGroup.RandomScalar(rand.Reader)
		e := circlGroup.NewElement().Mul(circlGroup.HashToElement(input, []byte(dstGroup)), b)
		encoded, err := e.MarshalBinaryCompress()
		if err != nil {
			return r, nil, err
		}
		r.blinds, r.blinded, wire[i] = append(r.blinds, b), append(r.blinded, e), encoded
	}
	return r, wire, nil
}

type composedAnswer struct {
	server    Index
	evaluated [][]byte
	proof     []byte
}

// verify returns the elements of an answer whose proof circl accepts.
func (c *composed) verify(blinded []group.Element, a composedAnswer) ([]group.Element, error) {
	var proof dleq.Proof
	if err := proof.UnmarshalBinary(circlGroup, a.proof); err != nil {
		return nil, err
	}
	evaluated, err := circlElements(a.evaluated)
	if err != nil {
		return nil, err
	}
	if !c.proofs.VerifyBatchRFC9497(c.public[a.server], blinded, evaluated, &proof) {
		return nil, errors.New("circl refuses the proof")
	}
	return evaluated, nil
}

func circlElements(wire [][]byte) ([]group.Element, error) {
	elements := make([]group.Element, len(wire))
	for i, b := range wire {
		elements[i] = circlGroup.NewElement()
		if err := elements[i].UnmarshalBinary(b); err != nil {
			return nil, err
		}
	}
	return elements, nil
}

// circlAccepts reports what circl finds wrong with an answer of ours.
func circlAccepts(c *composed, wire [][]byte, ours Answer) error {
	blinded, err := circlElements(wire)
	if err != nil {
		return err
	}
	a := composedAnswer{server: ours.Server, proof: ours.Proof[:]}
	for i := range ours.Evaluated {
		a.evaluated = append(a.evaluated, ours.Evaluated[i][:])
	}
	_, err = c.verify(blinded, a)
	return err
}

func (c *composed) finalize(r composedRequest, inputs [][]byte, quorum []Index, answers []composedAnswer) ([]Token, error) {
	sums := make([]group.Element, len(inputs))
	for i := range sums {
		sums[i] = circlGroup.Identity()
	}
	for _, a := range answers {
		evaluated, err := c.verify(r.blinded, a)
		if err != nil {
			return nil, err
		}
		weight := circlWeight(quorum, a.server)
		for i, e := range evaluated {
			sums[i].Add(sums[i], circlGroup.NewElement().Mul(e, weight))
		}
	}
	tokens := make([]Token, len(inputs))
	for i, sum := range sums {
		unblinded := circlGroup.NewElement().Mul(sum, circlGroup.NewScalar().Inv(r.blinds[i]))
		encoded, err := unblinded.MarshalBinaryCompress()
		if err != nil {
			return nil, err
		}
		var b bytes.Buffer
		b.Write(binary.BigEndian.AppendUint16(nil, uint16(len(inputs[i]))))
		b.Write(inputs[i])
		b.Write(binary.BigEndian.AppendUint16(nil, uint16(len(encoded))))
		b.Write(encoded)
		b.WriteString("Finalize")
		tokens[i] = sha512.Sum512(b.Bytes())
	}
	return tokens, nil
}

// single is circl's own client, whose one server holds the whole key.
type single struct{ client oprf.VerifiableClient }

func newSingle(t testing.TB, whole *Share) single {
	t.Helper()
	secret := scalarBytes(&whole.secret)
	return single{oprf.NewVerifiableClient(oprf.SuiteRistretto255, circlKey(t, secret[:]).Public())}
}

func (s single) blind(inputs [][]byte) (*oprf.FinalizeData, [][]byte, error) {
	data, request, err := s.client.Blind(inputs)
	if err != nil {
		return nil, nil, err
	}
	wire := make([][]byte, len(request.Elements))
	for i, e := range request.Elements {
		if wire[i], err = e.MarshalBinaryCompress(); err != nil {
			return nil, nil, err
		}
	}
	return data, wire, nil
}

func (s single) finalize(data *oprf.FinalizeData, a composedAnswer) ([]Token, error) {
	evaluation := &oprf.Evaluation{Proof: &dleq.Proof{}}
	if err := evaluation.Proof.UnmarshalBinary(circlGroup, a.proof); err != nil {
		return nil, err
	}
	var err error
	if evaluation.Elements, err = circlElements(a.evaluated); err != nil {
		return nil, err
	}
	outputs, err := s.client.Finalize(data, evaluation)
	if err != nil {
		return nil, err
	}
	tokens := make([]Token, len(outputs))
	for i, output := range outputs {
		tokens[i] = Token(output)
	}
	return tokens, nil
}

func circlWeight(quorum []Index, own Index) group.Scalar {
	top, bottom := circlGroup.NewScalar().SetUint64(1), circlGroup.NewScalar().SetUint64(1)
	for _, other := range quorum {
		if other != own {
			x := circlGroup.NewScalar().SetUint64(uint64(other))
			top.Mul(top, x)
			bottom.Mul(bottom, circlGroup.NewScalar().Sub(x, circlGroup.NewScalar().SetUint64(uint64(own))))
		}
	}
	return top.Mul(top, circlGroup.NewScalar().Inv(bottom))
}

// circlServer is a share held by circl's own server.
type circlServer struct {
	index  Index
	server oprf.VerifiableServer
}

func newCirclServer(t testing.TB, s *Share) circlServer {
	t.Helper()
	secret := scalarBytes(&s.secret)
	return circlServer{index: s.index, server: oprf.NewVerifiableServer(oprf.SuiteRistretto255, circlKey(t, secret[:]))}
}

func circlKey(t testing.TB, secret []byte) *oprf.PrivateKey {
	t.Helper()
	var key oprf.PrivateKey
	if err := key.UnmarshalBinary(oprf.SuiteRistretto255, secret); err != nil {
		t.Fatal(err)
	}
	return &key
}

func (s circlServer) evaluate(blinded [][]byte) (composedAnswer, error) {
	elements, err := circlElements(blinded)
	if err != nil {
		return composedAnswer{}, err
	}
	evaluation, err := s.server.Evaluate(&oprf.EvaluationRequest{Elements: elements})
	if err != nil {
		return composedAnswer{}, err
	}
	a := composedAnswer{server: s.index}
	for _, e := range evaluation.Elements {
		b, err := e.MarshalBinaryCompress()
		if err != nil {
			return composedAnswer{}, err
		}
		a.evaluated = append(a.evaluated, b)
	}
	a.proof, err = evaluation.Proof.MarshalBinary()
	return a, err
}
