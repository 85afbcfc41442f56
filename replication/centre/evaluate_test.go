package centre

import (
	"crypto/rand"
	"strings"
	"testing"

	"interlock/crypto/oprf"
	"interlock/protocol/wire"
	"interlock/replication/registry"
)

// blind makes the request for one input, and what completes it.
func (n *centreNet) blind(t testing.TB, quorum []oprf.Index, input string) (*wire.EvaluateRequest, *oprf.Request) {
	t.Helper()
	genesis, err := readGenesis(n.options(0).Config.path(genesisFile))
	if err != nil {
		t.Fatal(err)
	}
	foundation, err := registry.CheckGenesis(genesis)
	if err != nil {
		t.Fatal(err)
	}
	c, err := oprf.NewClient(foundation.Keys)
	if err != nil {
		t.Fatal(err)
	}
	r, err := c.Blind(rand.Reader, [][]byte{[]byte(input)})
	if err != nil {
		t.Fatal(err)
	}
	m := &wire.EvaluateRequest{Epoch: 1}
	for _, i := range quorum {
		m.Quorum = append(m.Quorum, uint32(i))
	}
	for _, e := range r.Blinded() {
		m.Blinded = append(m.Blinded, e[:]...)
	}
	return m, r
}

func TestAnyQuorumMakesTheSameToken(t *testing.T) {
	n := found(t, 3)
	denver := n.enrolled("denver-pd")
	var tokens []string
	for _, quorum := range [][]oprf.Index{{1, 2}, {1, 3}, {2, 3}} {
		request, blinded := n.blind(t, quorum, "j.doe@example.org")
		var answers []oprf.Answer
		for _, i := range quorum {
			var m wire.EvaluateResponse
			if err := denver.ask(int(i)-1, wire.ProtocolEvaluate, request, &m); err != nil {
				t.Fatal(err)
			}
			answers = append(answers, oprf.Answer{Server: i, Evaluated: []oprf.Element{oprf.Element(m.Evaluated)}, Proof: oprf.Proof(m.Proof)})
		}
		list, err := blinded.Finalize(quorum, answers)
		if err != nil {
			t.Fatal(err)
		}
		tokens = append(tokens, string(list[0][:]))
	}
	if tokens[0] != tokens[1] || tokens[1] != tokens[2] {
		t.Fatal("two quorums made two tokens")
	}
	if got := n.servers[0].Evaluations()["denver-pd"]; got != 2 {
		t.Fatalf("server 1 counted %d evaluated elements, want 2", got)
	}
}

func TestMalformedEvaluationsEndTheirStreamAlone(t *testing.T) {
	n := found(t, 3)
	denver := n.enrolled("denver-pd")
	good, _ := n.blind(t, []oprf.Index{1, 2}, "j.doe@example.org")
	rows := []struct {
		name   string
		change func(m *wire.EvaluateRequest)
	}{
		{"another epoch", func(m *wire.EvaluateRequest) { m.Epoch = 2 }},
		{"nothing to evaluate", func(m *wire.EvaluateRequest) { m.Blinded = nil }},
		{"half an element", func(m *wire.EvaluateRequest) { m.Blinded = m.Blinded[:31] }},
		{"too many", func(m *wire.EvaluateRequest) {
			m.Blinded = []byte(strings.Repeat(string(m.Blinded), wire.MaxEvaluate+1))
		}},
		{"no element", func(m *wire.EvaluateRequest) { m.Blinded = []byte(strings.Repeat("\xff", 32)) }},
		{"the identity", func(m *wire.EvaluateRequest) { m.Blinded = make([]byte, 32) }},
		{"too small a quorum", func(m *wire.EvaluateRequest) { m.Quorum = []uint32{1} }},
		{"a server twice", func(m *wire.EvaluateRequest) { m.Quorum = []uint32{1, 1} }},
		{"out of order", func(m *wire.EvaluateRequest) { m.Quorum = []uint32{2, 1} }},
		{"without the one that is asked", func(m *wire.EvaluateRequest) { m.Quorum = []uint32{2, 3} }},
		{"a server that is none", func(m *wire.EvaluateRequest) { m.Quorum = []uint32{1, 4} }},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			m, _ := n.blind(t, []oprf.Index{1, 2}, "j.doe@example.org")
			row.change(m)
			var answer wire.EvaluateResponse
			wantRefusal(t, row.name, denver.ask(0, wire.ProtocolEvaluate, m, &answer), wire.CodeMalformed)
			if err := denver.ask(0, wire.ProtocolEvaluate, good, &answer); err != nil {
				t.Fatalf("afterwards: %v", err)
			}
		})
	}
}
