package vault

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"math/big"
	"slices"
	"strings"
	"testing"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The vectors of RFC 8032 §7.2.
func TestSignaturesAreThoseOfRFC8032(t *testing.T) {
	const seed1 = "0305334e381af78f141cb666f6199f57bc3495335a256a95bd2a55bf546663f6"
	const seed2 = "ab9c2853ce297ddab85c993b3ae14bcad39b2c682beabc27d6d4eb20711d6560"
	for name, c := range map[string]struct{ seed, message, context, want string }{
		"foo": {seed1, "f726936d19c800494e3fdaff20b276a8", "foo",
			"55a4cc2f70a54e04288c5f4cd1e45a7bb520b36292911876cada7323198dd87a" +
				"8b36950b95130022907a7fb7c4e9b2d5f6cca685a587b4b21f4b888e4e7edb0d"},
		"bar": {seed1, "f726936d19c800494e3fdaff20b276a8", "bar",
			"fc60d5872fc46b3aa69f8b5b4351d5808f92bcc044606db097abab6dbcb1aee3" +
				"216c48e8b3b66431b5b186d1d28f8ee15a5ca2df6668346291c2043d4eb3e90d"},
		"foo2": {seed1, "508e9e6882b979fea900f62adceaca35", "foo",
			"8b70c1cc8310e1de20ac53ce28ae6e7207f33c3295e03bb5c0732a1d20dc6490" +
				"8922a8b052cf99b7c4fe107a5abb5b2c4085ae75890d02df26269d8945f84b0b"},
		"foo3": {seed2, "f726936d19c800494e3fdaff20b276a8", "foo",
			"21655b5f1aa965996b3f97b3c849eafba922a0a62992f73b3d1b73106a84ad85" +
				"e9b86a7b6005ea868337ff2d20a7f5fbd4cd10b0be49a68da2b2e0dc0ad8960f"},
	} {
		key := ed25519.NewKeyFromSeed(unhex(t, c.seed))
		message := unhex(t, c.message)
		got := Sign(key, Context(c.context), message)
		if !bytes.Equal(got, unhex(t, c.want)) {
			t.Errorf("%s: got %x, want %s", name, got, c.want)
		}
		if !Verify(key.Public().(ed25519.PublicKey), Context(c.context), message, got) {
			t.Errorf("%s: the signature does not verify", name)
		}
	}
}

func TestASignatureCountsUnderItsOwnContextKeyAndMessageOnly(t *testing.T) {
	k, other := newKeys(t), newKeys(t)
	message := []byte("head 41")
	sig := Sign(k.Signing, ContextFeed, message)
	if !Verify(k.Public(), ContextFeed, message, sig) {
		t.Fatal("a good signature does not verify")
	}
	for _, c := range []Context{ContextDirectory, ContextApplication, ContextOperator, "", "interlock feed head v", Context(strings.Repeat("x", 256))} {
		if Verify(k.Public(), c, message, sig) {
			t.Errorf("a feed signature verifies under %q", c)
		}
	}
	if Verify(other.Public(), ContextFeed, message, sig) {
		t.Error("it verifies under another key")
	}
	if Verify(k.Public(), ContextFeed, []byte("head 42"), sig) {
		t.Error("it verifies for another message")
	}
	for _, n := range []int{0, 1, 63} {
		if Verify(k.Public(), ContextFeed, message, sig[:n]) {
			t.Errorf("%d bytes of it verify", n)
		}
	}
	if Verify(k.Public(), ContextFeed, message, append(bytes.Clone(sig), 0)) {
		t.Error("it verifies with a byte more")
	}
	for i := range sig {
		bad := bytes.Clone(sig)
		bad[i] ^= 0x10
		if Verify(k.Public(), ContextFeed, message, bad) {
			t.Errorf("it verifies with byte %d altered", i)
		}
	}
	if Verify(k.Public()[:31], ContextFeed, message, sig) || Verify(nil, ContextFeed, message, sig) {
		t.Error("it verifies under a cut key")
	}
}

