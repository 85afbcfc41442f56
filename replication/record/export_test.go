package record

import (
	"bytes"
	"crypto/ed25519"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

// centre stands for the registry servers: it signs heads, and authenticates
// what it signed.
type centre struct{ key ed25519.PrivateKey }

func newCentre() centre {
	return centre{ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, ed25519.SeedSize))}
}

func (centre) message(h Header) []byte {
	m := append([]byte("head of a test"), h.Genesis[:]...)
	return append(binary.BigEndian.AppendUint64(m, h.Head.Size), h.Head.Root[:]...)
}

func (c centre) sign(head Head) Header {
	h := Header{Genesis: [32]byte{1, 2, 3}, Head: head}
	h.Directories = [][]byte{[]byte("directory before"), ed25519.Sign(c.key, c.message(h))}
	return h
}

func (c centre) authenticate(h Header) error {
	if len(h.Directories) != 2 || string(h.Directories[0]) != "directory before" ||
		!ed25519.Verify(c.key.Public().(ed25519.PublicKey), c.message(h), h.Directories[1]) {
		return errForgedHead
	}
	return nil
}

var errForgedHead = errors.New("forged head")

func export(t testing.TB, tree *Tree, h Header) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := WriteExport(&b, h, tree); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestAnExportIsReadBackWhole(t *testing.T) {
	c := newCentre()
	entries := append(someEntries(30), nil, bytes.Repeat([]byte{0xff}, MaxEntry))
	tree := grow(t, entries)
	for size := range tree.Size() + 1 {
		want := c.sign(headAt(t, tree, size))
		written := export(t, tree, want)
		read := [][]byte{}
		got, err := ReadExport(iotest.OneByteReader(bytes.NewReader(written)), Audit{
			Authenticate: c.authenticate,
			Visit: func(index uint64, entry []byte) error {
				if index != uint64(len(read)) {
					t.Errorf("entry %d visited, want %d", index, len(read))
				}
				read = append(read, bytes.Clone(entry))
				return nil
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("header (-want +got):\n%s", d)
		}
		again, err := Restore(read)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(export(t, again, got), written) {
			t.Errorf("size %d: export of what was read differs", size)
		}
	}
}

func TestAnExportIsLinesThatOtherToolsRead(t *testing.T) {
	tree := grow(t, [][]byte{[]byte("approve denver"), []byte("suspend boulder")})
	lines := strings.Split(string(export(t, tree, newCentre().sign(tree.Head()))), "\n")
	for _, l := range lines[:len(lines)-1] {
		if !json.Valid([]byte(l)) {
			t.Errorf("not JSON: %s", l)
		}
	}
	var entry struct {
		Index uint64
		Entry string
	}
	if err := json.Unmarshal([]byte(lines[4]), &entry); err != nil {
		t.Fatal(err)
	}
	if entry.Index != 1 || !strings.Contains(entry.Entry, hex.EncodeToString([]byte("boulder"))) {
		t.Errorf("entry 1 is %+v", entry)
	}
}

func TestAnyChangedByteOfAnExportIsRefused(t *testing.T) {
	c := newCentre()
	tree := grow(t, someEntries(6))
	good := export(t, tree, c.sign(tree.Head()))
	audit := Audit{Authenticate: c.authenticate}
	if _, err := ReadExport(bytes.NewReader(good), audit); err != nil {
		t.Fatal(err)
	}
	for i := range good {
		for bit := range 8 {
			bad := bytes.Clone(good)
			bad[i] ^= 1 << bit
			if _, err := ReadExport(bytes.NewReader(bad), audit); err == nil {
				t.Fatalf("byte %d changed from %q to %q and accepted", i, good[i], bad[i])
			}
		}
		if _, err := ReadExport(bytes.NewReader(good[:i]), audit); !errors.Is(err, ErrFormat) {
			t.Fatalf("cut at byte %d: got %v, want %v", i, err, ErrFormat)
		}
	}
	if _, err := ReadExport(bytes.NewReader(append(bytes.Clone(good), '\n')), audit); !errors.Is(err, ErrFormat) {
		t.Errorf("line added: got %v, want %v", err, ErrFormat)
	}
}

func TestARewrittenRecordIsAForkOfItsHead(t *testing.T) {
	c := newCentre()
	entries := someEntries(9)
	honest := grow(t, entries)
	signed := c.sign(honest.Head())
	for name, forged := range map[string][][]byte{
		"entry altered":   slices.Concat(entries[:4], [][]byte{[]byte("altered")}, entries[5:]),
		"entries swapped": slices.Concat(entries[:4], [][]byte{entries[5], entries[4]}, entries[6:]),
		"entry replaced":  slices.Concat(entries[:8], [][]byte{entries[0]}),
	} {
		tree := grow(t, forged)
		header := bytes.SplitAfterN(export(t, honest, signed), []byte("\n"), 4)[:3]
		rest := bytes.SplitAfterN(export(t, tree, c.sign(tree.Head())), []byte("\n"), 4)[3]
		text := append(bytes.Join(header, nil), rest...)
		_, err := ReadExport(bytes.NewReader(text), Audit{Authenticate: c.authenticate})
		var fork *ForkError
		if !errors.As(err, &fork) || *fork != (ForkError{Head: honest.Head(), Root: tree.Root()}) {
			t.Errorf("%s: got %v, want a fork of %x", name, err, honest.Head())
		}
		if err := WriteExport(io.Discard, signed, tree); !errors.As(err, &fork) {
			t.Errorf("%s: export under a head of another record: %v", name, err)
		}
	}
}

func TestAnEarlierHeadTellsWhetherTheRecordGrewFromIt(t *testing.T) {
	c := newCentre()
	entries := someEntries(20)
	tree := grow(t, entries)
	text := export(t, tree, c.sign(tree.Head()))
	read := func(kept ...Head) error {
		_, err := ReadExport(bytes.NewReader(text), Audit{Authenticate: c.authenticate, Kept: kept})
		return err
	}
	var all []Head
	for size := range tree.Size() + 1 {
		all = append(all, headAt(t, tree, tree.Size()-size))
	}
	if err := read(all...); err != nil {
		t.Errorf("true heads: %v", err)
	}
	for size := range tree.Size() + 1 {
		forged := headAt(t, tree, size)
		forged.Root[31] ^= 1
		var fork *ForkError
		if err := read(headAt(t, tree, 3), forged, headAt(t, tree, size)); !errors.As(err, &fork) || fork.Head != forged {
			t.Errorf("another root at %d: got %v", size, err)
		}
	}
	longer := grow(t, append(entries, []byte("taken away since")))
	if err := read(longer.Head()); !errors.Is(err, ErrShortened) {
		t.Errorf("longer head: got %v, want %v", err, ErrShortened)
	}
}

func TestNothingIsVisitedUnderAForgedHead(t *testing.T) {
	c := newCentre()
	tree := grow(t, someEntries(3))
	h := c.sign(tree.Head())
	h.Genesis[0] ^= 1
	_, err := ReadExport(bytes.NewReader(export(t, tree, h)), Audit{
		Authenticate: c.authenticate,
		Visit:        func(uint64, []byte) error { t.Error("visited"); return nil },
	})
	if !errors.Is(err, errForgedHead) {
		t.Errorf("got %v, want %v", err, errForgedHead)
	}
}

func TestTheVisitorAndTheReaderMayFail(t *testing.T) {
	c := newCentre()
	tree := grow(t, someEntries(3))
	text := export(t, tree, c.sign(tree.Head()))
	enough := errors.New("seen enough")
	_, err := ReadExport(bytes.NewReader(text), Audit{
		Authenticate: c.authenticate, Visit: func(uint64, []byte) error { return enough },
	})
	if !errors.Is(err, enough) {
		t.Errorf("got %v, want %v", err, enough)
	}
	broken := errors.New("disk broken")
	for at := range len(text) + 1 {
		_, err := ReadExport(io.MultiReader(bytes.NewReader(text[:at]), iotest.ErrReader(broken)), Audit{Authenticate: c.authenticate})
		if !errors.Is(err, broken) || errors.Is(err, ErrFormat) {
			t.Fatalf("broken at byte %d: got %v, want %v", at, err, broken)
		}
	}
}

func TestAnExportHoldsExactlyTheEntriesOfItsHead(t *testing.T) {
	entries := someEntries(4)
	h := newCentre().sign(grow(t, entries).Head())
	write := func(entries ...[]byte) error {
		x, err := NewExporter(io.Discard, h)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if err := x.Add(e); err != nil {
				return err
			}
		}
		return x.Close()
	}
	if err := write(entries...); err != nil {
		t.Error(err)
	}
	if err := write(entries[:3]...); !errors.Is(err, ErrRange) {
		t.Errorf("too few: got %v, want %v", err, ErrRange)
	}
	if err := write(append(entries, nil)...); !errors.Is(err, ErrRange) {
		t.Errorf("too many: got %v, want %v", err, ErrRange)
	}
	if err := write(make([]byte, MaxEntry+1)); !errors.Is(err, ErrEntryTooLarge) {
		t.Errorf("too large: got %v, want %v", err, ErrEntryTooLarge)
	}
	var fork *ForkError
	if err := write(entries[0], entries[1], entries[3], entries[2]); !errors.As(err, &fork) {
		t.Errorf("another order: got %v, want a fork", err)
	}
	if err := WriteExport(io.Discard, h, grow(t, entries[:3])); !errors.Is(err, ErrRange) {
		t.Errorf("shorter record: got %v, want %v", err, ErrRange)
	}
}

func FuzzReadExport(f *testing.F) {
	c := newCentre()
	for _, n := range []int{0, 1, 2, 5} {
		tree := grow(f, someEntries(n))
		f.Add(export(f, tree, c.sign(tree.Head())))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var entries [][]byte
		h, err := ReadExport(bytes.NewReader(text), Audit{
			Authenticate: func(Header) error { return nil },
			Visit:        func(_ uint64, e []byte) error { entries = append(entries, bytes.Clone(e)); return nil },
		})
		if err != nil {
			return
		}
		tree, err := Restore(entries)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(export(t, tree, h), text) {
			t.Errorf("accepted and written otherwise:\n%s", text)
		}
	})
}

func TestReadingAnExportTakesNoMoreMemoryForMoreEntries(t *testing.T) {
	c := newCentre()
	allocations := func(n int) float64 {
		tree := grow(t, someEntries(n))
		text := export(t, tree, c.sign(tree.Head()))
		return testing.AllocsPerRun(1, func() {
			if _, err := ReadExport(bytes.NewReader(text), Audit{Authenticate: c.authenticate}); err != nil {
				t.Error(err)
			}
		})
	}
	few, many := allocations(10), allocations(10_000)
	if many > few+30 {
		t.Errorf("10,000 entries took %.0f allocations, 10 took %.0f", many, few)
	}
}
