package token

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// scope is everything that a tag is a function of.
type scope struct {
	token  [Size]byte
	secret Secret
	epoch  Epoch
	author Author
}

func drawScope(t *rapid.T) scope {
	return scope{
		token:  [Size]byte(rapid.SliceOfN(rapid.Byte(), Size, Size).Draw(t, "token")),
		secret: Secret(rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "secret")),
		epoch:  Epoch(rapid.Uint32().Draw(t, "epoch")),
		author: Author(rapid.String().Draw(t, "author")),
	}
}

func (s scope) key() *Key { return Derive(s.token, s.secret, s.epoch) }

// neighbour differs from s in one thing.
func (s scope) neighbour(t *rapid.T) scope {
	n := s
	switch rapid.IntRange(0, 5).Draw(t, "what differs") {
	case 0:
		n.token[rapid.IntRange(0, Size-1).Draw(t, "byte")] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
	case 1:
		n.secret[rapid.IntRange(0, 31).Draw(t, "byte")] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
	case 2:
		n.epoch ^= 1 << rapid.IntRange(0, 31).Draw(t, "bit")
	case 3:
		n.author += Author(rapid.StringN(1, 5, -1).Draw(t, "more"))
	case 4:
		n.author = "x" + n.author
	case 5:
		n.author += "\x00"
	}
	return n
}

func drawPointer(t *rapid.T) Pointer {
	return Pointer{
		Case:     CasePointer(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "case")),
		Kind:     rapid.Byte().Draw(t, "kind"),
		Handling: Handling(rapid.ByteRange(0, 3).Draw(t, "handling")),
	}
}

func TestTagsOfDifferentAuthorsEpochsSecretsAndTokensDiffer(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawScope(t)
		n := s.neighbour(t)
		if s.key().Tag(s.author) == n.key().Tag(n.author) {
			t.Errorf("one tag for %q in epoch %d and %q in epoch %d", s.author, s.epoch, n.author, n.epoch)
		}
		if s.key().pointerKey(s.author) == n.key().pointerKey(n.author) {
			t.Error("one pointer key for two scopes")
		}
	})
}

func TestATagIsTheSameWheneverAndHoweverOftenItIsAsked(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawScope(t)
		k := s.key()
		for _, other := range rapid.SliceOf(rapid.String()).Draw(t, "asked before") {
			k.Tag(Author(other))
		}
		if k.Tag(s.author) != s.key().Tag(s.author) {
			t.Error("a key that was used gives another tag")
		}
		if k.Epoch() != s.epoch {
			t.Errorf("epoch: got %d, want %d", k.Epoch(), s.epoch)
		}
	})
}

func TestAPointerOpensForTheSameIdentifierAuthorAndNumberOnly(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, want := drawScope(t), drawPointer(t)
		number := rapid.Uint64().Draw(t, "number")
		sealed, err := s.key().Seal(nil, s.author, number, want)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := s.key().Open(s.author, number, sealed); err != nil || got != want {
			t.Fatalf("got %v, %v, want %v", got, err, want)
		}
		n := s.neighbour(t)
		if got, err := n.key().Open(n.author, number, sealed); !errors.Is(err, ErrNotOurs) {
			t.Errorf("a copy in the scope of %q, epoch %d: got %v, %v", n.author, n.epoch, got, err)
		}
		elsewhere := number ^ 1<<rapid.IntRange(0, 63).Draw(t, "number bit")
		if got, err := s.key().Open(s.author, elsewhere, sealed); !errors.Is(err, ErrNotOurs) {
			t.Errorf("a copy under number %d: got %v, %v", elsewhere, got, err)
		}
		sealed[rapid.IntRange(0, PointerSize-1).Draw(t, "byte")] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
		if got, err := s.key().Open(s.author, number, sealed); !errors.Is(err, ErrNotOurs) {
			t.Errorf("an altered pointer: got %v, %v", got, err)
		}
	})
}

func TestAPointerThatClaimsNoSuchHandlingIsNotOurs(t *testing.T) {
	k := Derive([Size]byte{1}, Secret{2}, 3)
	if _, err := k.Seal(nil, "denver", 1, Pointer{Handling: 4}); !errors.Is(err, ErrHandling) {
		t.Errorf("sealing: got %v, want ErrHandling", err)
	}
	aead, err := k.aead("denver")
	if err != nil {
		t.Fatal(err)
	}
	plain := make([]byte, plainSize)
	plain[17] = 4
	forged := SealedPointer(aead.Seal(make([]byte, nonceSize), make([]byte, nonceSize), plain, k.bound("denver", 1)))
	if got, err := k.Open("denver", 1, forged); !errors.Is(err, ErrNotOurs) {
		t.Errorf("opening: got %v, %v, want ErrNotOurs", got, err)
	}
}

