package registry

import (
	"crypto/ed25519"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"interlock/crypto/dkg"
	"interlock/crypto/oprf"
	"interlock/protocol/directory"
	"interlock/protocol/wire"
	"interlock/replication/record"
)

// draw makes one command of any kind, right or wrong, for the state of l.
func (l *log) draw(t *rapid.T, n *network) *wire.Command {
	kinds := map[string]func(*rapid.T, *network) *wire.Command{
		"apply": l.drawApplication, "decide": l.drawDecision, "move": l.drawMove, "vote": l.drawVote,
		"endorse": l.drawEndorsement, "speak": l.drawSpeech, "lease": l.drawLease, "tick": l.drawTick, "prove": l.drawEvidence,
		"nothing": func(*rapid.T, *network) *wire.Command { return &wire.Command{} },
	}
	kind := rapid.SampledFrom([]string{
		"apply", "decide", "decide", "decide", "decide", "move", "vote", "vote", "endorse", "endorse",
		"speak", "speak", "speak", "speak", "lease", "tick", "prove", "nothing",
	}).Draw(t, "kind")
	c := kinds[kind](t, n)
	c.Time = rapid.Uint64().Draw(t, "clock")
	if rapid.IntRange(0, 9).Draw(t, "damage") == 0 {
		return damaged(t, c)
	}
	return c
}

// damaged is c with one byte changed, where that is a command still.
func damaged(t *rapid.T, c *wire.Command) *wire.Command {
	b, err := wire.Marshal(c)
	if err != nil || len(b) == 0 {
		return c
	}
	b[rapid.IntRange(0, len(b)-1).Draw(t, "where")] ^= byte(rapid.IntRange(1, 255).Draw(t, "how"))
	var other wire.Command
	if err := wire.Unmarshal(b, &other); err != nil {
		return c
	}
	return &other
}

func (l *log) drawApplication(t *rapid.T, n *network) *wire.Command {
	agency := rapid.IntRange(0, 3).Draw(t, "agency")
	by := directory.Signers{Key: seeded("agency", agency)}
	if rapid.Bool().Draw(t, "invited") {
		by.Invitation = invitationOf(by.Key)
	}
	id := rapid.SampledFrom([]string{"denver-pd", "boulder-pd"}).Draw(t, "id")
	if a, ok := l.Directory().Agency(directory.AgencyID(id)); ok && rapid.Bool().Draw(t, "rotates") {
		by.Replaces = &a.Key
		by.Old = seeded("agency", rapid.IntRange(0, 3).Draw(t, "old"))
	}
	contact := rapid.SampledFrom([]string{"desk", "another desk", "two\nlines"}).Draw(t, "contact")
	return applies(n.signApplication(by, n.agency(by.Key, id, contact), rapid.Uint64Range(1, 5).Draw(t, "time")))
}

func (n *network) drawOperator(t *rapid.T) int {
	return rapid.IntRange(0, len(n.operators)-1).Draw(t, "operator")
}

func (l *log) drawDecision(t *rapid.T, n *network) *wire.Command {
	key, operator := seeded("agency", rapid.IntRange(0, 3).Draw(t, "agency")), n.drawOperator(t)
	switch rapid.SampledFrom([]string{"approve", "approve", "approve", "refuse", "suspend", "invite", "invite", "clear"}).Draw(t, "verb") {
	case "approve":
		return decides(n.decision(l.State, operator, Approve, key, ""))
	case "refuse":
		return decides(n.decision(l.State, operator, Refuse, key, "reason"))
	case "suspend":
		return decides(n.decision(l.State, operator, Suspend, key, rapid.SampledFrom([]string{"reason", ""}).Draw(t, "reason")))
	case "clear":
		id := rapid.SampledFrom([]string{"denver-pd", "boulder-pd"}).Draw(t, "id")
		return decides(n.sign(operator, &wire.Decision{
			Verb: uint32(Clear), Agency: id, Genesis: n.hash[:], Application: make([]byte, 32), Number: l.Day(),
		}))
	}
	return decides(n.invitation(operator, key, l.Day()+rapid.Uint64Range(0, 3).Draw(t, "expires")))
}

