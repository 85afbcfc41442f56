package dkg

import (
	"crypto/rand"
	"slices"
	"testing"

	"github.com/oasisprotocol/curve25519-voi/curve/scalar"

	"interlock/crypto/oprf"
	"interlock/crypto/token"
)

// ceremony is one ceremony of several servers around one log.
type ceremony struct {
	t          testing.TB
	plan       Plan
	transcript *Transcript
	log        [][]byte // accepted messages, encoded
	people     map[oprf.Index]*Participant
	held       map[oprf.Index]*Holding
	absent     map[oprf.Index]bool                          // says nothing
	lies       map[oprf.Index]func(*ceremony, Message) Body // what a dishonest server says instead; nil is nothing
	before     func(*ceremony)                              // runs before each round
	shares     map[oprf.Index]*oprf.Share
	secrets    map[oprf.Index]token.Secret
}

func indices(list ...int) []oprf.Index {
	var out []oprf.Index
	for _, i := range list {
		out = append(out, oprf.Index(i))
	}
	return out
}

func upTo(n int) []oprf.Index {
	var out []oprf.Index
	for i := range n {
		out = append(out, oprf.Index(i+1))
	}
	return out
}

func generatePlan(threshold int, receivers []oprf.Index) Plan {
	return Plan{Kind: Generate, Ceremony: 7, Threshold: threshold, Receivers: receivers, Context: []byte("test network")}
}

func newTranscript(t testing.TB, plan Plan) *Transcript {
	t.Helper()
	transcript, err := New(plan)
	if err != nil {
		t.Fatal(err)
	}
	return transcript
}

