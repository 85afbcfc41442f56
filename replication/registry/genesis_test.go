package registry

import (
	"strings"
	"testing"

	"interlock/protocol/wire"
)

func TestAGenesisIsCheckedWhole(t *testing.T) {
	n := newNetwork(t, 3, 2)
	if _, err := New(n.genesis); err != nil {
		t.Fatal(err)
	}
	rows := []struct {
		name, want string
		change     func(g *wire.Genesis)
	}{
		{"no name", "name", func(g *wire.Genesis) { g.Name = "" }},
		{"a name of two lines", "name", func(g *wire.Genesis) { g.Name = "a\nb" }},
		{"no nonce", "nonce", func(g *wire.Genesis) { g.Nonce = nil }},
		{"one operator", "operators", func(g *wire.Genesis) { g.Operators = g.Operators[:1] }},
		{"one operator for admission", "for admission", func(g *wire.Genesis) { g.Operators[1].Roles = uint32(Operations) }},
		{"one operator for operations", "for operations", func(g *wire.Genesis) { g.Operators[1].Roles = uint32(Admission | Audit) }},
		{"an operator without a role", "roles", func(g *wire.Genesis) { g.Operators[1].Roles = 0 }},
		{"an operator of an unknown role", "roles", func(g *wire.Genesis) { g.Operators[1].Roles = 9 }},
		{"one operator twice", "taken", func(g *wire.Genesis) { g.Operators[1].Key = g.Operators[0].Key }},
		{"one name twice", "taken", func(g *wire.Genesis) { g.Operators[1].Name = g.Operators[0].Name }},
		{"an operator who is a server", "taken", func(g *wire.Genesis) { g.Operators[1].Key = g.Servers[0].Key }},
		{"an operator's key of 31 bytes", "operator-1", func(g *wire.Genesis) { g.Operators[1].Key = g.Operators[1].Key[:31] }},
		{"an operator's key of small order", "cannot be used", func(g *wire.Genesis) { g.Operators[1].Key = make([]byte, 32) }},
		{"no servers", "0 servers", func(g *wire.Genesis) { g.Servers = nil }},
		{"one server twice", "twice", func(g *wire.Genesis) { g.Servers[1].Key = g.Servers[0].Key }},
		{"a server that nobody finds", "addresses", func(g *wire.Genesis) { g.Servers[1].Addresses = nil }},
		{"numbers that do not begin at 1", "is numbered", func(g *wire.Genesis) {
			for _, s := range g.Servers {
				s.Index++
			}
		}},
		{"no threshold", "threshold", func(g *wire.Genesis) { g.Threshold = 0 }},
		{"a threshold out of reach", "threshold", func(g *wire.Genesis) { g.Threshold = 4 }},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			g := clone(n.genesis)
			row.change(g)
			if _, err := New(g); err == nil || !strings.Contains(err.Error(), row.want) {
				t.Fatalf("got %v, want an error about %q", err, row.want)
			}
		})
	}
}

func TestTwoNetworksWithTheSameWordsDiffer(t *testing.T) {
	n := newNetwork(t, 3, 2)
	g := clone(n.genesis)
	g.Nonce[0] ^= 1
	got, err := GenesisHash(g)
	if err != nil {
		t.Fatal(err)
	}
	if got == n.hash {
		t.Fatal("two nonces, one genesis hash")
	}
}

func TestEveryRefusalHasASentenceAndACode(t *testing.T) {
	for r := ErrMalformed; int(r) < len(refusals); r++ {
		if r.Error() == "" || r.Code() == wire.CodeNone {
			t.Errorf("refusal %d: got sentence %q, code %s", r, r, r.Code())
		}
		again, ok := RefusalOf(r.With("the sentence of another server"))
		if !ok || again != r {
			t.Errorf("refusal %d with a sentence: got %d, %v", r, again, ok)
		}
	}
}