func (l *log) drawMove(t *rapid.T, n *network) *wire.Command {
	threshold := rapid.Uint32Range(0, 4).Draw(t, "threshold")
	number := rapid.Uint32Range(1, 5).Draw(t, "number")
	agency := rapid.SampledFrom([]string{"denver-pd", "boulder-pd"}).Draw(t, "id")
	operator := n.drawOperator(t)
	pool := n.everybody()
	motions := map[string]*wire.Motion{
		"policy": policies(uint64(threshold)),
		"operator": changesOperator(&wire.Operator{
			Name: pool.operators[operator].Name, Key: pool.operators[operator].Key, Roles: rapid.Uint32Range(0, 7).Draw(t, "roles"),
		}, threshold == 0),
		"agency":  changesAgency(agency, number%3),
		"epoch":   newEpoch(threshold),
		"retire":  retires(number),
		"reshare": reshares(threshold),
		"remove":  changesServer(&wire.ServerChange{Server: &wire.Server{Index: number}, Remove: true, Threshold: threshold}),
	}
	if next := int(l.nextServer) - 1; next < len(pool.servers) {
		motions["add"] = changesServer(&wire.ServerChange{Server: pool.servers[next], Threshold: threshold})
		motions["replace"] = changesServer(&wire.ServerChange{Server: pool.servers[next], Replaces: number, Threshold: threshold})
	}
	if s, ok := l.Server(oprf.Index(number)); ok {
		moved := s.Message()
		moved.Addresses = []string{"/dns4/elsewhere.example/tcp/1"}
		motions["address"] = changesServer(&wire.ServerChange{Server: moved})
	}
	names := make([]string, 0, len(motions))
	for name := range motions {
		names = append(names, name)
	}
	slices.Sort(names)
	return decides(n.motion(l.State, n.drawOperator(t), motions[rapid.SampledFrom(names).Draw(t, "motion")]))
}

func (l *log) drawVote(t *rapid.T, n *network) *wire.Command {
	if len(l.motions) == 0 {
		return l.drawMove(t, n)
	}
	return decides(n.onMotion(l.State, n.drawOperator(t), rapid.SampledFrom([]Verb{Approve, Approve, Refuse}).Draw(t, "verb")))
}

func (l *log) drawServer(t *rapid.T) oprf.Index {
	return rapid.SampledFrom(l.Servers()).Draw(t, "server").Index
}

func (l *log) drawEndorsement(t *rapid.T, n *network) *wire.Command {
	return endorses(n.endorsement(l.State, int(l.drawServer(t))-1))
}

func (l *log) drawSpeech(t *rapid.T, n *network) *wire.Command {
	now, ok := l.Ceremony()
	if !ok {
		return l.drawEndorsement(t, n)
	}
	server := l.drawServer(t)
	expected := now.Transcript.Expected()
	able := slices.Contains(expected, server) && (!slices.Contains(now.Plan.Dealers, server) || l.cast.holdings[server] != nil)
	if able && rapid.IntRange(0, 7).Draw(t, "closes") > 0 {
		if m := l.cast.says(l.t, now, server); m != nil {
			return speaks(m)
		}
	}
	return speaks(l.cast.closes(now, server))
}

func (l *log) drawLease(t *rapid.T, n *network) *wire.Command {
	return leases(n.leaseOf(l.State, uint32(l.drawServer(t)), rapid.Uint64Range(0, MaxLease).Draw(t, "amount")))
}

func (l *log) drawTick(t *rapid.T, n *network) *wire.Command {
	m := &wire.Tick{Server: uint32(l.drawServer(t)), Day: l.Day() + rapid.Uint64Range(0, 9).Draw(t, "days")}
	if rapid.Bool().Draw(t, "used") {
		m.Usage = []*wire.Usage{{Agency: "denver-pd", Elements: 3}}
	}
	return ticks(signed(n, m))
}

func (l *log) drawEvidence(t *rapid.T, n *network) *wire.Command {
	id := rapid.SampledFrom([]directory.AgencyID{"denver-pd", "boulder-pd"}).Draw(t, "id")
	return proves(fork(l.t, id, seeded("agency", rapid.IntRange(0, 3).Draw(t, "agency"))))
}

// pool is what can be added to a network.
type pool struct {
	servers   []*wire.Server
	operators []*wire.Operator
}

// everybody makes the messages of all keys of n again.
func (n *network) everybody() pool {
	again := &network{recipient: n.recipient}
	var p pool
	for range n.servers {
		p.servers = append(p.servers, again.newServer())
	}
	for range n.operators {
		p.operators = append(p.operators, again.newOperator(Admission|Operations))
	}
	return p
}

