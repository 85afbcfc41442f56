package dkg

import (
	"bytes"
	"errors"
	mathrand "math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"interlock/crypto/oprf"
	"interlock/crypto/token"
)

// everyBody is one message of each kind, with something in every field.
func everyBody() []Message {
	element := oprf.Element{1, 2, 3}
	sub := Revealed{Server: 3, SubShare: SubShare{Share: [32]byte{4}, Blind: [32]byte{5}}}
	var list []Message
	for _, b := range []Body{
		Join{Recipient: "age1pq1"},
		Deal{Commitments: []oprf.Element{element, element}, Secret: [32]byte{6}, Sealed: [][]byte{{7}, {}, {8, 9}}},
		Verdict{Shares: indices(1, 2), Secrets: indices(65535)},
		Answer{Shares: []Revealed{sub, sub}, Relays: []Relay{{Receiver: 2, Sealed: []byte{10}}}},
		Open{Commitments: []oprf.Element{element}, Proof: Proof{11}},
		Reconstruct{Shares: []Revealed{sub}},
		Confirm{Federation: token.Commitment{12}},
		Close{Phase: Judging},
	} {
		list = append(list, Message{Plan: PlanID{1}, From: 513, Body: b})
	}
	return list
}

func TestAMessageComesBackAsItWas(t *testing.T) {
	for _, m := range everyBody() {
		b, err := m.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		got, err := ParseMessage(b)
		if err != nil {
			t.Fatalf("%T: %v", m.Body, err)
		}
		if diff := cmp.Diff(m, got); diff != "" {
			t.Error(diff)
		}
		for cut := range b {
			if _, err := ParseMessage(b[:cut]); !errors.Is(err, ErrMessage) {
				t.Fatalf("%T cut to %d bytes: got %v, want ErrMessage", m.Body, cut, err)
			}
		}
		if _, err := ParseMessage(append(b, 0)); !errors.Is(err, ErrMessage) {
			t.Errorf("%T with a byte after it: got %v, want ErrMessage", m.Body, err)
		}
	}
}

func TestAMessageBeyondTheLimitsIsNotEncoded(t *testing.T) {
	for name, b := range map[string]Body{
		"no body":       nil,
		"payload":       Deal{Sealed: [][]byte{make([]byte, MaxSealed+1)}},
		"payloads":      Deal{Sealed: make([][]byte, MaxServers+1)},
		"recipient":     Join{Recipient: string(make([]byte, MaxSealed+1))},
		"servers":       Verdict{Shares: upTo(MaxServers + 1)},
		"sub-shares":    Reconstruct{Shares: make([]Revealed, MaxServers+1)},
		"length beyond": Join{Recipient: string(make([]byte, 1<<16+1))},
	} {
		if _, err := (Message{Body: b}).MarshalBinary(); !errors.Is(err, ErrMessage) {
			t.Errorf("%s: got %v, want ErrMessage", name, err)
		}
	}
	long := append([]byte{messageVersion, codeJoin}, make([]byte, len(PlanID{})+2)...)
	long = append(append(long, byte((MaxSealed+1)>>8), byte((MaxSealed+1)&0xff)), make([]byte, MaxSealed+1)...)
	if _, err := ParseMessage(long); !errors.Is(err, ErrMessage) {
		t.Errorf("a recipient too long: got %v, want ErrMessage", err)
	}
	if _, err := ParseMessage(make([]byte, MaxMessage+1)); !errors.Is(err, ErrMessage) {
		t.Errorf("a message too long: got %v, want ErrMessage", err)
	}
	largest := Deal{Commitments: make([]oprf.Element, MaxServers)}
	for range MaxServers {
		largest.Sealed = append(largest.Sealed, make([]byte, MaxSealed))
	}
	b, err := (Message{Body: largest}).MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ParseMessage(b); err != nil {
		t.Errorf("the largest message: %v", err)
	}
}

func FuzzParseMessage(f *testing.F) {
	for _, m := range everyBody() {
		b, err := m.MarshalBinary()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
		f.Add(b[:len(b)-1])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := ParseMessage(b)
		if err != nil {
			if !errors.Is(err, ErrMessage) {
				t.Fatalf("got %v, want ErrMessage", err)
			}
			return
		}
		got, err := m.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, b) {
			t.Fatal("a second spelling of a message was taken")
		}
	})
}

