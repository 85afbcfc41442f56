package dkg

import (
	"crypto/hkdf"
	"crypto/sha512"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/oasisprotocol/curve25519-voi/curve/scalar"

	"interlock/crypto/oprf"
	"interlock/crypto/token"
)

// Share returns the receiver's share of the key and the federation secret, from
// phase Confirming on. The share is checked against its public key. Put both on the
// disk, sealed, then [Participant.Confirm]; destroy the old share, and the participant,
// only once the ceremony is Done. Errors: [ErrPhase], [ErrState], [ErrNoShare].
func (p *Participant) Share(t *Transcript) (*oprf.Share, token.Secret, error) {
	share, secret, err := p.share(t)
	if err != nil {
		return nil, token.Secret{}, fmt.Errorf("share of server %d: %w", p.own, err)
	}
	return share, secret, nil
}

func (p *Participant) share(t *Transcript) (*oprf.Share, token.Secret, error) {
	none := token.Secret{}
	if t.id != p.id {
		return nil, none, fmt.Errorf("%w: another ceremony", ErrPlan)
	}
	if t.phase != Confirming && t.phase != Done {
		return nil, none, fmt.Errorf("%w: %s", ErrPhase, t.phase)
	}
	if _, ok := t.joined[p.own]; !ok {
		return nil, none, fmt.Errorf("%w: it did not join", ErrNoShare)
	}
	if err := p.recognise(t); err != nil {
		return nil, none, err
	}
	secret, err := p.federation(t)
	if err != nil {
		return nil, none, err
	}
	share, err := p.sumShares(t)
	return share, secret, err
}

// sumShares adds up the sub-shares of the qualified dealers, with their weights
// (Gennaro et al., figure 2, step 3; Wong et al., section 3).
func (p *Participant) sumShares(t *Transcript) (*oprf.Share, error) {
	var total scalar.Scalar
	defer total.Zero()
	weights := t.weights()
	for i, d := range t.qualified {
		value, err := p.valueOf(t, d)
		if err != nil {
			return nil, err
		}
		total.Add(&total, value.Mul(&value, &weights[i]))
		value.Zero()
	}
	encoded := scalarBytes(&total)
	defer clear(encoded[:])
	// The encoding that oprf.Share documents: version, index, scalar.
	b := binary.BigEndian.AppendUint16([]byte{1}, uint16(p.own))
	b = append(b, encoded[:]...)
	defer clear(b)
	share, err := oprf.ParseShare(b)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoShare, err)
	}
	if want, ok := publicShare(t.keys, p.own); !ok || share.Public().Key != want {
		share.Destroy()
		return nil, fmt.Errorf("%w: it does not fit its public key", ErrNoShare)
	}
	return share, nil
}

// valueOf returns a dealer's polynomial at this receiver, which is public if the
// dealer was reconstructed.
func (p *Participant) valueOf(t *Transcript, dealer oprf.Index) (scalar.Scalar, error) {
	s, ok := p.received(t, dealer)
	defer func() { clear(s.Share[:]) }()
	if ok {
		return parseScalar(s.Share)
	}
	nodes, values, err := t.deals[dealer].points(t.plan.Threshold)
	if err != nil {
		return scalar.Scalar{}, errNotReceived("the sub-share", dealer)
	}
	return valueAt(interpolate(nodes, values), p.own), nil
}

// federation returns the federation secret: in Generate hashed from the parts of
// all qualified dealers, in Reshare as any one of them sealed it.
func (p *Participant) federation(t *Transcript) (token.Secret, error) {
	if t.plan.Kind == Reshare {
		for _, d := range t.dealers() {
			if got := p.unseal(t, d); got.known {
				return got.part, nil
			}
		}
		return token.Secret{}, fmt.Errorf("%w: no dealer sealed the federation secret", ErrNoShare)
	}
	parts := make([]byte, 0, len(t.qualified)*(2+partSize))
	defer clear(parts[:cap(parts)])
	for _, d := range t.qualified {
		part, ok := p.partOf(t, d)
		if !ok {
			return token.Secret{}, errNotReceived("the part of the federation secret", d)
		}
		parts = binary.BigEndian.AppendUint16(parts, uint16(d))
		parts = append(parts, part[:]...)
		clear(part[:])
	}
	b, err := hkdf.Key(sha512.New, parts, slices.Clone(t.id[:]), "interlock dkg 1 federation secret", partSize)
	if err != nil {
		return token.Secret{}, fmt.Errorf("derive the federation secret: %w", err)
	}
	defer clear(b)
	return token.Secret(b), nil
}