// checkInvariants are what holds in every state.
func (l *log) checkInvariants(t *rapid.T) {
	for _, m := range l.agencies {
		operators := make(map[string]bool)
		for _, d := range m.record.Approvals {
			operators[string(d.Operator)] = true
			if string(d.Application) != string(m.hash[:]) {
				t.Fatalf("%s was admitted on the approval of something else", m.agency.ID)
			}
		}
		if len(operators) != Approvals {
			t.Fatalf("%s was admitted by %d operators", m.agency.ID, len(operators))
		}
	}
	if err := enough(l.operators); err != nil {
		t.Fatal(err)
	}
	if k, ok := l.Directory().Current(); ok {
		holders := 0
		for _, s := range l.Servers() {
			if l.holds(s.Index) != 0 {
				holders++
			}
		}
		if holders < k.Keys.Threshold {
			t.Fatalf("%d of the servers hold the key, and its threshold is %d", holders, k.Keys.Threshold)
		}
	}
	staying := 0
	for _, s := range l.Servers() {
		if l.trusted.Servers[s.Index] == s.Key {
			staying++
		}
	}
	if staying < l.trusted.Quorum {
		t.Fatalf("%d of the servers can endorse, want %d", staying, l.trusted.Quorum)
	}
	if d, err := directory.Decode(l.encoded); err != nil || d.Record != directory.Head(l.signedHead()) {
		t.Fatalf("the directory does not sign the record: %v", err)
	}
	for id, a := range l.accounts {
		if _, ok := l.find(id); !ok {
			t.Fatalf("%s is no member and has an account of %d", id, a.granted())
		}
	}
	if l.published != nil && len(l.handovers) < MaxHandovers {
		if d := l.follow(l.foundersTrust()); d.Version > l.version {
			t.Fatalf("published version %d, current %d", d.Version, l.version)
		}
	}
}

// signedHead is the head of the record up to the applications at its end.
func (l *log) signedHead() record.Head {
	size := l.Record().Size()
	for size > 0 && l.entry(int(size)-1).GetApplication() != nil {
		size--
	}
	h, err := l.Record().HeadAt(size)
	if err != nil {
		l.t.Fatal(err)
	}
	return h
}

func TestOneLogMakesOneState(t *testing.T) {
	n := newNetwork(t, 3, 3)
	n.newServer()
	n.newServer()
	n.newOperator(Admission)
	founded := n.founded(t, 10)
	founded.admit(n, seeded("agency", 0), "denver-pd", 1)
	begun, holdings := founded.snapshot(), founded.cast.holdings
	rapid.Check(t, func(t *rapid.T) {
		tb := &fatal{t: t}
		first, second := n.log(tb), n.log(tb)
		if rapid.Bool().Draw(t, "founded") {
			for _, l := range []*log{first, second} {
				var err error
				if l.State, err = Restore(begun); err != nil {
					t.Fatal(err)
				}
				l.cast.holdings = holdings
				l.index = founded.index
			}
		}
		var taken []*wire.Command
		for range rapid.IntRange(1, 50).Draw(t, "commands") {
			c := first.draw(t, n)
			if len(taken) > 0 && rapid.IntRange(0, 6).Draw(t, "replay") == 0 {
				c = rapid.SampledFrom(taken).Draw(t, "replayed")
			}
			taken = append(taken, c)
			first.both(t, second, c)
			first.checkInvariants(t)
			if rapid.IntRange(0, 9).Draw(t, "restart") == 0 {
				second.restart()
			}
		}
	})
}

// both applies a command to two states, which must not differ afterwards.
func (l *log) both(t *rapid.T, second *log, c *wire.Command) {
	l.index++
	before, ceremony := l.snapshot(), l.ceremony
	given := clone(c)
	changes, checked := l.Check(c)
	got, want := second.Apply(l.index, c), l.Apply(l.index, c)
	if refusal(got) != refusal(want) || refusal(checked) != refusal(want) || refusal(want) == ^Refusal(0) {
		t.Fatalf("command %d: got %v on one server, %v on another, %v when checked", l.index, want, got, checked)
	}
	after := l.snapshot()
	if changed := string(before) != string(after); changed != changes || changed && want != nil {
		t.Fatalf("command %d: changed %v, foretold %v, error %v", l.index, changed, changes, want)
	}
	if string(second.snapshot()) != string(after) {
		t.Fatalf("command %d: two servers, two states", l.index)
	}
	if !proto.Equal(given, c) {
		t.Fatalf("command %d was changed by being applied", l.index)
	}
	if ceremony != nil && l.ceremony == nil {
		l.cast.holdings = l.cast.made
	}
}

