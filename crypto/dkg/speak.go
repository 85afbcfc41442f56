package dkg

import (
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/oasisprotocol/curve25519-voi/curve"
	"github.com/oasisprotocol/curve25519-voi/curve/scalar"

	"interlock/crypto/oprf"
)

// derive makes secret bytes of the seed (HKDF, RFC 5869), bound to the plan and to a purpose.
func (p *Participant) derive(purpose string, more []byte, size int) ([]byte, error) {
	b, err := hkdf.Key(sha512.New, p.seed[:], p.id[:], "interlock dkg 1 "+purpose+"\x00"+string(more), size)
	if err != nil {
		return nil, fmt.Errorf("derive from the seed: %w", err)
	}
	return b, nil
}

func (p *Participant) deriveScalar(purpose string, more []byte) (scalar.Scalar, error) {
	wide, err := p.derive(purpose, more, scalar.ScalarWideSize)
	if err != nil {
		return scalar.Scalar{}, err
	}
	defer clear(wide)
	return wideScalar((*[scalar.ScalarWideSize]byte)(wide)), nil
}

// polynomials derives the dealer's a and, in Generate, b. In Reshare a_0 is the old share.
func (p *Participant) polynomials() (a, b []scalar.Scalar, err error) {
	a = make([]scalar.Scalar, p.plan.Threshold)
	if p.plan.Kind == Generate {
		b = make([]scalar.Scalar, p.plan.Threshold)
	}
	for k := range a {
		if a[k], err = p.deriveScalar("share", []byte{byte(k)}); err != nil {
			return nil, nil, err
		}
		if b == nil {
			continue
		}
		if b[k], err = p.deriveScalar("blind", []byte{byte(k)}); err != nil {
			return nil, nil, err
		}
	}
	if p.plan.Kind == Reshare {
		if a[0], err = shareScalar(p.held.Share); err != nil {
			return nil, nil, err
		}
	}
	return a, b, nil
}

// shareScalar returns the secret of a share, from its documented encoding.
func shareScalar(s *oprf.Share) (scalar.Scalar, error) {
	b, err := s.MarshalBinary()
	if err != nil {
		return scalar.Scalar{}, err
	}
	defer clear(b)
	return parseScalar([oprf.ScalarSize]byte(b[len(b)-oprf.ScalarSize:]))
}

// commit returns the Pedersen commitments to a and b, or Feldman's to a when b is nil.
func commit(t *Transcript, a, b []scalar.Scalar) []curve.RistrettoPoint {
	points := make([]curve.RistrettoPoint, len(a))
	for k := range a {
		if b == nil {
			times(&points[k], &a[k])
		} else {
			points[k] = pedersen(&t.second, &a[k], &b[k])
		}
	}
	return points
}

// subShare returns the polynomials' values at x.
func subShare(a, b []scalar.Scalar, x oprf.Index) SubShare {
	value := valueAt(a, x)
	defer value.Zero()
	s := SubShare{Share: scalarBytes(&value)}
	if b != nil {
		blind := valueAt(b, x)
		defer blind.Zero()
		s.Blind = scalarBytes(&blind)
	}
	return s
}

// part returns this dealer's part of the federation secret: derived in Generate, in
// Reshare the secret itself.
func (p *Participant) part() (part [partSize]byte, err error) {
	if p.plan.Kind == Reshare {
		return p.held.Federation, nil
	}
	b, err := p.derive("federation", nil, partSize)
	if err != nil {
		return part, err
	}
	defer clear(b)
	copy(part[:], b)
	return part, nil
}

// commitPart is the commitment to a part of the federation secret. The part is
// random, so the hash hides it; it is bound to its dealer, so nobody can repeat it.
func commitPart(id PlanID, dealer oprf.Index, part [partSize]byte) [sha256.Size]byte {
	const label = "interlock dkg part 1"
	b := make([]byte, 0, len(label)+len(id)+2+partSize)
	defer clear(b[:cap(b)])
	b = append(append(b, label...), id[:]...)
	b = binary.BigEndian.AppendUint16(b, uint16(dealer))
	return sha256.Sum256(append(b, part[:]...))
}

func (p *Participant) deal(t *Transcript) (Deal, error) {
	a, b, err := p.polynomials()
	if err != nil {
		return Deal{}, err
	}
	defer wipe(a, b)
	part, err := p.part()
	if err != nil {
		return Deal{}, err
	}
	defer clear(part[:])
	d := Deal{Commitments: encodeAll(commit(t, a, b))}
	if p.plan.Kind == Generate {
		d.Secret = commitPart(p.id, p.own, part)
	}
	for _, r := range t.Joined() {
		plain := payload{sub: subShare(a, b, r), part: part}
		sealed, err := plain.seal(p.id, p.own, r, t.joined[r])
		plain.wipe()
		if err != nil {
			return Deal{}, fmt.Errorf("to server %d: %w", r, err)
		}
		d.Sealed = append(d.Sealed, sealed)
	}
	return d, nil
}

// verdict checks what every dealer sealed to this receiver (Gennaro et al., figure
// 2, step 1b).
func (p *Participant) verdict(t *Transcript) Verdict {
	var v Verdict
	for _, d := range t.dealers() {
		got := p.unseal(t, d)
		if d != p.own && !got.fits {
			v.Shares = append(v.Shares, d)
		}
		if d != p.own && !got.known {
			v.Secrets = append(v.Secrets, d)
		}
		got.wipe()
	}
	return v
}

// answer reveals the sub-shares of those who complained, and passes on the parts that others lack.
func (p *Participant) answer(t *Transcript) (Answer, error) {
	asked := t.asked[p.own]
	var answer Answer
	if len(asked.reveal) > 0 {
		a, b, err := p.polynomials()
		if err != nil {
			return Answer{}, err
		}
		defer wipe(a, b)
		for _, r := range asked.reveal {
			answer.Shares = append(answer.Shares, Revealed{Server: r, SubShare: subShare(a, b, r)})
		}
	}
	for _, r := range asked.relay {
		sealed, err := p.relay(t, r)
		if err != nil {
			return Answer{}, fmt.Errorf("relay to server %d: %w", r, err)
		}
		answer.Relays = append(answer.Relays, Relay{Receiver: r, Sealed: sealed})
	}
	return answer, nil
}

// open makes the public half of the polynomial, and its proof. The nonces are
// derived from the seed and the whole statement, so that they serve for it alone.
func (p *Participant) open(t *Transcript) (Open, error) {
	a, b, err := p.polynomials()
	if err != nil {
		return Open{}, err
	}
	defer wipe(a, b)
	opened := commit(t, a, nil)
	statement := newOpening(p.id, p.own, t.deals[p.own].commitments, opened)
	var nonces [2]scalar.Scalar
	defer wipe(nonces[:])
	for i := range nonces {
		bound := sha512.Sum512(append(slices.Clone(statement.transcript), byte(i)))
		if nonces[i], err = p.deriveScalar("nonce", bound[:]); err != nil {
			return Open{}, err
		}
	}
	return Open{Commitments: encodeAll(opened), Proof: statement.prove(&t.second, a, b, &nonces)}, nil
}

// reveal makes public the sub-shares of dealers that are to be reconstructed, and
// reports whether this receiver has them all.
func (p *Participant) reveal(t *Transcript) (Reconstruct, bool) {
	var r Reconstruct
	for _, d := range t.unopened() {
		got, ok := p.received(t, d)
		if !ok {
			return Reconstruct{}, false
		}
		r.Shares = append(r.Shares, Revealed{Server: d, SubShare: got})
	}
	return r, true
}
