package diskcrypt

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/objstorage/objstorageprovider"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/sstable/block"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/google/go-cmp/cmp"
)

// silent takes Pebble's log, which is not what is tested. A fatal error fails the test.
type silent struct{ t testing.TB }

func (silent) Infof(string, ...any)  {}
func (silent) Errorf(string, ...any) {}
func (s silent) Fatalf(format string, args ...any) {
	panic(fmt.Sprintf("pebble: "+format, args...))
}

// options make Pebble flush, compact and change its log often.
func options(t testing.TB, fs vfs.FS) *pebble.Options {
	o := &pebble.Options{
		FS: fs, Logger: silent{t}, FormatMajorVersion: pebble.FormatNewest,
		MemTableSize: 64 << 10, L0CompactionThreshold: 2, LBaseMaxBytes: 256 << 10,
	}
	for i := range o.Levels {
		o.Levels[i].Compression = func() *sstable.CompressionProfile { return block.NoCompression }
	}
	return o
}

func openDB(t testing.TB, fs vfs.FS, dir string) *pebble.DB {
	t.Helper()
	db, err := pebble.Open(dir, options(t, fs))
	if err != nil {
		t.Fatal(err)
	}
	return db
}

func set(t testing.TB, db *pebble.DB, key, value string, o *pebble.WriteOptions) {
	t.Helper()
	if err := db.Set([]byte(key), []byte(value), o); err != nil {
		t.Fatal(err)
	}
}

// all is what the database holds.
func all(t testing.TB, db *pebble.DB) map[string]string {
	t.Helper()
	it, err := db.NewIter(nil)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for it.First(); it.Valid(); it.Next() {
		out[string(it.Key())] = string(it.Value())
	}
	if err := it.Close(); err != nil {
		t.Fatal(err)
	}
	return out
}

// reuses counts what Pebble asks of the file system above the encryption.
type reuses struct {
	vfs.FS
	n *atomic.Int32
}

func (r reuses) ReuseForWrite(oldname, newname string, c vfs.DiskWriteCategory) (vfs.File, error) {
	r.n.Add(1)
	return r.FS.ReuseForWrite(oldname, newname, c)
}

func TestAStoreKeepsWhatWasSyncedThroughCrashes(t *testing.T) {
	var recycled atomic.Int32
	for seed := range uint64(12) {
		rng := rand.New(rand.NewPCG(seed, 2))
		mem := vfs.NewCrashableMem()
		acknowledged := map[string]string{}
		for life := range 5 {
			db := openDB(t, reuses{New(mem, countingKey()), &recycled}, "db")
			if diff := cmp.Diff(acknowledged, all(t, db)); diff != "" {
				t.Fatalf("seed %d, life %d (-acknowledged +found):\n%.2000s", seed, life, diff)
			}
			for i := range 200 + rng.IntN(400) {
				key := fmt.Sprintf("key-%03d", rng.IntN(400))
				value := strings.Repeat(fmt.Sprintf("%d/%d/%d ", seed, life, i), 1+rng.IntN(100))
				set(t, db, key, value, pebble.Sync)
				acknowledged[key] = value
			}
			after := mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rng.IntN(101), RNG: rng})
			closing(t, db)
			mem = after
		}
	}
	if recycled.Load() < 20 {
		t.Fatalf("Pebble recycled its log %d times: the test shows too little", recycled.Load())
	}
}

func TestAStoreOnDiskSurvivesALossOfPower(t *testing.T) {
	live, copied := filepath.Join(t.TempDir(), "live"), filepath.Join(t.TempDir(), "copied")
	want := map[string]string{}
	db := openDB(t, New(vfs.Default, countingKey()), live)
	for i := range 500 {
		key, value := fmt.Sprintf("key-%03d", i), strings.Repeat("v", i)
		set(t, db, key, value, pebble.Sync)
		want[key] = value
	}
	// The files as they lie there while the database is open are what a kill leaves.
	if _, err := vfs.Clone(vfs.Default, vfs.Default, live, copied); err != nil {
		t.Fatal(err)
	}
	closing(t, db)
	for _, dir := range []string{live, copied} {
		db := openDB(t, New(vfs.Default, countingKey()), dir)
		if diff := cmp.Diff(want, all(t, db)); diff != "" {
			t.Errorf("%s (-want +got):\n%.2000s", filepath.Base(dir), diff)
		}
		closing(t, db)
	}
}

