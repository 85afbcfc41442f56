// Package store keeps everything a node knows in one Pebble database,
// encrypted below the key space with the node's disk key.
//
// All writing goes through Update: one transaction at a time, one atomic batch,
// on the disk before Update returns. What must hold together (a case, its
// token, the feed entry, the alert) is therefore written in one Update, and
// what Update has not returned was never acknowledged. View reads a consistent
// snapshot beside it.
//
// It is the only package, with diskcrypt below it, that knows Pebble.
package store

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"interlock/node/store/diskcrypt"
	"interlock/protocol/directory"
)

// Errors that callers branch on.
var (
	ErrNotFound = errors.New("not in the store")
	ErrInUse    = errors.New("the folder is in use by another process")
	ErrDisk     = errors.New("the disk does not take writes")

	errClosed = errors.New("the store is closed")
	errAgency = errors.New("it was written without its agency")
)

// Options are what a store is opened with.
type Options struct {
	Dir string
	Key [32]byte // the node's disk key
	// Agency is whose node it is, the same each time; empty where that is not known.
	// What it announces itself is not found by its tags: nobody looks for it.
	Agency directory.AgencyID
	// Cache is how many bytes of memory hold blocks of the disk, with the filters
	// by which absent tags are told: 1.8 bytes for each tag, those of one member
	// together. 0 is 64 MiB. Beside it stand up to three tables of 16 MiB with the
	// newest writes.
	Cache int64
	Log   *slog.Logger
	// FS, where set, stands under the encryption in place of the disk.
	FS vfs.FS
	// Disk, where set, is asked before every write and sync, and an error from
	// it is what the disk answers. Tests fail the disk, or end the process, there.
	Disk func() error
	// Free returns the bytes left on the disk; nil asks the file system.
	Free func() (uint64, error)
}

// reserve is the room that must be left on the disk for a write to be taken:
// Pebble cannot survive a full disk in the middle of its own upkeep. What other
// members send leaves more, so that none of them can fill the disk on which
// our officers save.
const (
	reserve        = 64 << 20
	foreignReserve = 8 * reserve
)

// Store is an open database. Its methods may be called from any goroutine.
type Store struct {
	db   *pebble.DB
	free func() (uint64, error)
	lock *pebble.Lock
	ours directory.AgencyID // see Options.Agency

	mu     sync.Mutex // held by Update
	failed error      // owned by mu; set once a commit did not reach the disk

	// life is held for reading while a View runs, and for writing by Close.
	life   sync.RWMutex
	closed bool // owned by life

	names atomic.Pointer[names] // what is committed

	// visible is held for writing from the moment a commit may show until it is
	// on the disk, and for reading while a snapshot is taken: nobody sees, and
	// sends on, what a crash could take back.
	visible sync.RWMutex
	frozen  *pebble.Snapshot // owned by visible; what stood before a commit that failed
}

// Open opens or creates the store in o.Dir. It returns ErrInUse where another
// process has it, and diskcrypt.ErrWrongKey where the key is another.
func Open(o Options) (*Store, error) {
	base := o.FS
	if base == nil {
		base = vfs.Default
	}
	if o.Disk != nil {
		base = errorfs.Wrap(base, errorfs.InjectorFunc(func(op errorfs.Op) error {
			if op.Kind.ReadOrWrite() != errorfs.OpIsWrite {
				return nil
			}
			return o.Disk()
		}))
	}
	if err := base.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	lock, err := pebble.LockDirectory(o.Dir, base)
	if err != nil {
		return nil, fmt.Errorf("open store %s: %w", o.Dir, ErrInUse)
	}
	s := &Store{free: o.Free, lock: lock, ours: o.Agency}
	if s.free == nil {
		s.free = func() (uint64, error) {
			u, err := base.GetDiskUsage(o.Dir)
			return u.AvailBytes, err
		}
	}
	cache := pebble.NewCache(cmp.Or(o.Cache, 64<<20))
	defer cache.Unref()
	if s.db, err = pebble.Open(o.Dir, pebbleOptions(diskcrypt.New(base, o.Key), lock, cache, o.Log)); err != nil {
		return nil, errors.Join(fmt.Errorf("open store: %w", err), lock.Close())
	}
	if err := s.View(s.readNames); err != nil {
		return nil, errors.Join(fmt.Errorf("open store: %w", err), s.Close())
	}
	return s, nil
}

