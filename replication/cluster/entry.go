package cluster

import (
	"encoding/binary"
	"errors"
	"time"

	"github.com/hashicorp/raft"
)

// An entry on the disk, numbers big-endian:
//
//	format 1 | type 1 | term 8 | appended at 8 | size of extensions 4 | extensions | data
//
// Its index is its key. The time is in nanoseconds since 1970, 0 for none.
const (
	entryFormat = 1
	entryHeader = 1 + 1 + 8 + 8 + 4
)

var errEntry = errors.New("not an entry of this format")

func appendEntry(b []byte, entry *raft.Log) []byte {
	var at uint64
	if !entry.AppendedAt.IsZero() {
		at = uint64(entry.AppendedAt.UnixNano())
	}
	b = append(b, entryFormat, byte(entry.Type))
	b = binary.BigEndian.AppendUint64(b, entry.Term)
	b = binary.BigEndian.AppendUint64(b, at)
	b = binary.BigEndian.AppendUint32(b, uint32(len(entry.Extensions)))
	b = append(b, entry.Extensions...)
	return append(b, entry.Data...)
}

// parseEntry reads what appendEntry wrote. The entry keeps parts of b.
func parseEntry(index uint64, b []byte) (raft.Log, error) {
	if len(b) < entryHeader || b[0] != entryFormat {
		return raft.Log{}, errEntry
	}
	entry := raft.Log{Index: index, Type: raft.LogType(b[1]), Term: binary.BigEndian.Uint64(b[2:])}
	if at := binary.BigEndian.Uint64(b[10:]); at != 0 {
		entry.AppendedAt = time.Unix(0, int64(at))
	}
	size, rest := binary.BigEndian.Uint32(b[18:]), b[entryHeader:]
	if uint64(size) > uint64(len(rest)) {
		return raft.Log{}, errEntry
	}
	entry.Extensions, entry.Data = rest[:size:size], rest[size:]
	return entry, nil
}
