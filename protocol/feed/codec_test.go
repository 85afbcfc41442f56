package feed

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"interlock/protocol/directory"
	"interlock/protocol/wire"
)

func TestAWithdrawalTellsNothingOfWhatItWithdraws(t *testing.T) {
	e := entry(300)
	for i := range e.Tag {
		e.Tag[i] = 0xaa
	}
	for i := range e.Pointer {
		e.Pointer[i] = 0xaa
	}
	w := e.Withdrawal(512)
	if w.Kind != Withdraw || w.Number != 512 || w.Withdraws() != 300 || w.Epoch != e.Epoch {
		t.Errorf("Withdrawal = %+v, want entry 512 that withdraws 300 in epoch %d", w, e.Epoch)
	}
	if bytes.IndexByte(w.Encode(), 0xaa) >= 0 {
		t.Error("a byte of the tag or the pointer is in the withdrawal")
	}
	if got, err := Decode(w.Encode()); err != nil || got != w {
		t.Errorf("Decode = %+v, %v; want %+v", got, err, w)
	}
}

func TestAnEntryThatNobodyMayWriteIsMalformed(t *testing.T) {
	withdrawal := entry(3).Withdrawal(9)
	edit := func(e Entry, f func(*Entry)) []byte {
		f(&e)
		return e.Encode()
	}
	names := func(n uint64) func(*Entry) {
		return func(e *Entry) { binary.BigEndian.PutUint64(e.Pointer[:], n) }
	}
	for name, b := range map[string][]byte{
		"number nought":                     edit(entry(1), func(e *Entry) { e.Number = 0 }),
		"epoch nought":                      edit(entry(1), func(e *Entry) { e.Epoch = 0 }),
		"kind nought":                       edit(entry(1), func(e *Entry) { e.Kind = 0 }),
		"kind 3":                            edit(entry(1), func(e *Entry) { e.Kind = 3 }),
		"a withdrawal in epoch nought":      edit(withdrawal, func(e *Entry) { e.Epoch = 0 }),
		"a withdrawal of nothing":           edit(withdrawal, names(0)),
		"a withdrawal of itself":            edit(withdrawal, names(9)),
		"a withdrawal of what is to come":   edit(withdrawal, names(10)),
		"a withdrawal with a tag":           edit(withdrawal, func(e *Entry) { e.Tag[len(e.Tag)-1] = 1 }),
		"a withdrawal with more in it":      edit(withdrawal, func(e *Entry) { e.Pointer[8] = 1 }),
		"a withdrawal with more at its end": edit(withdrawal, func(e *Entry) { e.Pointer[len(e.Pointer)-1] = 1 }),
		"a byte too few":                    entry(1).Encode()[:EntrySize-1],
		"a byte too many":                   append(entry(1).Encode(), 0),
	} {
		if _, err := Decode(b); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: Decode = %v, want %v", name, err, ErrMalformed)
		}
		m := &wire.Batch{Entries: b, Head: Empty(denver, 1, key(1)).Message()}
		if _, err := FromMessage(m); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: FromMessage = %v, want %v", name, err, ErrMalformed)
		}
	}
}

