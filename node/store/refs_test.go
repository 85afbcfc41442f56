package store

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func rowOf(table byte, refs ...ref) []byte {
	var v []byte
	for _, r := range refs {
		v = r.append(table, v)
	}
	return v
}

// put merges writes, the oldest first, as Pebble does.
func put(t testing.TB, table byte, base bool, writes ...[]byte) []byte {
	t.Helper()
	m := &merging{table: table}
	for _, w := range writes {
		if err := m.MergeNewer(w); err != nil {
			t.Fatal(err)
		}
	}
	v, _, err := m.Finish(base)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestTheLastWriteOfAReferenceCounts(t *testing.T) {
	five, six := ref{number: 5, audience: 1}, ref{number: 6}
	gone := ref{number: 5, audience: 1, gone: true}
	for _, c := range []struct {
		name   string
		writes []ref
		want   []ref
	}{
		{"twice there", []ref{five, five}, []ref{five}},
		{"gone", []ref{five, six, gone}, []ref{six}},
		{"there again", []ref{five, gone, six, five}, []ref{five, six}},
		{"gone before it came", []ref{gone, five}, []ref{five}},
		{"another audience", []ref{{number: 5}, gone}, []ref{{number: 5}}},
		{"all gone", []ref{five, gone}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			var writes [][]byte
			for _, r := range c.writes {
				writes = append(writes, rowOf(tableTagged, r))
			}
			got, err := parseRefs(tableTagged, nil, put(t, tableTagged, true, writes...))
			if err != nil || !slices.Equal(got, c.want) {
				t.Errorf("row of %v, %v; want %v", got, err, c.want)
			}
		})
	}
}

// TestWritesMayBeMergedInAnyGrouping: Pebble merges neighbours as it pleases,
// from either side.
func TestWritesMayBeMergedInAnyGrouping(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		table := rapid.SampledFrom([]byte{tableTagged, tableExpected}).Draw(t, "table")
		refs := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) ref {
			r := ref{number: rapid.Uint64Range(1, 4).Draw(t, "number"), gone: rapid.Bool().Draw(t, "gone")}
			if table == tableTagged {
				r.audience = rapid.Uint16Range(0, 2).Draw(t, "audience")
			}
			return r
		}), 1, 12).Draw(t, "writes")
		state := map[ref]bool{}
		var writes [][]byte
		for _, r := range refs {
			writes = append(writes, rowOf(table, r))
			state[ref{number: r.number, audience: r.audience}] = !r.gone
		}
		for len(writes) > 1 {
			at := rapid.IntRange(0, len(writes)-2).Draw(t, "pair")
			m := &merging{table: table}
			first, second := m.MergeNewer, m.MergeNewer
			a, b := writes[at], writes[at+1]
			if rapid.Bool().Draw(t, "backward") {
				a, b, second = b, a, m.MergeOlder
			}
			if err := first(a); err != nil {
				t.Fatal(err)
			}
			if err := second(b); err != nil {
				t.Fatal(err)
			}
			v, _, err := m.Finish(at == 0 && rapid.Bool().Draw(t, "base"))
			if err != nil {
				t.Fatal(err)
			}
			writes = slices.Replace(writes, at, at+2, v)
		}
		m := &merging{table: table}
		if err := m.MergeNewer(writes[0]); err != nil {
			t.Fatal(err)
		}
		v, _, err := m.Finish(true)
		got, parse := parseRefs(table, nil, v)
		if err != nil || parse != nil {
			t.Fatal(err, parse)
		}
		var want []ref
		for number := uint64(1); number <= 4; number++ {
			for audience := uint16(0); audience <= 2; audience++ {
				if r := (ref{number: number, audience: audience}); state[r] {
					want = append(want, r)
				}
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("row of %v, want %v", got, want)
		}
	})
}

func TestARowOfOneTagIsBounded(t *testing.T) {
	var writes [][]byte
	for n := uint64(3 * maxRefs); n > 0; n-- {
		writes = append(writes, rowOf(tableTagged, ref{number: n}))
	}
	got, err := parseRefs(tableTagged, nil, put(t, tableTagged, true, writes...))
	if err != nil || len(got) != maxRefs || got[0].number != 1 || got[maxRefs-1].number != maxRefs {
		t.Errorf("%d references, %v; want the first %d", len(got), err, maxRefs)
	}
}

func FuzzRefs(f *testing.F) {
	f.Add(byte(tableTagged), rowOf(tableTagged, ref{number: 300, audience: 2}, ref{number: 1, gone: true}))
	f.Add(byte(tableExpected), rowOf(tableExpected, ref{number: 1 << 40}, ref{number: 7, gone: true}))
	f.Add(byte(tableTagged), []byte{0x80})
	f.Fuzz(func(t *testing.T, table byte, b []byte) {
		if table != tableTagged && table != tableExpected {
			return
		}
		refs, err := parseRefs(table, nil, b)
		if err != nil {
			return
		}
		again, err := parseRefs(table, nil, rowOf(table, refs...))
		if diff := cmp.Diff(refs, again, cmp.AllowUnexported(ref{})); diff != "" || err != nil {
			t.Errorf("read again (-first +second): %v\n%s", err, diff)
		}
	})
}
