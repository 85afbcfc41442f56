package store

import (
	"bytes"
	"encoding/binary"

	"github.com/cockroachdb/pebble/v2"

	"interlock/crypto/token"
)

// Each kind of record has a first byte of its own. They are the format of the
// disk: a byte is never given another meaning.
const (
	tableMeta       = 'm' // name → value
	tableSequence   = 'q' // name → last number given
	tableOfficer    = 'o' // name → JSON
	tableSession    = 's' // SHA-256 of the session → JSON
	tableCase       = 'c' // case → JSON
	tableCaseNumber = 'n' // folded number → case
	tableNote       = 'N' // case, number → JSON
	tableDraft      = 'd' // draft → JSON
	tableProgress   = 'D' // draft → JSON
	tableIdentifier = 'i' // identifier number → identifier
	tableNumberOf   = 'I' // identifier → identifier number
	tableHolding    = 'h' // case, identifier number → JSON
	tableHolder     = 'H' // identifier number, case → nothing
	tableSharing    = 'S' // case, identifier number → JSON; absent: shared with everyone
	tableChange     = 'L' // case, number → JSON
	tableToken      = 't' // identifier number → epoch, token: the newest
	tableFormer     = 'u' // identifier number → epoch, token: the one before
	tableWaiting    = 'w' // identifier number → nothing
	tableName       = 'p' // author, audience → author number, audience number
	tableFeed       = 'f' // author number, audience number → JSON
	tableEntry      = 'F' // author number, audience number, number → kind, epoch, tag, pointer
	tableHead       = 'K' // author number, audience number, generation, number → hash, signature
	tableTagged     = 'T' // author number, epoch, tag prefix → references to entries
	tableExpected   = 'E' // author number, epoch, tag prefix → identifier numbers
	tableStanding   = 'W' // identifier number, audience number, epoch → number
	tableAcked      = 'k' // reader, audience number → generation, number
	tableReceipt    = 'R' // reader, audience number → receipt
	tableMember     = 'M' // agency → JSON
	tableAlert      = 'A' // alert → JSON
	tableGround     = 'g' // alert, identifier → JSON
	tableCaseAlert  = 'a' // case, alert → nothing
	tableRecent     = 'r' // time, alert → nothing
	tableFork       = 'V' // agency, generation, number, audience → JSON
	tableGroundOf   = 'z' // mark of an identifier, case, alert → nothing
	tableSpread     = 'Z' // summary, agency, case pointer → JSON
	tableMute       = 'x' // mark of an identifier → JSON
	tableMuteEvent  = 'X' // mark of an identifier, number → JSON
	tableMutedTag   = 'y' // tag in the directory's scope → nothing
	tableAgain      = 'Y' // identifier number → nothing
	tableWarnList   = 'l' // name → text
)

// key builds a key from its table and parts. A part of variable length must
// be the last one or come from name.
func key(table byte, parts ...[]byte) []byte {
	k := append(make([]byte, 0, 48), table)
	for _, p := range parts {
		k = append(k, p...)
	}
	return k
}

// number is an ordered part.
func number(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

// number32 is an ordered part of four bytes.
func number32[N ~uint32](n N) []byte { return binary.BigEndian.AppendUint32(nil, uint32(n)) }

// name is a text part that another part may follow; names hold no zero byte.
func name[S ~string](s S) []byte { return append([]byte(s), 0) }

// entryKeySize is the length of a key of tableEntry, and entryPrefixSize what
// of it the filters know.
const (
	entryKeySize    = 1 + 4 + 2 + 8
	entryPrefixSize = entryKeySize - 2
)

// part is an ordered part of six bytes: all that a table has of a feed follows it.
func (f feedNumber) part() []byte {
	return binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint32(nil, f.author), f.audience)
}

func entryKey(f feedNumber, n uint64) []byte { return key(tableEntry, f.part(), number(n)) }

// tagKeySize is the length of a key of tableTagged and tableExpected. Of the tag
// it holds the first eight bytes: two of 100 million tags that agree in them
// are one chance in 3,000, and whoever reads a row compares the whole tag.
const tagKeySize = 1 + 4 + 4 + 8

type tagKey [tagKeySize]byte

func keyOfTag(table byte, author uint32, e token.Epoch, t token.Tag) (k tagKey) {
	k[0] = table
	binary.BigEndian.PutUint32(k[1:], author)
	binary.BigEndian.PutUint32(k[5:], uint32(e))
	copy(k[9:], t[:8])
	return k
}

// split is how much of a key the filters know. Of an entry it leaves out the last
// bytes, so that 65,536 entries cost one place in the filters: entries are read in
// order or by those who know that they are there.
func split(k []byte) int {
	if len(k) == entryKeySize && k[0] == tableEntry {
		return entryPrefixSize
	}
	return len(k)
}

// comparer orders keys by their bytes. A key between two entries may not end within
// what the filters leave out, where it would not be in order with their prefixes.
func comparer() *pebble.Comparer {
	c := *pebble.DefaultComparer
	c.Name, c.Split = "interlock.1", split
	c.Separator = func(dst, a, b []byte) []byte {
		between := pebble.DefaultComparer.Separator(dst, a, b)
		if n := len(between) - len(dst); a[0] == tableEntry && n > entryPrefixSize && n < entryKeySize {
			return append(dst, a...)
		}
		return between
	}
	c.ComparePointSuffixes, c.CompareRangeSuffixes = bytes.Compare, bytes.Compare
	return &c
}

// spans keeps the tables that grow without bound in files of their own, with
// every value beside its key.
func spans(start []byte) (pebble.SpanPolicy, []byte, error) {
	if len(start) == 0 {
		return pebble.SpanPolicy{}, nil, nil
	}
	for _, table := range []byte{tableExpected, tableEntry, tableTagged} {
		if start[0] < table {
			return pebble.SpanPolicy{}, []byte{table}, nil
		}
		if start[0] == table {
			return pebble.SpanPolicy{DisableValueSeparationBySuffix: true}, []byte{table + 1}, nil
		}
	}
	return pebble.SpanPolicy{}, nil, nil
}
