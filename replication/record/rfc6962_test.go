package record

import (
	"crypto/sha256"
	"encoding/hex"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What follows is written from RFC 6962 section 2.1 word for word, slowly, and
// shares no code with the package.

// mth is MTH(D[n]).
func mth(d [][]byte) [32]byte {
	switch n := len(d); n {
	case 0:
		return sha256.Sum256(nil)
	case 1:
		return sha256.Sum256(append([]byte{0x00}, d[0]...))
	default:
		k := split(n)
		return node(mth(d[:k]), mth(d[k:]))
	}
}

func node(left, right [32]byte) [32]byte {
	return sha256.Sum256(append(append([]byte{0x01}, left[:]...), right[:]...))
}

// split is the largest power of two smaller than n.
func split(n int) int {
	k := 1
	for 2*k < n {
		k *= 2
	}
	return k
}

// path is PATH(m, D[n]).
func path(m int, d [][]byte) Proof {
	if len(d) == 1 {
		return Proof{}
	}
	k := split(len(d))
	if m < k {
		return append(path(m, d[:k]), mth(d[k:]))
	}
	return append(path(m-k, d[k:]), mth(d[:k]))
}

// subproof is SUBPROOF(m, D[n], b); PROOF(m, D[n]) is subproof(m, d, true).
func subproof(m int, d [][]byte, b bool) Proof {
	if m == len(d) {
		if b {
			return Proof{}
		}
		return Proof{mth(d)}
	}
	k := split(len(d))
	if m <= k {
		return append(subproof(m, d[:k], b), mth(d[k:]))
	}
	return append(subproof(m-k, d[k:], false), mth(d[:k]))
}

// The reference tree of the Certificate Transparency project
// (cpp/merkletree/merkle_tree_test.cc): its leaves, the root after each, and the
// proofs printed there.
var (
	ctLeaves = []string{"", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"}
	ctRoots  = []string{
		"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
		"6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
		"fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
		"aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
		"d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
		"4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
		"76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
		"ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
		"5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
	}
	ctInclusion = []struct {
		index, size uint64
		proof       []string
	}{
		{0, 1, []string{}},
		{0, 8, []string{
			"96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
			"5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
			"6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
		}},
		{5, 8, []string{
			"bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
			"ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
			"d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
		}},
		{2, 3, []string{"fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"}},
		{1, 5, []string{
			"6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
			"5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
			"bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
		}},
	}
	ctConsistency = []struct {
		old, size uint64
		proof     []string
	}{
		{1, 1, []string{}},
		{1, 8, []string{
			"96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
			"5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
			"6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
		}},
		{6, 8, []string{
			"0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
			"ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
			"d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
		}},
		{2, 5, []string{
			"5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
			"bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
		}},
	}
)

func ctTree(t testing.TB) *Tree {
	t.Helper()
	var tree Tree
	for _, l := range ctLeaves {
		b, err := hex.DecodeString(l)
		if err != nil {
			t.Fatal(err)
		}
		if err := tree.Append(b); err != nil {
			t.Fatal(err)
		}
	}
	return &tree
}

func texts(p Proof) []string {
	list := make([]string, 0, len(p))
	for _, h := range p {
		list = append(list, hex.EncodeToString(h[:]))
	}
	return list
}

func TestTheReferenceTreeHasItsRoots(t *testing.T) {
	tree := ctTree(t)
	var grown Tree
	for size, want := range ctRoots {
		at, err := tree.HeadAt(uint64(size))
		if err != nil {
			t.Fatal(err)
		}
		if got := hex.EncodeToString(at.Root[:]); got != want {
			t.Errorf("HeadAt(%d) has root %s, want %s", size, got, want)
		}
		if got := grown.Head(); got != at {
			t.Errorf("the record grown to %d has head %x, want %x", size, got, at)
		}
		if entry, err := tree.Entry(uint64(size)); err == nil {
			if err := grown.Append(entry); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestTheReferenceTreeHasItsProofs(t *testing.T) {
	tree := ctTree(t)
	head := func(size uint64) Head {
		h, err := tree.HeadAt(size)
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	for _, v := range ctInclusion {
		got, err := tree.ProveInclusion(v.index, v.size)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(v.proof, texts(got)); d != "" {
			t.Errorf("inclusion of %d in %d (-want +got):\n%s", v.index, v.size, d)
		}
		entry, err := tree.Entry(v.index)
		if err != nil {
			t.Fatal(err)
		}
		if err := VerifyInclusion(head(v.size), v.index, entry, got); err != nil {
			t.Error(err)
		}
	}
	for _, v := range ctConsistency {
		got, err := tree.ProveConsistency(v.old, v.size)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(v.proof, texts(got)); d != "" {
			t.Errorf("consistency of %d in %d (-want +got):\n%s", v.old, v.size, d)
		}
		if err := VerifyConsistency(head(v.old), head(v.size), got); err != nil {
			t.Error(err)
		}
	}
}
