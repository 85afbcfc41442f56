package probes

import (
	"context"
	"encoding/binary"
	"errors"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/objstorage/objstorageprovider"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"

	"interlock/crypto/token"
)

// openBare opens Pebble as it is, with the cache and the filters of a node's
// store, and gets one tag after the other.
func openBare(t testing.TB, tags []token.Tag) probe {
	t.Helper()
	cache := pebble.NewCache(64 << 20)
	defer cache.Unref()
	o := &pebble.Options{Cache: cache, FormatMajorVersion: pebble.FormatNewest, Logger: silent{}}
	for i := range o.Levels {
		o.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
	}
	o.EnsureDefaults()
	dir := t.TempDir()
	db, err := pebble.Open(filepath.Join(dir, "db"), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := db.Ingest(context.Background(), tables(t, dir, tags, o.MakeWriterOptions(0, db.TableFormat()))); err != nil {
		t.Fatal(err)
	}
	return func(t testing.TB, tags []token.Tag, found []uint64) {
		for i := range tags {
			v, closer, err := db.Get(tags[i][:])
			if errors.Is(err, pebble.ErrNotFound) {
				found[i] = 0
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			found[i] = binary.BigEndian.Uint64(v)
			if err := closer.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// tables writes the tags to files that Pebble takes as they are.
func tables(t testing.TB, dir string, tags []token.Tag, o sstable.WriterOptions) (paths []string) {
	t.Helper()
	const each = 1 << 20 // about 25 MB
	for from := 0; from < len(tags); from += each {
		path := filepath.Join(dir, strconv.Itoa(from))
		f, err := vfs.Default.Create(path, vfs.WriteCategoryUnspecified)
		if err != nil {
			t.Fatal(err)
		}
		w := sstable.NewWriter(objstorageprovider.NewFileWritable(f), o)
		for i := from; i < min(from+each, len(tags)); i++ {
			if err := w.Set(tags[i][:], binary.BigEndian.AppendUint64(nil, uint64(i+1))); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		paths = append(paths, path)
	}
	return paths
}

// silent is a log that only ends the program.
type silent struct{}

func (silent) Infof(string, ...any)              {}
func (silent) Errorf(string, ...any)             {}
func (silent) Fatalf(format string, args ...any) { pebble.DefaultLogger.Fatalf(format, args...) }