func TestTheVerySameMessageAgainChangesNothing(t *testing.T) {
	c := convene(t, generatePlan(2, upTo(3)), nil)
	c.lies[1] = dealing(wrongShareTo(2))
	c.absent[3] = true
	c.run()
	digest, phase := c.transcript.Digest(), c.transcript.Phase()
	for i, b := range c.log {
		m, err := ParseMessage(b)
		if err != nil {
			t.Fatal(err)
		}
		if fresh, err := c.transcript.Apply(m); fresh || err != nil {
			t.Errorf("message %d, %T: new %v, error %v", i, m.Body, fresh, err)
		}
	}
	if c.transcript.Digest() != digest || c.transcript.Phase() != phase {
		t.Error("a repeated message changed the transcript")
	}
}

// at brings a ceremony of 2 of 3 to a phase and returns what server 1 has to say there.
func at(t testing.TB, phase Phase) (*ceremony, Message) {
	t.Helper()
	c := convene(t, generatePlan(2, upTo(3)), nil)
	if phase == Answering {
		c.lies[1] = dealing(wrongShareTo(2))
	}
	c.before = func(c *ceremony) { c.absent[3] = c.transcript.Phase() == Opening && phase == Reconstructing }
	for c.transcript.Phase() < phase {
		c.prepare()
		spoke := false
		for _, s := range upTo(3) {
			if c.transcript.Phase() < phase {
				spoke = c.speak(s) || spoke
			}
		}
		if !spoke {
			c.apply(c.transcript.Closing())
		}
	}
	m, ok, err := c.people[1].Next(c.transcript)
	if err != nil {
		t.Fatal(err)
	}
	if phase == Confirming {
		_, secret, err := c.people[1].Share(c.transcript)
		if err != nil {
			t.Fatal(err)
		}
		m, ok = c.people[1].Confirm(c.transcript, secret)
	}
	if !ok {
		t.Fatalf("server 1 has nothing to say in %v", phase)
	}
	return c, m
}

func body[T Body](change func(*T)) func(*Message) {
	return func(m *Message) {
		b := m.Body.(T)
		change(&b)
		m.Body = b
	}
}

// Each row spoils a message of server 1; it is refused and changes nothing.
func TestAMessageThatIsNotAsItMustBeIsRefused(t *testing.T) {
	for _, row := range []struct {
		name  string
		phase Phase
		spoil func(*Message)
		want  error
	}{
		{"of another ceremony", Joining, func(m *Message) { m.Plan[0] ^= 1 }, ErrPlan},
		{"of a stranger", Joining, func(m *Message) { m.From = 4 }, ErrSender},
		{"of nobody", Joining, func(m *Message) { m.From = 0 }, ErrSender},
		{"too early", Joining, func(m *Message) { m.Body = Verdict{} }, ErrPhase},
		{"recipient", Joining, body(func(j *Join) { j.Recipient = j.Recipient[:len(j.Recipient)-1] + "b" }), ErrMessage},
		{"recipient in capitals", Joining, body(func(j *Join) { j.Recipient = string(bytes.ToUpper([]byte(j.Recipient))) }), ErrMessage},
		{"second join", Dealing, func(m *Message) { m.Body = Join{Recipient: "age1pq1"} }, ErrSpoken},
		{"a commitment too few", Dealing, body(func(d *Deal) { d.Commitments = d.Commitments[:1] }), ErrMessage},
		{"a commitment too many", Dealing, body(func(d *Deal) { d.Commitments = append(d.Commitments, d.Commitments[0]) }), ErrMessage},
		{"the identity", Dealing, body(func(d *Deal) { d.Commitments[1] = oprf.Element{} }), ErrMessage},
		{"no element", Dealing, body(func(d *Deal) { d.Commitments[1] = oprf.Element{1} }), ErrMessage},
		{"a payload too few", Dealing, body(func(d *Deal) { d.Sealed = d.Sealed[:2] }), ErrMessage},
		{"a payload too long", Dealing, body(func(d *Deal) { d.Sealed[0] = make([]byte, MaxSealed+1) }), ErrMessage},
		{"complaint of oneself", Judging, body(func(v *Verdict) { v.Shares = indices(1) }), ErrMessage},
		{"complaint of a stranger", Judging, body(func(v *Verdict) { v.Secrets = indices(4) }), ErrMessage},
		{"complaint twice", Judging, body(func(v *Verdict) { v.Shares = indices(2, 2) }), ErrMessage},
		{"complaints out of order", Judging, body(func(v *Verdict) { v.Shares = indices(3, 2) }), ErrMessage},
		{"answer to nobody", Answering, body(func(a *Answer) { a.Shares = nil }), ErrMessage},
		{"answer to another", Answering, body(func(a *Answer) { a.Shares[0].Server = 3 }), ErrMessage},
		{"relay unasked", Answering, body(func(a *Answer) { a.Relays = []Relay{{Receiver: 2}} }), ErrMessage},
		{"answer unasked", Answering, func(m *Message) { m.From = 2 }, ErrSender},
		{"opening too short", Opening, body(func(o *Open) { o.Commitments = o.Commitments[:1] }), ErrMessage},
		{"opening no element", Opening, body(func(o *Open) { o.Commitments[0] = oprf.Element{1} }), ErrMessage},
		{"sub-share wrong", Reconstructing, body(func(r *Reconstruct) { r.Shares[0].SubShare.Share[0] ^= 1 }), ErrMessage},
		{"sub-share of another dealer", Reconstructing, body(func(r *Reconstruct) { r.Shares[0].Server = 2 }), ErrMessage},
		{"sub-shares missing", Reconstructing, body(func(r *Reconstruct) { r.Shares = nil }), ErrMessage},
		{"sub-share of another receiver", Reconstructing, func(m *Message) { m.From = 2 }, ErrMessage},
		{"closed by a participant", Confirming, func(m *Message) { m.Body = Close{Phase: Confirming} }, ErrSender},
		{"closed too early", Joining, func(m *Message) { m.From, m.Body = 0, Close{Phase: Judging} }, ErrPhase},
		{"an unknown phase", Joining, func(m *Message) { m.From, m.Body = 0, Close{Phase: 99} }, ErrPhase},
		{"too late", Confirming, func(m *Message) { m.Body = Answer{} }, ErrPhase},
	} {
		t.Run(row.name, func(t *testing.T) {
			c, m := at(t, row.phase)
			digest := c.transcript.Digest()
			row.spoil(&m)
			if err := c.transcript.Check(m); !errors.Is(err, row.want) {
				t.Errorf("check: got %v, want %v", err, row.want)
			}
			if fresh, err := c.transcript.Apply(m); fresh || !errors.Is(err, row.want) {
				t.Errorf("apply: got %v, %v, want %v", fresh, err, row.want)
			}
			if c.transcript.Phase() != row.phase || c.transcript.Digest() != digest {
				t.Error("a refused message changed the transcript")
			}
		})
	}
}