func TestPlainEd25519SignaturesDoNotCountAndOursAreNotPlain(t *testing.T) {
	k := newKeys(t)
	message := []byte("libp2p handshake")
	for _, c := range []Context{ContextFeed, ContextDirectory, ContextApplication, ContextOperator} {
		if Verify(k.Public(), c, message, ed25519.Sign(k.Signing, message)) {
			t.Errorf("a plain signature counts under %q", c)
		}
		if ed25519.Verify(k.Public(), message, Sign(k.Signing, c, message)) {
			t.Errorf("a signature under %q is a plain one", c)
		}
	}
}

func TestANonCanonicalScalarIsRefused(t *testing.T) {
	k := newKeys(t)
	sig := Sign(k.Signing, ContextFeed, []byte("m"))
	// L, the order of the base point (RFC 8032 §5.1); S + L proves the same where it is not checked.
	order, _ := new(big.Int).SetString("7237005577332262213973186563042994240857116359379907606001950938285454250989", 10)
	s := new(big.Int).Add(number(sig[32:]), order)
	if Verify(k.Public(), ContextFeed, []byte("m"), append(bytes.Clone(sig[:32]), littleEndianBytes(s)...)) {
		t.Error("S + L verifies")
	}
}

func number(littleEndian []byte) *big.Int {
	b := bytes.Clone(littleEndian)
	slices.Reverse(b)
	return new(big.Int).SetBytes(b)
}

func littleEndianBytes(n *big.Int) []byte {
	b := n.FillBytes(make([]byte, 32))
	slices.Reverse(b)
	return b
}

// curve is edwards25519 in affine coordinates (RFC 8032 §5.1), slow and plain.
type curve struct{ p, d *big.Int }

func newCurve() curve {
	p := new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 255), big.NewInt(19))
	d := new(big.Int).Mul(big.NewInt(-121665), new(big.Int).ModInverse(big.NewInt(121666), p))
	return curve{p: p, d: d.Mod(d, p)}
}

// x returns an x for y, where the curve has one: x^2 = (y^2 - 1) / (d y^2 + 1).
func (c curve) x(y *big.Int) *big.Int {
	y2 := new(big.Int).Mul(y, y)
	den := new(big.Int).Mul(c.d, y2)
	den.ModInverse(den.Add(den, big.NewInt(1)).Mod(den, c.p), c.p)
	x2 := new(big.Int).Mul(new(big.Int).Sub(y2, big.NewInt(1)), den)
	return new(big.Int).ModSqrt(x2.Mod(x2, c.p), c.p)
}

// double returns the y of 2(x, y), and its x.
func (c curve) double(x, y *big.Int) (x2, y2 *big.Int) {
	xx, yy := new(big.Int).Mul(x, x), new(big.Int).Mul(y, y)
	k := new(big.Int).Mul(c.d, new(big.Int).Mul(xx, yy))
	k.Mod(k, c.p)
	inv := func(n *big.Int) *big.Int { return n.ModInverse(n.Mod(n, c.p), c.p) }
	x2 = new(big.Int).Mul(new(big.Int).Mul(big.NewInt(2), new(big.Int).Mul(x, y)), inv(new(big.Int).Add(big.NewInt(1), k)))
	y2 = new(big.Int).Mul(new(big.Int).Add(yy, xx), inv(new(big.Int).Sub(big.NewInt(1), k)))
	return x2.Mod(x2, c.p), y2.Mod(y2, c.p)
}

// order8 reports whether eight times the point is the neutral one, (0, 1).
func (c curve) order8(x, y *big.Int) bool {
	for range 3 {
		x, y = c.double(x, y)
	}
	return x.Sign() == 0 && y.Cmp(big.NewInt(1)) == 0
}

