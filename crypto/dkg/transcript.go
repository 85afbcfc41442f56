package dkg

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"

	"github.com/oasisprotocol/curve25519-voi/curve"

	"interlock/crypto/oprf"
	"interlock/crypto/token"
	"interlock/crypto/vault"
)

// Transcript is the public state of one ceremony: a function of the plan and of the
// messages applied, in their order. To keep one over a restart, keep the messages
// that Apply accepted and apply them to a new one. It belongs to one goroutine.
type Transcript struct {
	plan   Plan
	id     PlanID
	second curve.RistrettoPoint // Pedersen's second generator

	phase   Phase
	failure error
	digest  [sha256.Size]byte
	said    map[speech][sha256.Size]byte
	faults  []Fault

	joined    map[oprf.Index]vault.Recipient
	deals     map[oprf.Index]*deal
	verdicts  map[oprf.Index]Verdict
	lacking   map[oprf.Index][]oprf.Index          // parts of the federation secret that a receiver misses, by dealer
	asked     map[oprf.Index]question              // who has to answer what
	relays    map[oprf.Index]map[oprf.Index][]byte // sealed parts, by receiver and sender
	qualified []oprf.Index                         // QUAL, once the complaints are settled
	combined  []curve.RistrettoPoint               // the key's polynomial, committed to
	keys      oprf.KeySet                          // for all that joined
	confirmed map[oprf.Index]token.Commitment
	outcome   Outcome
}

// speech is one sender's word in one phase; the sender 0 closes it.
type speech struct {
	phase Phase
	from  oprf.Index
}

// deal is what the transcript knows of one dealer.
type deal struct {
	said        Deal
	commitments []curve.RistrettoPoint
	out         bool                    // disqualified
	opened      []curve.RistrettoPoint  // A_k; nil before the dealer opened, or if it was wrong
	revealed    map[oprf.Index]SubShare // made public, by receiver; all fit
}

// question is what a server is to answer: complaints of its deal, by receiver, and
// the receivers to whom it passes parts of the federation secret.
type question struct {
	reveal, relay []oprf.Index
}

// Outcome is what came of a ceremony that is Done.
type Outcome struct {
	Keys       oprf.KeySet      // with the public shares of those who confirmed
	Federation token.Commitment // to the federation secret
}

// New begins the transcript of a plan. The error wraps [ErrPlan].
func New(plan Plan) (*Transcript, error) {
	if err := plan.Validate(); err != nil {
		return nil, fmt.Errorf("begin transcript: %w", err)
	}
	second, err := secondGenerator()
	if err != nil {
		return nil, fmt.Errorf("begin transcript: %w", err)
	}
	id := plan.ID()
	return &Transcript{
		plan: plan.clone(), id: id, second: second,
		phase: Joining, digest: id,
		said:      map[speech][sha256.Size]byte{},
		joined:    map[oprf.Index]vault.Recipient{},
		deals:     map[oprf.Index]*deal{},
		verdicts:  map[oprf.Index]Verdict{},
		lacking:   map[oprf.Index][]oprf.Index{},
		asked:     map[oprf.Index]question{},
		relays:    map[oprf.Index]map[oprf.Index][]byte{},
		confirmed: map[oprf.Index]token.Commitment{},
	}, nil
}

// Phase returns where the ceremony stands.
func (t *Transcript) Phase() Phase { return t.phase }

// Plan returns the plan.
func (t *Transcript) Plan() Plan { return t.plan.clone() }

// Digest names the state: equal for transcripts that accepted the same messages in
// the same order.
func (t *Transcript) Digest() [sha256.Size]byte { return t.digest }

// Faults returns what servers did wrong so far, in the order in which it was found.
func (t *Transcript) Faults() []Fault { return slices.Clone(t.faults) }

// Joined returns the receivers that take part, in ascending order.
func (t *Transcript) Joined() []oprf.Index { return slices.Sorted(maps.Keys(t.joined)) }

// Qualified returns the dealers of which the key is made (QUAL), in ascending
// order, once the complaints are settled.
func (t *Transcript) Qualified() []oprf.Index { return slices.Clone(t.qualified) }

// Failure returns why the ceremony failed, if it did. It wraps [ErrTooFew],
// [ErrDisagree] or [ErrDeal].
func (t *Transcript) Failure() error { return t.failure }

