package centre

import (
	"strings"
	"testing"

	"interlock/crypto/oprf"
	"interlock/protocol/wire"
)

func TestMalformedEvaluationsEndTheirStreamAlone(t *testing.T) {
	t.Parallel()
	n := found(t, 3)
	denver := n.enrolled("denver-pd")
	good, _ := denver.blind(0, []oprf.Index{1, 2}, "j.doe@example.org")
	rows := []struct {
		name   string
		change func(m *wire.EvaluateRequest)
	}{
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
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			m, _ := denver.blind(0, []oprf.Index{1, 2}, "j.doe@example.org")
			row.change(m)
			var answer wire.EvaluateResponse
			wantRefusal(t, row.name, denver.ask(0, wire.ProtocolEvaluate, m, &answer), wire.CodeMalformed)
			if err := denver.ask(0, wire.ProtocolEvaluate, good, &answer); err != nil {
				t.Fatalf("afterwards: %v", err)
			}
		})
	}
}
