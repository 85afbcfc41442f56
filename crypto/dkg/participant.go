package dkg

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/binary"
	"fmt"
	"log/slog"
	"slices"

	"github.com/oasisprotocol/curve25519-voi/curve/scalar"

	"interlock/crypto/oprf"
	"interlock/crypto/token"
	"interlock/crypto/vault"
)

// Holding is what an old holder brings into a Reshare. It stays the caller's.
type Holding struct {
	Share      *oprf.Share
	Federation token.Secret
}

// Participant is the private half of one server in one ceremony: the identity that
// opens what is sealed to it, and a seed of which its polynomials and its part of
// the federation secret are derived, so that after a restart it says what it said
// before. It prints as a placeholder, and belongs to one goroutine.
type Participant struct {
	plan     Plan
	id       PlanID
	own      oprf.Index
	seed     [seedSize]byte
	identity *vault.Identity
	held     *Holding // nil unless it deals in a Reshare
}

const (
	seedSize     = 32
	stateVersion = 1
	stateHeader  = 1 + len(PlanID{}) + 2 + seedSize
)

// Begin makes the private state of a server in a ceremony, from the system's random
// source. held is what a dealer of a Reshare holds, else nil. Marshal the state, seal
// it and have it on disk before the first message goes out. Errors: [ErrPlan] when
// the server has no part in the plan or holds something else than the plan says.
func Begin(plan Plan, own oprf.Index, held *Holding) (*Participant, error) {
	p, err := newParticipant(plan, own, held)
	if err != nil {
		return nil, fmt.Errorf("begin as server %d: %w", own, err)
	}
	if _, err := rand.Read(p.seed[:]); err != nil {
		return nil, fmt.Errorf("begin as server %d: read randomness: %w", own, err)
	}
	if p.identity, err = vault.GenerateIdentity(); err != nil {
		return nil, fmt.Errorf("begin as server %d: %w", own, err)
	}
	return p, nil
}

func newParticipant(plan Plan, own oprf.Index, held *Holding) (*Participant, error) {
	if err := plan.Validate(); err != nil {
		return nil, err
	}
	p := &Participant{plan: plan.clone(), id: plan.ID(), own: own}
	deals := slices.Contains(plan.Dealers, own)
	if !deals && !slices.Contains(plan.Receivers, own) {
		return nil, fmt.Errorf("%w: it has no part in it", ErrPlan)
	}
	if !deals {
		return p, nil
	}
	if held == nil || held.Share == nil {
		return nil, fmt.Errorf("%w: a dealer without its share", ErrPlan)
	}
	key, _ := publicShare(*plan.Old, own)
	if held.Share.Public() != (oprf.PublicShare{Index: own, Key: key}) {
		return nil, fmt.Errorf("%w: share is not of the old key set", ErrPlan)
	}
	if held.Federation.Commit() != plan.Federation {
		return nil, fmt.Errorf("%w: another federation secret", ErrPlan)
	}
	p.held = held
	return p, nil
}

// MarshalBinary encodes the private state, secrets included: a version byte (1), the
// plan's id, the server in two bytes, the seed, and the age identity's text. The
// holding is not in it. The bytes are to be sealed.
func (p *Participant) MarshalBinary() ([]byte, error) {
	text := p.identity.Reveal()
	if text == "" {
		return nil, fmt.Errorf("encode participant: %w: destroyed", ErrState)
	}
	b := make([]byte, 0, stateHeader+len(text))
	b = append(b, stateVersion)
	b = append(b, p.id[:]...)
	b = binary.BigEndian.AppendUint16(b, uint16(p.own))
	b = append(b, p.seed[:]...)
	return append(b, text...), nil
}

