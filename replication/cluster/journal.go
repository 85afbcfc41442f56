package cluster

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/hashicorp/raft"
)

// journal keeps raft's log and its votes in one Pebble database. Every change
// is one batch, on the disk before the call returns. It serves as raft's
// LogStore and StableStore; raft calls it from several goroutines.
//
//	l index  an entry of the log; the index is eight bytes, big-endian
//	v key    a value that raft keeps beside the log: term, vote
type journal struct {
	db   *pebble.DB
	free func() (uint64, error) // bytes left on the disk
}

const (
	logSpace  = 'l'
	voteSpace = 'v'
)

// reserve is the room that must be left on the disk for an append. A full disk
// then refuses commands, as raft expects, and does not meet Pebble in the
// middle of its own upkeep, which would end the process.
const reserve = 64 << 20

// errNoRoom refuses an append on a disk that is nearly full.
var errNoRoom = fmt.Errorf("less than %d MiB left on the disk", reserve>>20)

func openJournal(path string, fs vfs.FS, log pebble.Logger) (*journal, error) {
	db, err := pebble.Open(path, &pebble.Options{
		FS: fs, Logger: log, FormatMajorVersion: pebble.FormatNewest,
	})
	if err != nil {
		return nil, err
	}
	return &journal{db: db, free: func() (uint64, error) {
		usage, err := fs.GetDiskUsage(path)
		return usage.AvailBytes, err
	}}, nil
}

func (j *journal) Close() error { return j.db.Close() }

func logKey(index uint64) []byte { return binary.BigEndian.AppendUint64([]byte{logSpace}, index) }

// FirstIndex returns the index of the oldest entry, 0 for an empty log.
func (j *journal) FirstIndex() (uint64, error) { return j.end((*pebble.Iterator).First) }

// LastIndex returns the index of the newest entry, 0 for an empty log.
func (j *journal) LastIndex() (uint64, error) { return j.end((*pebble.Iterator).Last) }

func (j *journal) end(seek func(*pebble.Iterator) bool) (index uint64, err error) {
	it, err := j.db.NewIter(&pebble.IterOptions{LowerBound: []byte{logSpace}, UpperBound: []byte{logSpace + 1}})
	if err != nil {
		return 0, err
	}
	if seek(it) {
		index = binary.BigEndian.Uint64(it.Key()[1:])
	}
	return index, it.Close()
}

// GetLog reads one entry. One that is not there is raft.ErrLogNotFound.
func (j *journal) GetLog(index uint64, into *raft.Log) error {
	b, err := j.get(logKey(index))
	if err != nil {
		return err
	}
	if b == nil {
		return raft.ErrLogNotFound
	}
	entry, err := parseEntry(index, b)
	if err != nil {
		return fmt.Errorf("log entry %d: %w", index, err)
	}
	*into = entry
	return nil
}

// StoreLog appends one entry.
func (j *journal) StoreLog(entry *raft.Log) error { return j.StoreLogs([]*raft.Log{entry}) }

// StoreLogs appends entries, all or none.
func (j *journal) StoreLogs(entries []*raft.Log) (err error) {
	if free, err := j.free(); err == nil && free < reserve {
		return errNoRoom
	}
	batch := j.db.NewBatch()
	defer func() { err = errors.Join(err, batch.Close()) }()
	for _, entry := range entries {
		if err := batch.Set(logKey(entry.Index), appendEntry(nil, entry), nil); err != nil {
			return err
		}
	}
	return batch.Commit(pebble.Sync)
}

// DeleteRange removes the entries from first to last, both included. It is how
// room is made, so it does not ask for any.
func (j *journal) DeleteRange(first, last uint64) error {
	return j.db.DeleteRange(logKey(first), append(logKey(last), 0), pebble.Sync)
}

// Set writes a value beside the log. It is small, and raft ends the process
// where it cannot write its term, so the reserve is there for it too.
func (j *journal) Set(key, value []byte) error { return j.db.Set(voteKey(key), value, pebble.Sync) }

// Get returns a value beside the log, nil where it was never set.
func (j *journal) Get(key []byte) ([]byte, error) { return j.get(voteKey(key)) }

// SetUint64 writes a number beside the log.
func (j *journal) SetUint64(key []byte, value uint64) error {
	return j.Set(key, binary.BigEndian.AppendUint64(nil, value))
}

// GetUint64 returns a number beside the log, 0 where it was never set.
func (j *journal) GetUint64(key []byte) (uint64, error) {
	b, err := j.Get(key)
	if err != nil || b == nil {
		return 0, err
	}
	if len(b) != 8 {
		return 0, fmt.Errorf("number beside the log: %d bytes, want 8", len(b))
	}
	return binary.BigEndian.Uint64(b), nil
}

func voteKey(key []byte) []byte { return append([]byte{voteSpace}, key...) }

// get returns a copy of what is under key, nil for nothing.
func (j *journal) get(key []byte) ([]byte, error) {
	b, closer, err := j.db.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return append([]byte{}, b...), closer.Close()
}