// Outcome returns what came of the ceremony, once it is Done.
func (t *Transcript) Outcome() (Outcome, bool) {
	o := t.outcome
	o.Keys.Shares = slices.Clone(o.Keys.Shares)
	return o, t.phase == Done
}

// Expected returns who has still to speak in this phase, in ascending order. When
// it is empty the phase is over, so it is empty at the end alone.
func (t *Transcript) Expected() []oprf.Index {
	return slices.DeleteFunc(t.speakers(), func(s oprf.Index) bool {
		_, spoken := t.said[speech{t.phase, s}]
		return spoken
	})
}

// speakers returns, as a new slice, who speaks in this phase.
func (t *Transcript) speakers() []oprf.Index {
	switch t.phase {
	case Joining:
		return slices.Clone(t.plan.Receivers)
	case Dealing:
		if t.plan.Kind == Reshare {
			return slices.Clone(t.plan.Dealers)
		}
		return t.Joined()
	case Judging, Reconstructing, Confirming:
		return t.Joined()
	case Answering:
		return slices.Sorted(maps.Keys(t.asked))
	case Opening:
		return slices.Clone(t.qualified)
	}
	return nil
}

// Closing returns the message that closes the present phase on those who have not
// spoken. In Confirming it is refused until threshold receivers have confirmed.
func (t *Transcript) Closing() Message { return Message{Plan: t.id, Body: Close{Phase: t.phase}} }

// Check reports whether Apply would accept the message now. It changes nothing.
func (t *Transcript) Check(m Message) error {
	_, _, err := t.prepare(m)
	return err
}

// Apply takes the next message of the log, and reports whether it was new. The very
// same message again changes nothing. What is refused changes nothing either; the
// error says why: [ErrMessage], [ErrPlan], [ErrPhase], [ErrSender], [ErrSpoken],
// [ErrDeal] or [ErrTooFew]. A message that is well formed and proves its sender dishonest is
// accepted, and the sender is among the faults.
func (t *Transcript) Apply(m Message) (bool, error) {
	effect, digest, err := t.prepare(m)
	if err != nil {
		return false, err
	}
	if effect == nil {
		return false, nil
	}
	effect()
	t.said[speech{m.Body.phase(), m.From}] = digest
	t.digest = sha256.Sum256(append(t.digest[:], digest[:]...))
	for t.complete() {
		t.settle()
	}
	return true, nil
}

// prepare checks a message and returns what it would do, or nil for a repeated one.
func (t *Transcript) prepare(m Message) (effect func(), digest [sha256.Size]byte, err error) {
	encoded, err := m.MarshalBinary()
	if err != nil {
		return nil, digest, err
	}
	digest = sha256.Sum256(encoded)
	if m.Plan != t.id {
		return nil, digest, fmt.Errorf("message of server %d: %w: of another ceremony", m.From, ErrPlan)
	}
	if before, ok := t.said[speech{m.Body.phase(), m.From}]; ok {
		if before == digest {
			return nil, digest, nil
		}
		return nil, digest, fmt.Errorf("message of server %d, %s: %w", m.From, m.Body.phase(), ErrSpoken)
	}
	if m.Body.phase() != t.phase {
		return nil, digest, fmt.Errorf("message of server %d for %s: %w: %s", m.From, m.Body.phase(), ErrPhase, t.phase)
	}
	effect, err = t.judge(m)
	if err != nil {
		return nil, digest, fmt.Errorf("message of server %d, %s: %w", m.From, t.phase, err)
	}
	return effect, digest, nil
}

// complete reports whether the phase is over.
func (t *Transcript) complete() bool {
	if t.phase == Done || t.phase == Failed {
		return false
	}
	return t.closed() || len(t.Expected()) == 0 || t.phase == Reconstructing && t.enoughRevealed()
}

func (t *Transcript) closed() bool {
	_, ok := t.said[speech{t.phase, 0}]
	return ok
}

func (t *Transcript) fail(err error) { t.phase, t.failure = Failed, err }

func (t *Transcript) blame(server oprf.Index, why Reason) {
	t.faults = append(t.faults, Fault{Server: server, Phase: t.phase, Reason: why})
}
