package store

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"io"
	"slices"

	"github.com/cockroachdb/pebble/v2"
)

// ref is what a row of tableTagged or tableExpected refers to: an entry of a
// feed, or an identifier of ours. Rows are changed without being read: a write
// says that a reference is there, or is gone, and of one reference the last
// write counts.
type ref struct {
	number   uint64 // of the entry, or of the identifier
	audience uint16 // of tableTagged alone
	gone     bool
}

// maxRefs is the most references that a row keeps, those with the lowest numbers:
// an author who announces one tag without end fills no memory here.
const maxRefs = 1024

func (r ref) append(table byte, b []byte) []byte {
	gone := uint64(0)
	if r.gone {
		gone = 1
	}
	if table == tableExpected {
		return binary.AppendUvarint(b, r.number<<1|gone)
	}
	b = binary.AppendUvarint(b, uint64(r.audience)<<1|gone)
	return binary.AppendUvarint(b, r.number)
}

// parseRefs appends the references of a row, or of one write to it, to list.
func parseRefs(table byte, list []ref, b []byte) ([]ref, error) {
	for len(b) > 0 {
		first, n := binary.Uvarint(b)
		if n <= 0 {
			return list, fmt.Errorf("row of table %q: no number", table)
		}
		b = b[n:]
		r := ref{number: first >> 1, gone: first&1 == 1}
		if table != tableExpected {
			if r.number > 0xffff {
				return list, fmt.Errorf("row of table %q: audience %d", table, r.number)
			}
			r.audience = uint16(r.number)
			if r.number, n = binary.Uvarint(b); n <= 0 {
				return list, fmt.Errorf("row of table %q: no number", table)
			}
			b = b[n:]
		}
		list = append(list, r)
	}
	return list, nil
}

// merger is how Pebble puts the writes to a row together.
func merger() *pebble.Merger {
	return &pebble.Merger{Name: "interlock.refs.1", Merge: func(k, v []byte) (pebble.ValueMerger, error) {
		m := &merging{table: k[0]}
		return m, m.MergeNewer(v)
	}}
}

// merging is the writes to one row: each ends where the next begins. None of them
// says two things of one reference.
type merging struct {
	table    byte
	writes   []byte
	ends     []int
	backward bool // the newest write comes first
}

func (m *merging) MergeNewer(v []byte) error {
	m.writes = append(m.writes, v...)
	m.ends = append(m.ends, len(m.writes))
	return nil
}

func (m *merging) MergeOlder(v []byte) error {
	m.backward = true
	return m.MergeNewer(v)
}

func (m *merging) write(i int) []byte {
	if i == 0 {
		return m.writes[:m.ends[0]]
	}
	return m.writes[m.ends[i-1]:m.ends[i]]
}

// Finish returns the row. Without its base it still says what is gone; with it, it
// may be empty. (Pebble lets a merger say that such a row is to be deleted, but its
// compactions do not survive that.)
func (m *merging) Finish(includesBase bool) ([]byte, io.Closer, error) {
	var list []ref
	for i := range m.ends {
		if !m.backward {
			i = len(m.ends) - 1 - i
		}
		var err error
		if list, err = parseRefs(m.table, list, m.write(i)); err != nil {
			return nil, nil, err
		}
	}
	out := make([]byte, 0, len(m.writes))
	standing := 0
	for _, r := range lastWrites(list) {
		if r.gone && includesBase || !r.gone && standing == maxRefs {
			continue
		}
		if !r.gone {
			standing++
		}
		out = r.append(m.table, out)
	}
	return out, nil, nil
}

// lastWrites returns the first write of each reference, by number and audience.
func lastWrites(newestFirst []ref) []ref {
	slices.SortStableFunc(newestFirst, func(a, b ref) int {
		return cmp.Or(cmp.Compare(a.number, b.number), cmp.Compare(a.audience, b.audience))
	})
	return slices.CompactFunc(newestFirst, func(a, b ref) bool {
		return a.number == b.number && a.audience == b.audience
	})
}