func TestRunsHaveOneForm(t *testing.T) {
	const top = math.MaxUint64
	for name, tt := range map[string]struct {
		kept []uint64
		want []Run // nil: refused
	}{
		"one":                         {[]uint64{1, 0}, []Run{{1, 1}}},
		"two with one between":        {[]uint64{1, 4, 7, 2}, []Run{{1, 5}, {7, 9}}},
		"as many as a batch":          {[]uint64{5, 1022, 2000, 0}, []Run{{5, 1027}, {2000, 2000}}},
		"the last numbers":            {[]uint64{top - 1, 1}, []Run{{top - 1, top}}},
		"an odd count":                {[]uint64{1}, nil},
		"number nought":               {[]uint64{0, 3}, nil},
		"without one between":         {[]uint64{1, 4, 6, 0}, nil},
		"overlapping":                 {[]uint64{1, 4, 5, 0}, nil},
		"descending":                  {[]uint64{9, 0, 1, 0}, nil},
		"again from the start":        {[]uint64{top, 0, 1, 0}, nil},
		"past the last number":        {[]uint64{top, 1}, nil},
		"more than a batch":           {[]uint64{5, 1024}, nil},
		"more than a batch together":  {[]uint64{5, 1022, 2000, 1}, nil},
		"a length that comes round":   {[]uint64{5, top}, nil},
		"lengths that add up to none": {[]uint64{5, 9, 100, top - 9}, nil},
	} {
		head := Empty(denver, 2, key(1))
		b, err := FromMessage(&wire.Batch{Kept: tt.kept, Head: head.Message()})
		if tt.want == nil {
			if !errors.Is(err, ErrMalformed) {
				t.Errorf("%s: FromMessage = %v, %v; want %v", name, b.Kept, err, ErrMalformed)
			}
			continue
		}
		if diff := cmp.Diff(tt.want, b.Kept); err != nil || diff != "" {
			t.Errorf("%s: %v, runs (-want +got):\n%s", name, err, diff)
		}
		if got := b.Message().Kept; !cmp.Equal(got, tt.kept) {
			t.Errorf("%s: written again %v, want %v", name, got, tt.kept)
		}
	}
	both := &wire.Batch{Entries: entry(wire.MaxBatch + 1).Encode(), Kept: []uint64{1, wire.MaxBatch - 1}, Head: Empty(denver, 2, key(1)).Message()}
	if _, err := FromMessage(both); !errors.Is(err, ErrMalformed) {
		t.Errorf("more entries and kept ones than a batch has: %v, want %v", err, ErrMalformed)
	}
}

// TestRunsAreTheNumbersOfTheEntries: and as few as can say so.
func TestRunsAreTheNumbersOfTheEntries(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var entries []Entry
		n := uint64(0)
		for range rapid.IntRange(0, 40).Draw(t, "entries") {
			n += rapid.Uint64Range(1, 3).Draw(t, "step")
			entries = append(entries, entry(n))
		}
		i := 0
		runs := RunsOf(entries)
		for k, r := range runs {
			if k > 0 && r.First <= runs[k-1].Last+1 {
				t.Fatalf("run %d begins at %d, the one before ends at %d", k, r.First, runs[k-1].Last)
			}
			for n := r.First; n <= r.Last; n, i = n+1, i+1 {
				if i == len(entries) || entries[i].Number != n {
					t.Fatalf("%d is in a run, and is not entry %d", n, i)
				}
			}
		}
		if i != len(entries) {
			t.Fatalf("%d numbers in runs, want %d", i, len(entries))
		}
	})
}

func TestAFullBatchFitsIntoAFrame(t *testing.T) {
	var all []directory.AgencyID
	for i := range directory.MaxListed {
		all = append(all, directory.AgencyID(strings.Repeat("a", 30)+string(rune('a'+i/26))+string(rune('a'+i%26))))
	}
	id := ID{directory.AgencyID(strings.Repeat("z", 32)), listed(t, all...)}
	far := Position{Generation: math.MaxUint32, Number: math.MaxUint64 - 4*wire.MaxBatch}
	w := NewWriter(id, key(1), far)
	entries, sparse := Batch{Last: math.MaxUint64}, Batch{Last: math.MaxUint64}
	for i := range uint64(wire.MaxBatch) {
		e := entry(far.Number + 2*i + 1)
		w.Keep(e)
		entries.Entries, sparse.Kept = append(entries.Entries, e), append(sparse.Kept, Run{e.Number, e.Number})
	}
	entries.Head = w.Close()[0]
	sparse.Head = entries.Head
	for name, b := range map[string]Batch{"entries": entries, "runs": sparse} {
		m := b.Message()
		if size := proto.Size(m); size > wire.ProtocolFeed.Frame {
			t.Errorf("%s: %d bytes, and a frame has %d", name, size, wire.ProtocolFeed.Frame)
		}
		got, err := FromMessage(m)
		if diff := cmp.Diff(b, got, sameAudience); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", name, err, diff)
		}
	}
}