// filterBits is how many bits of a filter there are for each key. With 14 one
// absent tag in some 400 is looked for in vain; with 10 it would be one in 100, and
// those took a third of the time of all.
const filterBits = 14

func pebbleOptions(fs vfs.FS, lock *pebble.Lock, cache *pebble.Cache, log *slog.Logger) *pebble.Options {
	o := &pebble.Options{
		FS:                 fs,
		Lock:               lock,
		Cache:              cache,
		MemTableSize:       16 << 20,
		Comparer:           comparer(),
		Merger:             merger(),
		FormatMajorVersion: pebble.FormatNewest,
		Logger:             quiet{log},
	}
	o.Experimental.SpanPolicyFunc = spans
	for i := range o.Levels {
		o.Levels[i].FilterPolicy = bloom.FilterPolicy(filterBits)
	}
	o.EnsureDefaults()
	return o
}

// Close waits for the writer and the readers, and closes the database. After a
// failed commit Pebble cannot be closed any more; the folder is released all
// the same.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.life.Lock()
	defer s.life.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	if s.failed != nil {
		// Pebble holds the lock as well, and cannot let go of it.
		return errors.Join(s.failed, s.lock.Close(), s.lock.Close())
	}
	s.failed = errClosed
	return errors.Join(s.db.Close(), s.lock.Close())
}

// Update runs f in the one writing transaction and returns once all that it
// wrote is on the disk. Where f returns an error nothing is written.
func (s *Store) Update(f func(tx *Tx) error) error { return s.update(reserve, f) }

// UpdateForeign is Update for what another member sent.
func (s *Store) UpdateForeign(f func(tx *Tx) error) error { return s.update(foreignReserve, f) }

func (s *Store) update(reserve uint64, f func(tx *Tx) error) (err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failed != nil {
		return s.failed
	}
	if free, err := s.free(); err == nil && free < reserve {
		return fmt.Errorf("%w: less than %d MiB left", ErrDisk, reserve>>20)
	}
	tx := &Tx{s: s, w: s.db.NewIndexedBatch(), bulk: s.db.NewBatch()}
	defer func() { err = errors.Join(err, tx.w.Close(), tx.bulk.Close()) }()
	if err := f(tx); err != nil {
		return err
	}
	all, err := tx.written()
	if err != nil || all.Empty() {
		return err
	}
	return s.commit(tx, all)
}

// commit applies what tx wrote; the names that it gave are known before anybody
// sees its rows. A commit that Pebble cannot write leaves its pipeline unusable, and
// what it did not write visible: the store then refuses every later write and shows
// what stood before, until the process is started again and recovers from what is
// on the disk.
func (s *Store) commit(tx *Tx, batch *pebble.Batch) (err error) {
	s.visible.Lock()
	defer s.visible.Unlock()
	before := s.db.NewSnapshot()
	defer func() {
		r := recover()
		if r == nil && err == nil {
			if tx.named {
				s.names.Store(tx.names)
			}
			err = before.Close()
			return
		}
		s.frozen = before
		s.failed = ErrDisk
		switch f, ours := r.(fatal); {
		case ours:
			s.failed = fmt.Errorf("%w: %s", ErrDisk, f.message)
		case r != nil:
			panic(r)
		}
		err = s.failed
	}()
	return batch.Commit(pebble.Sync)
}

// View runs f on a consistent snapshot of what is on the disk.
func (s *Store) View(f func(tx *Tx) error) (err error) {
	s.life.RLock()
	defer s.life.RUnlock()
	if s.closed {
		return errClosed
	}
	snap, done := s.snapshot()
	defer func() { err = errors.Join(err, done()) }()
	return f(&Tx{s: s, snap: snap})
}

func (s *Store) snapshot() (*pebble.Snapshot, func() error) {
	s.visible.RLock()
	defer s.visible.RUnlock()
	if s.frozen != nil {
		return s.frozen, func() error { return nil }
	}
	snap := s.db.NewSnapshot()
	return snap, snap.Close
}