func TestKeysOfSmallOrderAreRefused(t *testing.T) {
	c := newCurve()
	one := big.NewInt(1)
	// The y of order 8 satisfy y^4 d + 2 y^2 - 1 = 0, that is y^2 = (-1 ± sqrt(1 + d)) / d.
	root := new(big.Int).ModSqrt(new(big.Int).Add(one, c.d), c.p)
	ys := []*big.Int{big.NewInt(0), one, new(big.Int).Sub(c.p, one)}
	for _, r := range []*big.Int{root, new(big.Int).Neg(root)} {
		y2 := new(big.Int).Mul(new(big.Int).Sub(r, one), new(big.Int).ModInverse(c.d, c.p))
		y := new(big.Int).ModSqrt(y2.Mod(y2, c.p), c.p)
		if y == nil {
			continue
		}
		ys = append(ys, y, new(big.Int).Sub(c.p, y))
	}
	if len(ys) != 5 {
		t.Fatalf("found %d y-coordinates of small order, want 5", len(ys))
	}
	for _, y := range ys {
		if !c.order8(c.x(y), y) {
			t.Fatalf("y = %v is not of small order", y)
		}
		for _, sign := range []byte{0, 0x80} {
			pub := littleEndianBytes(y)
			pub[31] |= sign
			if ValidPublicKey(pub) {
				t.Errorf("key %x of small order is taken", pub)
			}
		}
	}
	// Under the neutral point R = S·B verifies every message; S = 0 with R neutral is the easiest.
	neutral := littleEndianBytes(one)
	forged := append(bytes.Clone(neutral), make([]byte, 32)...)
	opts := &ed25519.Options{Context: string(ContextFeed)}
	if ed25519.VerifyWithOptions(neutral, []byte("anything"), forged, opts) != nil {
		t.Fatal("the forgery is not one even to the standard library: the test shows nothing")
	}
	if Verify(neutral, ContextFeed, []byte("anything"), forged) {
		t.Error("a signature under the neutral point verifies")
	}
}

func TestKeysNotInCanonicalFormAreRefused(t *testing.T) {
	c := newCurve()
	for n := range int64(19) { // y + p fits 255 bits for y below 19
		pub := littleEndianBytes(new(big.Int).Add(c.p, big.NewInt(n)))
		if ValidPublicKey(pub) {
			t.Errorf("p + %d is taken as a key", n)
		}
		pub[31] |= 0x80
		if ValidPublicKey(pub) {
			t.Errorf("p + %d with the sign bit is taken as a key", n)
		}
	}
	if !ValidPublicKey(littleEndianBytes(new(big.Int).Sub(c.p, big.NewInt(2)))) {
		t.Error("p - 2 is refused as not canonical")
	}
	for range 32 {
		if !ValidPublicKey(newSigning(t)) {
			t.Error("an honest key is refused")
		}
	}
}

func newSigning(t testing.TB) ed25519.PublicKey {
	t.Helper()
	pub, _, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	return pub
}

func TestSigningUnderNoContextPanics(t *testing.T) {
	k := newKeys(t)
	for name, sign := range map[string]func(){
		"no context":   func() { Sign(k.Signing, "", nil) },
		"long context": func() { Sign(k.Signing, Context(strings.Repeat("x", 256)), nil) },
		"short key":    func() { Sign(k.Signing[:32], ContextFeed, nil) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: signed", name)
				}
			}()
			sign()
		}()
	}
}

func BenchmarkSign(b *testing.B) {
	k := newKeys(b)
	for b.Loop() {
		Sign(k.Signing, ContextFeed, k.Disk[:])
	}
}

func BenchmarkVerify(b *testing.B) {
	k := newKeys(b)
	pub, sig := k.Public(), Sign(k.Signing, ContextFeed, k.Disk[:])
	for b.Loop() {
		if !Verify(pub, ContextFeed, k.Disk[:], sig) {
			b.Fatal("does not verify")
		}
	}
}

func BenchmarkSeal(b *testing.B) {
	r := newIdentity(b).Recipient()
	for b.Loop() {
		sealTo(b, r, make([]byte, 64))
	}
}