func TestAHeadThatNobodyMayWriteIsMalformed(t *testing.T) {
	for name, f := range map[string]func(*wire.Head){
		"no author":          func(h *wire.Head) { h.Author = "" },
		"no agency's id":     func(h *wire.Head) { h.Author = "Denver" },
		"a short hash":       func(h *wire.Head) { h.Hash = h.Hash[1:] },
		"a long hash":        func(h *wire.Head) { h.Hash = append(h.Hash, 0) },
		"generation nought":  func(h *wire.Head) { h.Generation = 0 },
		"no audience":        func(h *wire.Head) { h.Audience = "everyone" },
		"audience backwards": func(h *wire.Head) { h.Audience = "agencies:denver-pd,boulder-so" },
	} {
		m := Empty(denver, 1, key(1)).Message()
		f(m)
		if _, err := ParseHead(m); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: ParseHead = %v, want %v", name, err, ErrMalformed)
		}
	}
	if _, err := ParseHead(nil); !errors.Is(err, ErrMalformed) {
		t.Errorf("no head: %v, want %v", err, ErrMalformed)
	}
	if _, err := DecodeHead(denver, 1, 1, make([]byte, len(Hash{}))); !errors.Is(err, ErrMalformed) {
		t.Errorf("a stored head without a signature: %v, want %v", err, ErrMalformed)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(entry(1).Encode())
	f.Add(entry(1 << 60).Encode())
	f.Add(entry(7).Withdrawal(8).Encode())
	f.Add([]byte{})
	f.Add(make([]byte, EntrySize))
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := Decode(b)
		if err != nil {
			if !errors.Is(err, ErrMalformed) {
				t.Fatalf("error %v is not ErrMalformed", err)
			}
			return
		}
		if again := e.Encode(); !bytes.Equal(again, b) {
			t.Fatalf("decoded and encoded again: %x, want %x", again, b)
		}
	})
}

func FuzzBatch(f *testing.F) {
	start := Start(denver, 2)
	good, _ := write(f, denver, start, 3)
	moves := Batch{Kept: []Run{{1, 2}, {4, 4}}, Head: good.Head, Last: 9}
	for _, b := range []Batch{good, moves, {Head: Empty(denver, 2, key(1))}, {Head: Empty(ID{"denver-pd", listed(f, "boulder-so")}, 1, key(1))}} {
		seed, err := wire.Marshal(b.Message())
		if err != nil {
			f.Fatal(err)
		}
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var m wire.Batch
		if wire.Unmarshal(raw, &m) != nil {
			return
		}
		b, err := FromMessage(&m)
		if err != nil {
			if !errors.Is(err, ErrMalformed) {
				t.Fatalf("error %v is not ErrMalformed", err)
			}
			return
		}
		again, err := wire.Marshal(b.Message())
		if err != nil || !bytes.Equal(again, raw) {
			t.Fatalf("parsed and encoded again: %x, %v; want %x", again, err, raw)
		}
		if count(b.Kept) > wire.MaxBatch {
			t.Fatalf("%d entries kept by one batch", count(b.Kept))
		}
		at, err := b.Verify(denver, wire.PeerOf(key(1)), start)
		if err == nil && at != start && !cmp.Equal(b.Entries, good.Entries) {
			t.Fatalf("a batch that nobody signed was taken up to %d", at.Number)
		}
	})
}

func FuzzStoredHead(f *testing.F) {
	f.Add(Empty(denver, 1, key(1)).Encode())
	f.Add(make([]byte, len(Hash{})))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := DecodeHead(denver, 1, 1, b)
		if err != nil {
			if !errors.Is(err, ErrMalformed) {
				t.Fatalf("error %v is not ErrMalformed", err)
			}
			return
		}
		if again := h.Encode(); !bytes.Equal(again, b) {
			t.Fatalf("decoded and encoded again: %x, want %x", again, b)
		}
	})
}
