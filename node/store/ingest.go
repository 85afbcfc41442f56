package store

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/cockroachdb/errors/oserror"
	"github.com/cockroachdb/pebble/v2/objstorage/objstorageprovider"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"

	"interlock/crypto/token"
	"interlock/node/casefile"
	"interlock/protocol/directory"
)

// Expectation is that a tag stands for an identifier of ours.
type Expectation struct {
	Tag token.Tag
	ID  casefile.IdentifierID
}

// IngestExpected is Expect for many tags of one author, in any order, as when a
// member joins: it builds files of rows on two processors, which the database takes
// as they are. Then it calls with in the writing transaction, whose error abandons
// all of it; what with writes is on the disk when IngestExpected returns. After a
// crash all is to be done again if what with wrote is not there, which changes
// nothing else.
func (s *Store) IngestExpected(author directory.AgencyID, e token.Epoch, list []Expectation, with func(tx *Tx) error) (err error) {
	var n uint32
	err = s.Update(func(tx *Tx) (err error) {
		n, err = tx.giveAuthor(author)
		return err
	})
	if err != nil {
		return err
	}
	if len(list) == 0 {
		return s.Update(with)
	}
	s.building.Lock()
	defer s.building.Unlock()
	defer func() { err = errors.Join(err, s.removeBuilt()) }()
	built, err := s.build(parts(n, e, list))
	if err != nil {
		return fmt.Errorf("build rows expected of %s: %w", author, err)
	}
	return s.update(reserve, with, built)
}

// builtPrefix begins the names of files that are built to be taken.
const builtPrefix = "built-"

// removeBuilt removes files that were built and not taken.
func (s *Store) removeBuilt() error {
	names, err := s.opts.FS.List(s.dir)
	if err != nil {
		return fmt.Errorf("remove built files: %w", err)
	}
	var errs []error
	for _, name := range names {
		if !strings.HasPrefix(name, builtPrefix) {
			continue
		}
		if err := s.opts.FS.Remove(s.opts.FS.PathJoin(s.dir, name)); err != nil && !oserror.IsNotExist(err) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// inOneFile is about how many rows are built into one file, some 16 MB.
const inOneFile = 1 << 20

// parts are the rows of a list by the first bits of their tags: two parts at least,
// which do not overlap.
func parts(author uint32, e token.Epoch, list []Expectation) [][]reference {
	bits := 1
	for len(list)>>bits > inOneFile && bits < 16 {
		bits++
	}
	out := make([][]reference, 1<<bits)
	for i := range out {
		out[i] = make([]reference, 0, len(list)>>bits+len(list)>>(bits+4))
	}
	for _, x := range list {
		at := (int(x.Tag[0])<<8 | int(x.Tag[1])) >> (16 - bits)
		out[at] = append(out[at], reference{keyOfTag(tableExpected, author, e, x.Tag), ref{number: uint64(x.ID)}})
	}
	return slices.DeleteFunc(out, func(p []reference) bool { return len(p) == 0 })
}

// build writes each part to a file, two at a time.
func (s *Store) build(parts [][]reference) ([]string, error) {
	paths, errs := make([]string, len(parts)), make([]error, len(parts))
	for i := range parts {
		paths[i] = s.opts.FS.PathJoin(s.dir, fmt.Sprintf("%s%d", builtPrefix, i))
	}
	var two sync.WaitGroup
	for first := range min(2, len(parts)) {
		two.Go(func() {
			for i := first; i < len(parts); i += 2 {
				errs[i] = s.buildFile(paths[i], parts[i])
			}
		})
	}
	two.Wait()
	return paths, errors.Join(errs...)
}

// buildFile writes rows, which it sorts, to a file that is on the disk afterwards.
func (s *Store) buildFile(path string, rows []reference) (err error) {
	slices.SortFunc(rows, func(a, b reference) int {
		return cmp.Or(slices.Compare(a.tagKey[:], b.tagKey[:]), cmp.Compare(a.number, b.number))
	})
	rows = slices.Compact(rows)
	f, err := s.opts.FS.Create(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	w := sstable.NewWriter(objstorageprovider.NewFileWritable(f), s.opts.MakeWriterOptions(0, s.db.TableFormat()))
	defer func() { err = errors.Join(err, w.Close()) }()
	var v []byte
	for i := 0; i < len(rows); {
		k := rows[i].tagKey
		for v = v[:0]; i < len(rows) && rows[i].tagKey == k; i++ {
			v = rows[i].append(tableExpected, v)
		}
		if err := w.Merge(k[:], v); err != nil {
			return err
		}
	}
	return nil
}