// snapshot is every file of a folder with its bytes.
func snapshot(t testing.TB, dir string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		out[e.Name()] = string(data)
	}
	return out
}

func TestAWrongKeyIsNamedBeforeAnythingIsWritten(t *testing.T) {
	crypt, bare := filepath.Join(t.TempDir(), "crypt"), filepath.Join(t.TempDir(), "bare")
	for dir, fs := range map[string]vfs.FS{crypt: New(vfs.Default, countingKey()), bare: vfs.Default} {
		db := openDB(t, fs, dir)
		set(t, db, "key", "value", pebble.Sync)
		closing(t, db)
	}
	for name, c := range map[string]struct {
		dir  string
		fs   vfs.FS
		want error
	}{
		"another key":       {crypt, New(vfs.Default, [32]byte{1}), ErrWrongKey},
		"unencrypted store": {bare, New(vfs.Default, countingKey()), ErrNotEncrypted},
	} {
		before := snapshot(t, c.dir)
		db, err := pebble.Open(c.dir, options(t, c.fs))
		if err == nil {
			closing(t, db)
		}
		if !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
		if diff := cmp.Diff(before, snapshot(t, c.dir)); diff != "" {
			t.Errorf("%s: the folder changed:\n%s", name, diff)
		}
	}
	db := openDB(t, New(vfs.Default, countingKey()), crypt)
	if diff := cmp.Diff(map[string]string{"key": "value"}, all(t, db)); diff != "" {
		t.Error(diff)
	}
	closing(t, db)
}

// spread writes marked keys and values, and calls look when they are in the log, in new tables and
// in compacted ones.
func spread(t *testing.T, fs vfs.FS, look func(phase string)) {
	t.Helper()
	db := openDB(t, fs, "db")
	for i := range 50 {
		set(t, db, fmt.Sprintf("markedkey-%03d", i), strings.Repeat("markedvalue ", 20), pebble.Sync)
	}
	look("log")
	if err := db.Flush(); err != nil {
		t.Fatal(err)
	}
	look("flush")
	for i := range 200 {
		set(t, db, fmt.Sprintf("markedkey-%03d", i), strings.Repeat("markedvalue ", 100), pebble.NoSync)
	}
	if err := db.Compact(t.Context(), []byte("a"), []byte("z"), false); err != nil {
		t.Fatal(err)
	}
	look("compaction")
	if err := db.Checkpoint("checkpoint", pebble.WithFlushedWAL()); err != nil {
		t.Fatal(err)
	}
	closing(t, db)
	look("close")
}

// grep counts the files of mem that hold the text, in their bytes or name, by kind.
func grep(t *testing.T, mem *vfs.MemFS, text string) map[string]int {
	t.Helper()
	found := map[string]int{}
	for _, dir := range []string{"db", "checkpoint"} {
		names, err := mem.List(dir)
		if err != nil && class(err) != "not there" {
			t.Fatal(err)
		}
		for _, name := range names {
			f, err := mem.Open(dir + "/" + name)
			if class(err) == "not there" {
				continue // Pebble removed it meanwhile
			}
			if err != nil {
				t.Fatal(err)
			}
			data, err := io.ReadAll(f)
			if err := errors.Join(err, f.Close()); err != nil {
				t.Fatal(err)
			}
			if bytes.Contains(data, []byte(text)) || strings.Contains(name, text) {
				found[strings.TrimLeft(filepath.Ext(name), ".")]++
			}
		}
	}
	return found
}