func TestNothingIsTakenOnceTheCeremonyIsDone(t *testing.T) {
	c, _ := generated(t, 2, upTo(3))
	if got := c.transcript.Expected(); len(got) != 0 {
		t.Errorf("got %v expected, want nobody", got)
	}
	if _, err := c.transcript.Apply(c.transcript.Closing()); !errors.Is(err, ErrPhase) {
		t.Errorf("got %v, want ErrPhase", err)
	}
}

// Of 2t-1 servers t-1 say anything at all that is well formed; every honest one
// gets its share, and none of them is blamed.
func TestHonestServersSucceedWhateverTheOthersSay(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		threshold := rapid.IntRange(2, 3).Draw(rt, "threshold")
		n := 2*threshold - 1
		c := convene(t, generatePlan(threshold, upTo(n)), nil)
		dice := mathrand.New(mathrand.NewPCG(rapid.Uint64().Draw(rt, "dice"), 0))
		for s := range oprf.Index(threshold - 1) {
			c.lies[s+1] = func(c *ceremony, m Message) Body { return spoilt(c, m, dice) }
		}
		o := c.finish()
		for s := oprf.Index(threshold); int(s) <= n; s++ {
			if !slices.Contains(members(o.Keys), s) {
				t.Errorf("honest server %d has no share", s)
			}
			if slices.ContainsFunc(c.transcript.Faults(), func(f Fault) bool { return f.Server == s }) {
				t.Errorf("honest server %d is blamed: %v", s, c.transcript.Faults())
			}
		}
	})
}

// spoilt changes bytes of a message until it is one that the transcript accepts, or
// gives up and says nothing.
func spoilt(c *ceremony, m Message, dice *mathrand.Rand) Body {
	if _, ok := m.Body.(Verdict); ok && dice.IntN(2) == 0 {
		others := slices.DeleteFunc(c.transcript.dealers(), func(d oprf.Index) bool { return d == m.From })
		return Verdict{Shares: others, Secrets: others}
	}
	b, err := m.MarshalBinary()
	if err != nil {
		c.t.Fatal(err)
	}
	for range 4 {
		changed := slices.Clone(b)
		for range 1 + dice.IntN(3) {
			changed[36+dice.IntN(len(changed)-36)] ^= byte(1 << dice.IntN(8))
		}
		if got, err := ParseMessage(changed); err == nil && c.transcript.Check(got) == nil {
			return got.Body
		}
	}
	return nil
}