func TestTwoSealsOfOnePointerAreUnlinkable(t *testing.T) {
	k := Derive([Size]byte{1}, Secret{2}, 3)
	a, err := k.Seal(nil, "denver", 1, Pointer{})
	if err != nil {
		t.Fatal(err)
	}
	b, err := k.Seal(nil, "denver", 1, Pointer{})
	if err != nil {
		t.Fatal(err)
	}
	same := 0
	for i := range a {
		if a[i] == b[i] {
			same++
		}
	}
	if same > 8 {
		t.Errorf("%d of %d bytes are equal", same, len(a))
	}
}

func TestARandomSourceThatEndsSealsNothing(t *testing.T) {
	k := Derive([Size]byte{1}, Secret{2}, 3)
	for n := range nonceSize {
		s, err := k.Seal(bytes.NewReader(make([]byte, n)), "denver", 1, Pointer{})
		if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("a source of %d bytes: got %v, want the end of it", n, err)
		}
		if s != (SealedPointer{}) {
			t.Errorf("a source of %d bytes: something was sealed", n)
		}
	}
}

func TestTagsDoNotAllocate(t *testing.T) {
	k := Derive([Size]byte{1}, Secret{2}, 3)
	authors := []Author{"denver", "boulder", Author(strings.Repeat("a", 64))}
	if got := testing.AllocsPerRun(100, func() {
		for _, a := range authors {
			k.Tag(a)
		}
	}); got != 0 {
		t.Errorf("got %v allocations for %d tags, want none", got, len(authors))
	}
}

func TestADestroyedKeyKeepsNothing(t *testing.T) {
	k := Derive([Size]byte{1}, Secret{2}, 3)
	k.Tag("denver")
	kept := k.scratch[:cap(k.scratch)]
	if bytes.Equal(kept, make([]byte, len(kept))) {
		t.Fatal("the scratch was empty before: the test shows nothing")
	}
	k.Destroy()
	if !bytes.Equal(kept, make([]byte, len(kept))) || k.mac != nil {
		t.Error("a destroyed key keeps bytes")
	}
}

func TestSecretsAndTagsPrintAsPlaceholders(t *testing.T) {
	secret := Secret(bytes.Repeat([]byte{0xab}, 32))
	tag := Tag(bytes.Repeat([]byte{0xab}, 16))
	k := Derive([Size]byte(bytes.Repeat([]byte{0xab}, Size)), secret, 1)
	for name, v := range map[string]any{"secret": secret, "tag": tag, "key": k, "pointers": []any{&secret, &tag}, "inside": struct {
		S Secret
		T Tag
	}{secret, tag}} {
		var out bytes.Buffer
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
		slog.New(slog.NewTextHandler(&out, nil)).Info("text", "v", v)
		slog.New(slog.NewJSONHandler(&out, nil)).Info("json", "v", v)
		for _, leak := range []string{"abab", "ABAB", "171 171", "171,171", "0xab"} {
			if strings.Contains(out.String(), leak) {
				t.Errorf("%s prints %q:\n%s", name, leak, out.String())
			}
		}
	}
	for name, v := range map[string]any{"secret": secret, "tag": tag} {
		if b, err := json.Marshal(v); err == nil {
			t.Errorf("%s became JSON: %s", name, b)
		}
	}
}

func TestHandlingCodesAreH0ToH3(t *testing.T) {
	for h, want := range map[Handling]string{H0: "H0", H1: "H1", H2: "H2", H3: "H3", 4: "Handling(4)"} {
		if got := h.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		if got, want := h.Valid(), h <= 3; got != want {
			t.Errorf("%v valid: got %v, want %v", h, got, want)
		}
	}
	if got, want := (CasePointer{0x7f, 1}).String(), "7f01"+strings.Repeat("00", 14); got != want {
		t.Errorf("case pointer: got %q, want %q", got, want)
	}
}

func FuzzOpen(f *testing.F) {
	k := Derive([Size]byte{1}, Secret{2}, 3)
	good, err := k.Seal(nil, "denver", 1, Pointer{Kind: 1, Handling: H1})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good[:], "denver", uint64(1))
	f.Add(good[:], "boulder", uint64(1))
	f.Add(make([]byte, PointerSize), "", uint64(0))
	f.Fuzz(func(t *testing.T, data []byte, author string, number uint64) {
		if len(data) != PointerSize {
			return
		}
		s := SealedPointer(data)
		p, err := k.Open(Author(author), number, s)
		if err != nil {
			return
		}
		again, err := k.Seal(bytes.NewReader(s[:nonceSize]), Author(author), number, p)
		if err != nil || again != s {
			t.Errorf("what opens seals to other bytes: %x, %v", again, err)
		}
	})
}

func TestACommitmentIsOfOneSecret(t *testing.T) {
	a, b := Secret{1}, Secret{2}
	if a.Commit() == b.Commit() || a.Commit() != (Secret{1}).Commit() {
		t.Error("the commitments of two secrets are equal, or those of one are not")
	}
	if got := a.Commit(); bytes.Contains(got[:], a[:4]) {
		t.Error("the commitment shows the secret")
	}
}