// What was given out never changes by what comes later.
func TestNothingThatWasGivenOutChanges(t *testing.T) {
	n := newNetwork(t, 3, 3)
	l := n.log(t)
	type given struct {
		version   uint64
		published *wire.SignedDirectory
		status    *wire.RegistryStatus
		handovers []*wire.SignedDirectory
		servers   []directory.Server
		epochs    []directory.KeyEpoch
		phase     dkg.Phase
		ceremony  Ceremony
	}
	copied := func(g given) (c given) {
		c = given{version: g.version, published: clone(g.published), status: clone(g.status), servers: slices.Clone(g.servers), epochs: slices.Clone(g.epochs)}
		for _, h := range g.handovers {
			c.handovers = append(c.handovers, clone(h))
		}
		for i := range c.servers {
			c.servers[i].Addresses = slices.Clone(c.servers[i].Addresses)
		}
		for i := range c.epochs {
			c.epochs[i].Keys.Shares = slices.Clone(c.epochs[i].Keys.Shares)
		}
		return c
	}
	var out, want []given
	look := func() {
		c, ok := l.Ceremony()
		g := given{
			version: l.Version(), published: l.Published(), status: l.Status(), handovers: l.Handovers(), servers: l.Servers(),
			epochs: l.Epochs(), ceremony: c,
		}
		if ok {
			g.phase = c.Transcript.Phase()
		}
		out, want = append(out, g), append(want, copied(g))
	}
	key := func(i int) ed25519.PrivateKey { return seeded("agency", i) }
	steps := []func(){
		func() { l.publish(n, 1, 2) }, func() { l.says(l.next()) }, func() { l.performs() }, func() { l.publish(n, 1) },
		func() { l.publish(n, 2) }, func() { l.publish(n, 3) }, func() { l.dawns(n, 10) },
		func() { l.invite(n, key(0), key(1)) }, func() { l.takes(applies(n.application(key(0), "denver-pd", "", 1))) },
		func() { l.approve(n, key(0)) },
		func() { l.carries(n, changesServer(&wire.ServerChange{Server: n.newServer(), Replaces: 1})) },
		func() { l.publish(n, 2, 3) }, func() { l.publish(n, 1) }, func() { l.performs() },
		func() { l.takes(applies(n.application(key(1), "boulder-pd", "", 1))) },
		func() { l.takes(decides(n.decision(l.State, 0, Approve, key(1), ""))) },
		func() { l.takes(decides(n.motion(l.State, 0, policies(4)))) },
		func() { l.takes(leases(n.leaseOf(l.State, 2, 7))) },
		func() { l.carries(n, changesOperator(&wire.Operator{Key: n.genesis.Operators[0].Key}, true)) },
		func() {
			l.takes(decides(n.motion(l.State, 1, newEpoch(0))))
			l.takes(decides(n.onMotion(l.State, 2, Approve)))
		},
		func() { l.performs() },
		func() { l.takes(proves(fork(t, "denver-pd", key(0)))) },
	}
	for i, step := range steps {
		look()
		step()
		for j, g := range out {
			w := want[j]
			same := g.version == w.version && proto.Equal(g.published, w.published) && proto.Equal(g.status, w.status) &&
				slices.EqualFunc(g.handovers, w.handovers, func(a, b *wire.SignedDirectory) bool { return proto.Equal(a, b) }) &&
				slices.EqualFunc(g.servers, w.servers, func(a, b directory.Server) bool { return proto.Equal(a.Message(), b.Message()) }) &&
				slices.EqualFunc(g.epochs, w.epochs, func(a, b directory.KeyEpoch) bool { return proto.Equal(a.Message(), b.Message()) }) &&
				(g.ceremony.Transcript == nil || g.ceremony.Transcript.Phase() == g.phase)
			if !same {
				t.Fatalf("step %d changed what had been given out before step %d", i, j)
			}
		}
	}
}
