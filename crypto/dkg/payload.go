package dkg

import (
	"encoding/binary"
	"fmt"
	"slices"

	"interlock/crypto/oprf"
	"interlock/crypto/token"
	"interlock/crypto/vault"
)

// partSize is the length of a part of the federation secret, and of the secret.
const partSize = len(token.Secret{})

// payload is what a dealer seals to one receiver.
type payload struct {
	sub  SubShare
	part [partSize]byte
}

// The first byte of what is sealed.
const (
	sealedPayload byte = 1
	sealedRelay   byte = 2
)

const (
	sealedHeader = 1 + len(PlanID{}) + 2 + 2
	payloadSize  = sealedHeader + 2*oprf.ScalarSize + partSize
)

// header binds what is sealed to its ceremony, sender and receiver. Without it a
// dealer could repeat as its own what another dealer had sealed.
func header(kind byte, id PlanID, from, to oprf.Index, size int) []byte {
	b := make([]byte, 0, size)
	b = append(b, kind)
	b = append(b, id[:]...)
	b = binary.BigEndian.AppendUint16(b, uint16(from))
	return binary.BigEndian.AppendUint16(b, uint16(to))
}

func (s *payload) seal(id PlanID, from, to oprf.Index, recipient vault.Recipient) ([]byte, error) {
	b := header(sealedPayload, id, from, to, payloadSize)
	b = append(b, s.sub.Share[:]...)
	b = append(b, s.sub.Blind[:]...)
	b = append(b, s.part[:]...)
	defer clear(b)
	return recipient.Seal(b)
}

func (s *payload) wipe() {
	clear(s.sub.Share[:])
	clear(s.sub.Blind[:])
	clear(s.part[:])
}

// delivery is a payload as its receiver finds it.
type delivery struct {
	payload
	fits  bool // the sub-share is what the dealer committed to
	known bool // so is the part of the federation secret
}

// unseal opens and checks what a dealer sealed to this receiver. What does not open is neither.
func (p *Participant) unseal(t *Transcript, dealer oprf.Index) delivery {
	place := slices.Index(t.Joined(), p.own)
	if place < 0 {
		return delivery{}
	}
	d := t.deals[dealer]
	b, ok := p.openSealed(d.said.Sealed[place], sealedPayload, dealer, payloadSize)
	defer clear(b)
	if !ok {
		return delivery{}
	}
	var got delivery
	rest := b[sealedHeader:]
	for _, field := range [][]byte{got.sub.Share[:], got.sub.Blind[:], got.part[:]} {
		rest = rest[copy(field, rest):]
	}
	got.fits = t.fits(d.commitments, p.own, got.sub)
	got.known = t.isPart(dealer, got.part)
	return got
}

// openSealed opens bytes sealed to this participant, and reports whether they have
// the size and the header that they must have.
func (p *Participant) openSealed(sealed []byte, kind byte, from oprf.Index, size int) ([]byte, bool) {
	b, err := p.identity.Open(sealed, size)
	if err != nil {
		return nil, false // whatever it is, it is the sender's doing
	}
	want := header(kind, p.id, from, p.own, sealedHeader)
	return b, len(b) == size && slices.Equal(b[:sealedHeader], want)
}

// isPart reports whether a part of the federation secret is what the dealer
// committed to. In Reshare it is the whole secret, and the plan has its commitment.
func (t *Transcript) isPart(dealer oprf.Index, part [partSize]byte) bool {
	if t.plan.Kind == Reshare {
		return token.Secret(part).Commit() == t.plan.Federation
	}
	return commitPart(t.id, dealer, part) == t.deals[dealer].said.Secret
}

// relay seals to r the parts it lacks, in the order of their dealers, with zeros
// for those that this participant lacks too.
func (p *Participant) relay(t *Transcript, r oprf.Index) ([]byte, error) {
	lacking := t.lacking[r]
	b := header(sealedRelay, p.id, p.own, r, sealedHeader+len(lacking)*partSize)
	defer clear(b[:cap(b)])
	for _, d := range lacking {
		got := p.unseal(t, d)
		if !got.known {
			clear(got.part[:])
		}
		b = append(b, got.part[:]...)
		got.wipe()
	}
	return t.joined[r].Seal(b)
}

// partOf returns a dealer's part of the federation secret, as it dealt it or as
// another receiver passed it on.
func (p *Participant) partOf(t *Transcript, dealer oprf.Index) ([partSize]byte, bool) {
	got := p.unseal(t, dealer)
	if got.known {
		return got.part, true
	}
	place := slices.Index(t.lacking[p.own], dealer)
	if place < 0 {
		return [partSize]byte{}, false
	}
	for from, sealed := range t.relays[p.own] {
		b, ok := p.openSealed(sealed, sealedRelay, from, sealedHeader+len(t.lacking[p.own])*partSize)
		if !ok {
			continue
		}
		part := [partSize]byte(b[sealedHeader+place*partSize:])
		clear(b)
		if t.isPart(dealer, part) {
			return part, true
		}
	}
	return [partSize]byte{}, false
}

// received returns a dealer's sub-share for this receiver: as it was sealed, or as
// the dealer revealed it when this receiver complained.
func (p *Participant) received(t *Transcript, dealer oprf.Index) (SubShare, bool) {
	if s, ok := t.deals[dealer].revealed[p.own]; ok {
		return s, true
	}
	got := p.unseal(t, dealer)
	return got.sub, got.fits
}

// errNotReceived names the dealer whose word is missing.
func errNotReceived(what string, dealer oprf.Index) error {
	return fmt.Errorf("%w: %s of dealer %d did not arrive", ErrNoShare, what, dealer)
}
