package tokens

import (
	"bytes"
	"testing"

	"interlock/crypto/oprf"
	"interlock/protocol/wire"
)

func FuzzAnswer(f *testing.F) {
	for _, m := range []*wire.EvaluateResponse{
		{},
		{Evaluated: make([]byte, oprf.ElementSize), Proof: make([]byte, oprf.ProofSize)},
		{Evaluated: make([]byte, oprf.ElementSize+1), Proof: make([]byte, oprf.ProofSize)},
		{Evaluated: bytes.Repeat([]byte{1}, 2*oprf.ElementSize), Proof: bytes.Repeat([]byte{2}, oprf.ProofSize), Composites: bytes.Repeat([]byte{3}, oprf.CompositesSize)},
		{Evaluated: make([]byte, oprf.ElementSize), Proof: make([]byte, oprf.ProofSize), Composites: make([]byte, oprf.CompositesSize)},
		{Evaluated: make([]byte, oprf.ElementSize), Proof: make([]byte, oprf.ProofSize), Composites: make([]byte, 1)},
	} {
		b, err := wire.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b, uint16(len(m.Evaluated)/oprf.ElementSize))
	}
	f.Fuzz(func(t *testing.T, b []byte, n uint16) {
		var m wire.EvaluateResponse
		if wire.Unmarshal(b, &m) != nil {
			return
		}
		a, err := answerOf(1, &m, int(n))
		if err != nil {
			return
		}
		if a.Server != 1 || len(a.Evaluated) != int(n) {
			t.Errorf("%d elements of server %d, want %d of server 1", len(a.Evaluated), a.Server, n)
		}
		again := &wire.EvaluateResponse{Proof: a.Proof[:]}
		for _, e := range a.Evaluated {
			again.Evaluated = append(again.Evaluated, e[:]...)
		}
		if a.Composites != (oprf.Composites{}) {
			again.Composites = a.Composites[:]
		}
		if got, err := wire.Marshal(again); err != nil || !bytes.Equal(got, b) {
			t.Errorf("read %x, which is written as %x (%v)", b, got, err)
		}
	})
}