func TestNothingOfTheContentLiesOnTheDisk(t *testing.T) {
	marks := []string{"markedkey", "markedvalue", "leveldb.BytewiseComparator", "[Version]", "rocksdb"}
	bare, crypt := vfs.NewMem(), vfs.NewMem()
	shown := map[string]bool{}
	spread(t, bare, func(phase string) {
		for _, m := range marks {
			for kind := range grep(t, bare, m) {
				shown[phase+"/"+kind] = true
			}
		}
	})
	for _, want := range []string{"log/log", "flush/sst", "compaction/sst"} {
		if !shown[want] {
			t.Errorf("without encryption no mark is seen in %s: the test shows nothing", want)
		}
	}
	spread(t, New(crypt, countingKey()), func(phase string) {
		for _, m := range marks {
			if found := grep(t, crypt, m); len(found) != 0 {
				t.Errorf("after %s, %q is readable in %v", phase, m, found)
			}
		}
	})
}

func TestCheckpointsAndIngestedTablesStayEncryptedAndReadable(t *testing.T) {
	mem := vfs.NewMem()
	fs := New(mem, countingKey())
	db := openDB(t, fs, "db")
	set(t, db, "a", "set", pebble.Sync)
	f, err := fs.Create("table", vfs.WriteCategoryUnspecified)
	if err != nil {
		t.Fatal(err)
	}
	w := sstable.NewWriter(objstorageprovider.NewFileWritable(f), sstable.WriterOptions{TableFormat: db.TableFormat()})
	if err := errors.Join(w.Set([]byte("b"), []byte("ingested")), w.Close()); err != nil {
		t.Fatal(err)
	}
	if err := db.Ingest(t.Context(), []string{"table"}); err != nil {
		t.Fatal(err)
	}
	if err := db.Checkpoint("checkpoint", pebble.WithFlushedWAL()); err != nil {
		t.Fatal(err)
	}
	closing(t, db)
	want := map[string]string{"a": "set", "b": "ingested"}
	for _, dir := range []string{"db", "checkpoint"} {
		db := openDB(t, fs, dir)
		if diff := cmp.Diff(want, all(t, db)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", dir, diff)
		}
		closing(t, db)
	}
	if found := grep(t, mem, "ingested"); len(found) != 0 {
		t.Errorf("the ingested value is readable in %v", found)
	}
}

// faulty fails operations on table files and on reads at random while on is set. Pebble ends the
// process when its log cannot be written, so the log is left alone.
func faulty(base vfs.FS, rng func(n int) int, on *atomic.Bool, hits *atomic.Int32) vfs.FS {
	kinds := []errorfs.OpKind{errorfs.OpCreate, errorfs.OpFileWrite, errorfs.OpFileSync, errorfs.OpFileSyncData, errorfs.OpOpen, errorfs.OpFileReadAt}
	return errorfs.Wrap(base, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if !on.Load() || !strings.HasSuffix(op.Path, ".sst") || !slices.Contains(kinds, op.Kind) || rng(20) != 0 {
			return nil
		}
		hits.Add(1)
		return errDisk
	}))
}

func TestFailuresOfTheDiskDoNotCorruptTheStore(t *testing.T) {
	var hits atomic.Int32
	for seed := range uint64(6) {
		mem := vfs.NewMem()
		var on atomic.Bool
		// One source for Pebble's goroutines, which draw in no order that a seed could fix.
		fs := New(faulty(mem, rand.IntN, &on, &hits), countingKey())
		rng := rand.New(rand.NewPCG(seed, 3))
		db, want := openDB(t, fs, "db"), map[string]string{}
		on.Store(true)
		for i := range 600 {
			key, value := fmt.Sprintf("key-%03d", rng.IntN(300)), strings.Repeat(fmt.Sprintf("%d ", i), 1+rng.IntN(200))
			set(t, db, key, value, pebble.NoSync)
			want[key] = value
			probe := fmt.Sprintf("key-%03d", rng.IntN(300))
			got, closer, err := db.Get([]byte(probe))
			if err != nil {
				continue // absent, or the disk said no
			}
			if string(got) != want[probe] {
				t.Fatalf("seed %d: %s reads wrong under failures", seed, probe)
			}
			closing(t, closer)
		}
		on.Store(false)
		closing(t, db)
		db = openDB(t, fs, "db")
		if diff := cmp.Diff(want, all(t, db)); diff != "" {
			t.Errorf("seed %d (-want +got):\n%.2000s", seed, diff)
		}
		closing(t, db)
	}
	if hits.Load() < 20 {
		t.Fatalf("%d failures: the test shows too little", hits.Load())
	}
}