func begin(t testing.TB, plan Plan, own oprf.Index, held *Holding) *Participant {
	t.Helper()
	p, err := Begin(plan, own, held)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// convene seats all servers of a plan; held is for the dealers of a reshare.
func convene(t testing.TB, plan Plan, held map[oprf.Index]*Holding) *ceremony {
	t.Helper()
	c := &ceremony{
		t: t, plan: plan, transcript: newTranscript(t, plan), held: held,
		people: map[oprf.Index]*Participant{}, absent: map[oprf.Index]bool{},
		lies:   map[oprf.Index]func(*ceremony, Message) Body{},
		shares: map[oprf.Index]*oprf.Share{}, secrets: map[oprf.Index]token.Secret{},
	}
	for _, s := range append(slices.Clone(plan.Receivers), plan.Dealers...) {
		if c.people[s] == nil {
			c.people[s] = begin(t, plan, s, held[s])
		}
	}
	return c
}

func (c *ceremony) servers() []oprf.Index {
	var list []oprf.Index
	for s := range c.people {
		list = append(list, s)
	}
	slices.Sort(list)
	return list
}

// apply sends a message through its encoding into the log.
func (c *ceremony) apply(m Message) {
	c.t.Helper()
	b, err := m.MarshalBinary()
	if err != nil {
		c.t.Fatal(err)
	}
	parsed, err := ParseMessage(b)
	if err != nil {
		c.t.Fatal(err)
	}
	if err := c.transcript.Check(parsed); err != nil {
		c.t.Fatal(err)
	}
	fresh, err := c.transcript.Apply(parsed)
	if err != nil || !fresh {
		c.t.Fatalf("apply %T of %d: new %v, error %v", m.Body, m.From, fresh, err)
	}
	c.log = append(c.log, b)
}

// speak has one server say what it has to say, if anything.
func (c *ceremony) speak(s oprf.Index) bool {
	c.t.Helper()
	if c.absent[s] {
		return false
	}
	p := c.people[s]
	m, ok, err := p.Next(c.transcript)
	if err != nil && c.lies[s] != nil {
		return false // its own state does not know what it said
	}
	if err != nil {
		c.t.Fatal(err)
	}
	if c.transcript.Phase() == Confirming && slices.Contains(c.transcript.Expected(), s) {
		share, secret, err := p.Share(c.transcript)
		if err != nil {
			return false
		}
		c.shares[s], c.secrets[s] = share, secret
		m, ok = p.Confirm(c.transcript, secret)
	}
	if !ok {
		return false
	}
	if lie := c.lies[s]; lie != nil {
		if m.Body = lie(c, m); m.Body == nil {
			return false
		}
	}
	c.apply(m)
	return true
}

func (c *ceremony) prepare() {
	if c.before != nil {
		c.before(c)
	}
}

// run goes on to the end, closing phases on which nobody has more to say, and returns
// where it stands.
func (c *ceremony) run() Phase {
	c.t.Helper()
	for c.transcript.Phase() != Done && c.transcript.Phase() != Failed {
		c.prepare()
		spoke := false
		for _, s := range c.servers() {
			spoke = c.speak(s) || spoke
		}
		if spoke || c.transcript.Phase() == Done || c.transcript.Phase() == Failed {
			continue
		}
		if c.transcript.Check(c.transcript.Closing()) != nil {
			break
		}
		c.apply(c.transcript.Closing())
	}
	return c.transcript.Phase()
}

// finish runs to Done, checks that all shares and secrets belong together, and
// returns the outcome.
func (c *ceremony) finish() Outcome {
	c.t.Helper()
	if got := c.run(); got != Done {
		c.t.Fatalf("got phase %v (%v, faults %v), want done", got, c.transcript.Failure(), c.transcript.Faults())
	}
	o, ok := c.transcript.Outcome()
	if !ok {
		c.t.Fatal("done without an outcome")
	}
	if err := o.Keys.Validate(); err != nil {
		c.t.Fatal(err)
	}
	for _, s := range o.Keys.Shares {
		if c.lies[s.Index] == nil && c.secrets[s.Index].Commit() != o.Federation {
			c.t.Errorf("server %d has another federation secret", s.Index)
		}
		if got := c.shares[s.Index].Public(); got != s {
			c.t.Errorf("server %d has a share that is not in the key set", s.Index)
		}
	}
	return o
}

// holders makes the holdings of all who have a share.
func (c *ceremony) holders() map[oprf.Index]*Holding {
	held := map[oprf.Index]*Holding{}
	for s, share := range c.shares {
		held[s] = &Holding{Share: share, Federation: c.secrets[s]}
	}
	return held
}

func generated(t testing.TB, threshold int, receivers []oprf.Index) (*ceremony, Outcome) {
	t.Helper()
	c := convene(t, generatePlan(threshold, receivers), nil)
	return c, c.finish()
}

func members(k oprf.KeySet) []oprf.Index {
	var list []oprf.Index
	for _, s := range k.Shares {
		list = append(list, s.Index)
	}
	return list
}

// quorums returns every choice of some servers out of a list.
func quorums(size int, of []oprf.Index) [][]oprf.Index {
	var all [][]oprf.Index
	for set := range 1 << len(of) {
		var quorum []oprf.Index
		for i, s := range of {
			if set>>i&1 == 1 {
				quorum = append(quorum, s)
			}
		}
		if len(quorum) == size {
			all = append(all, quorum)
		}
	}
	return all
}

// secretOf interpolates shares at 0.
func secretOf(t testing.TB, shares map[oprf.Index]*oprf.Share, quorum []oprf.Index) scalar.Scalar {
	t.Helper()
	var secret scalar.Scalar
	weights := lagrange(quorum, 0)
	for i, s := range quorum {
		value, err := shareScalar(shares[s])
		if err != nil {
			t.Fatal(err)
		}
		secret.Add(&secret, value.Mul(&value, &weights[i]))
	}
	return secret
}

func tokenInputs() [][]byte { return [][]byte{[]byte("j.doe@example.org"), []byte("+14165550142")} }

// evaluate goes the whole way from inputs to tokens: a client blinds, the quorum
// evaluates, the client checks and unblinds.
func evaluate(t testing.TB, keys oprf.KeySet, shares map[oprf.Index]*oprf.Share, quorum []oprf.Index) ([]oprf.Token, error) {
	t.Helper()
	client, err := oprf.NewClient(keys)
	if err != nil {
		t.Fatal(err)
	}
	r, err := client.Blind(rand.Reader, tokenInputs())
	if err != nil {
		t.Fatal(err)
	}
	var answers []oprf.Answer
	for _, s := range quorum {
		a, err := shares[s].Evaluate(rand.Reader, keys.Threshold, quorum, r.Blinded())
		if err != nil {
			t.Fatal(err)
		}
		answers = append(answers, a)
	}
	return r.Finalize(quorum, answers)
}

// singleKeyTokens evaluates under one undivided key.
func singleKeyTokens(t testing.TB, secret scalar.Scalar) []oprf.Token {
	t.Helper()
	b := scalarBytes(&secret)
	share, err := oprf.ParseShare(append([]byte{1, 0, 1}, b[:]...))
	if err != nil {
		t.Fatal(err)
	}
	keys := oprf.KeySet{Threshold: 1, Public: oprf.PublicKey(share.Public().Key), Shares: []oprf.PublicShare{share.Public()}}
	tokens, err := evaluate(t, keys, map[oprf.Index]*oprf.Share{1: share}, indices(1))
	if err != nil {
		t.Fatal(err)
	}
	return tokens
}

// wantEvaluates fails unless every quorum gives the tokens of the undivided key.
func wantEvaluates(t testing.TB, keys oprf.KeySet, shares map[oprf.Index]*oprf.Share) {
	t.Helper()
	all := quorums(keys.Threshold, members(keys))
	want := singleKeyTokens(t, secretOf(t, shares, all[0]))
	for _, quorum := range all {
		got, err := evaluate(t, keys, shares, quorum)
		if err != nil {
			t.Fatalf("quorum %v: %v", quorum, err)
		}
		if !slices.Equal(got, want) {
			t.Errorf("quorum %v evaluates under another key", quorum)
		}
	}
}
