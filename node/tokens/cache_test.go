package tokens

import (
	"bytes"
	"testing"

	"interlock/crypto/oprf"
	"interlock/crypto/token"
	"interlock/protocol/identifier"
)

func TestTheCacheForgetsTheOldestAndHoldsNothingInClear(t *testing.T) {
	c, err := newCache()
	if err != nil {
		t.Fatal(err)
	}
	ids := identifiers(t, remembered+1)
	namer := c.namer()
	put := func(e token.Epoch, id identifier.Identifier) {
		n, tokens := nameOf(namer, id), []oprf.Token{tokenOf(e, id)}
		sealed := c.seal(e, []name{n}, tokens)
		if bytes.Contains(sealed[0], tokens[0][:16]) {
			t.Fatal("a token is in clear")
		}
		c.put(e, n, sealed[0])
	}
	has := func(e token.Epoch, id identifier.Identifier) bool {
		var got oprf.Token
		return c.get(e, nameOf(namer, id), &got) && got == tokenOf(e, id)
	}
	for _, id := range ids {
		put(1, id)
	}
	if has(1, ids[0]) || !has(1, ids[1]) || !has(1, ids[remembered]) || len(c.held) != remembered {
		t.Errorf("of %d tokens %d are held, or not the newest", len(ids), len(c.held))
	}
	put(2, ids[0])
	put(1, ids[1])
	if has(1, ids[1]) || has(2, ids[1]) || !has(2, ids[0]) || len(c.held) != 1 {
		t.Error("tokens of a former epoch are held")
	}
	// A sealed token opens under its own name alone.
	put(2, ids[1])
	a, b := nameOf(namer, ids[0]), nameOf(namer, ids[1])
	c.held[a], c.held[b] = c.held[b], c.held[a]
	var got oprf.Token
	if c.get(2, a, &got) || c.get(2, b, &got) {
		t.Error("a token opens under the name of another identifier")
	}
}