// Resume decodes what MarshalBinary wrote, for the same plan. Errors: [ErrState];
// those of [Begin]. They hold nothing of the bytes.
func Resume(plan Plan, b []byte, held *Holding) (*Participant, error) {
	if len(b) < stateHeader || b[0] != stateVersion {
		return nil, fmt.Errorf("resume participant: %w: unknown version or length", ErrState)
	}
	id, rest := b[1:1+len(PlanID{})], b[1+len(PlanID{}):]
	own := oprf.Index(binary.BigEndian.Uint16(rest))
	p, err := newParticipant(plan, own, held)
	if err != nil {
		return nil, fmt.Errorf("resume as server %d: %w", own, err)
	}
	if subtle.ConstantTimeCompare(id, p.id[:]) != 1 {
		return nil, fmt.Errorf("resume as server %d: %w: it is of another plan", own, ErrState)
	}
	copy(p.seed[:], rest[2:])
	if p.identity, err = vault.ParseIdentity(string(rest[2+seedSize:])); err != nil {
		return nil, fmt.Errorf("resume as server %d: %w: %w", own, ErrState, err)
	}
	return p, nil
}

// Server returns the participant's number.
func (p *Participant) Server() oprf.Index { return p.own }

// Destroy erases the seed and drops the identity. Then nothing that was sealed to
// this participant can be opened any more, by anybody.
func (p *Participant) Destroy() {
	clear(p.seed[:])
	p.identity.Destroy()
	p.held = nil
}

const redacted = "participant(redacted)"

// String is a placeholder.
func (*Participant) String() string { return redacted }

// LogValue is a placeholder.
func (*Participant) LogValue() slog.Value { return slog.StringValue(redacted) }

// Format writes a placeholder for every verb.
func (*Participant) Format(f fmt.State, _ rune) { fmt.Fprint(f, redacted) }

// Next returns what the participant has to say now, and false when there is nothing: it
// has spoken, or has no part in this phase, or the phase is Confirming ([Participant.Confirm]).
// A message that was lost is made again; sealing is random, so a deal made twice has
// other payloads, and the first in the log counts. Errors: [ErrPlan], [ErrState].
func (p *Participant) Next(t *Transcript) (Message, bool, error) {
	none := Message{}
	if t.id != p.id {
		return none, false, fmt.Errorf("speak as server %d: %w: another ceremony", p.own, ErrPlan)
	}
	if !slices.Contains(t.Expected(), p.own) {
		return none, false, nil
	}
	if err := p.recognise(t); err != nil {
		return none, false, fmt.Errorf("speak as server %d: %w", p.own, err)
	}
	var body Body
	var err error
	switch t.phase {
	case Joining:
		body = Join{Recipient: p.identity.Recipient().String()}
	case Dealing:
		body, err = p.deal(t)
	case Judging:
		body = p.verdict(t)
	case Answering:
		body, err = p.answer(t)
	case Opening:
		body, err = p.open(t)
	case Reconstructing:
		var able bool
		if body, able = p.reveal(t); !able {
			return none, false, nil
		}
	default:
		return none, false, nil
	}
	if err != nil {
		return none, false, fmt.Errorf("speak as server %d, %s: %w", p.own, t.phase, err)
	}
	return Message{Plan: p.id, From: p.own, Body: body}, true, nil
}

// Confirm returns the message that says that the share and the secret, as Share
// gave them, are on the disk, and false when nobody waits for it. A share that is not
// on the disk must not be confirmed: threshold others may count on it.
func (p *Participant) Confirm(t *Transcript, secret token.Secret) (Message, bool) {
	if t.id != p.id || t.phase != Confirming || !slices.Contains(t.Expected(), p.own) {
		return Message{}, false
	}
	return Message{Plan: p.id, From: p.own, Body: Confirm{Federation: secret.Commit()}}, true
}

// recognise reports whether what the transcript has of this server came from this state.
func (p *Participant) recognise(t *Transcript) error {
	if p.identity.Reveal() == "" {
		return fmt.Errorf("%w: destroyed", ErrState)
	}
	if recipient, ok := t.joined[p.own]; ok && recipient != p.identity.Recipient() {
		return fmt.Errorf("%w: it joined with another recipient", ErrState)
	}
	d, ok := t.deals[p.own]
	if !ok {
		return nil
	}
	a, b, err := p.polynomials()
	if err != nil {
		return err
	}
	defer wipe(a, b)
	if !slices.Equal(encodeAll(commit(t, a, b)), d.said.Commitments) {
		return fmt.Errorf("%w: it dealt with another seed", ErrState)
	}
	return nil
}

func wipe(polynomials ...[]scalar.Scalar) {
	for _, p := range polynomials {
		for i := range p {
			p[i].Zero()
		}
	}
}
