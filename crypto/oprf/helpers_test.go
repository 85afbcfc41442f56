package oprf

import (
	"crypto/rand"
	"slices"
	"testing"
)

func newClient(t testing.TB, keys KeySet) *Client {
	t.Helper()
	c, err := NewClient(keys)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func deal(t testing.TB, threshold, servers int) (KeySet, []*Share) {
	t.Helper()
	keys, shares, err := Deal(rand.Reader, threshold, servers)
	if err != nil {
		t.Fatal(err)
	}
	return keys, shares
}

func blind(t testing.TB, c *Client, inputs [][]byte) *Request {
	t.Helper()
	r, err := c.Blind(rand.Reader, inputs)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// requestFor is a request for blinded elements of somebody else: it can check
// answers, and has no tokens to give.
func requestFor(t testing.TB, c *Client, blinded []Element) *Request {
	t.Helper()
	points, err := decodeAll(blinded)
	if err != nil {
		t.Fatalf("the blinded elements: %v", err)
	}
	r := blind(t, c, make([][]byte, 1))
	r.blinded = batch{encoded: blinded, points: points}
	return r
}

// checkOne checks an answer by itself.
func checkOne(r *Request, quorum []Index, a Answer) error { return r.CheckAll(quorum, []Answer{a})[0] }

// answersOf has every server of the quorum evaluate the request.
func answersOf(t testing.TB, shares []*Share, quorum []Index, blinded []Element) []Answer {
	t.Helper()
	answers := make([]Answer, len(quorum))
	for i, server := range quorum {
		var err error
		answers[i], err = shares[server-1].Evaluate(rand.Reader, len(quorum), quorum, blinded)
		if err != nil {
			t.Fatal(err)
		}
	}
	return answers
}

// evaluate goes the whole way from inputs to tokens.
func evaluate(t testing.TB, c *Client, shares []*Share, quorum []Index, inputs [][]byte) []Token {
	t.Helper()
	r := blind(t, c, inputs)
	tokens, err := r.Finalize(quorum, answersOf(t, shares, quorum, r.Blinded()))
	if err != nil {
		t.Fatal(err)
	}
	return tokens
}

// quorums returns every choice of threshold out of servers.
func quorums(threshold, servers int) [][]Index {
	var all [][]Index
	for set := range 1 << servers {
		var quorum []Index
		for i := range servers {
			if set>>i&1 == 1 {
				quorum = append(quorum, Index(i+1))
			}
		}
		if len(quorum) == threshold {
			all = append(all, quorum)
		}
	}
	return all
}

// tokensEqual compares tokens without showing them.
func tokensEqual(a, b []Token) bool { return slices.Equal(a, b) }

func inputs(list ...string) [][]byte {
	b := make([][]byte, len(list))
	for i, s := range list {
		b[i] = []byte(s)
	}
	return b
}
