package diskcrypt

import (
	"bytes"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// crashed writes data in pieces, syncs some of them, and returns what a crash leaves of the file,
// with how much of it was synced.
func crashed(t *testing.T, rng *rand.Rand, data []byte) (left []byte, synced int, fs vfs.FS) {
	t.Helper()
	mem := vfs.NewCrashableMem()
	f, err := New(mem, countingKey()).Create("a", vfs.WriteCategoryUnspecified)
	if err != nil {
		t.Fatal(err)
	}
	root, err := mem.OpenDir("/")
	if err != nil {
		t.Fatal(err)
	}
	if err := root.Sync(); err != nil {
		t.Fatal(err)
	}
	for at := 0; at < len(data); {
		n := min(rng.IntN(5000)+1, len(data)-at)
		if _, err := f.Write(bytes.Clone(data[at : at+n])); err != nil {
			t.Fatal(err)
		}
		at += n
		if rng.IntN(8) == 0 {
			if err := f.Sync(); err != nil {
				t.Fatal(err)
			}
			synced = at
		}
	}
	fs = New(mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 50, RNG: rng}), countingKey())
	g, err := fs.Open("a")
	if err != nil {
		t.Fatal(err)
	}
	defer closing(t, g)
	if left, err = io.ReadAll(g); err != nil {
		t.Fatal(err)
	}
	if info, err := fs.Stat("a"); err != nil || info.Size() != int64(len(left)) {
		t.Errorf("size: got %d, %v, want %d", info.Size(), err, len(left))
	}
	return left, synced, fs
}

func TestWhatACrashLosesReadsAsZerosAndNothingSyncedIsLost(t *testing.T) {
	holes, headers := 0, 0
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 0))
		data := make([]byte, rng.IntN(60_000))
		for i := range data {
			data[i] = byte(rng.IntN(255)) + 1
		}
		left, synced, _ := crashed(t, rng, data)
		if len(left) < synced || !bytes.Equal(left[:synced], data[:synced]) {
			t.Fatalf("seed %d: what was synced is lost", seed)
		}
		if len(left) > 0 && isZero(left) {
			headers++
		}
		for i := synced; i < len(left); i++ {
			switch {
			case left[i] == data[i], i/16 == synced/16:
			case left[i] == 0:
				holes++
			default:
				t.Fatalf("seed %d: byte %d is neither what was written nor zero (%d synced)", seed, i, synced)
			}
		}
	}
	if holes < 100_000 || headers < 10 {
		t.Fatalf("%d bytes lost and %d headers: the test shows too little", holes, headers)
	}
}

func TestAHoleReadsTheSameThroughEveryWindow(t *testing.T) {
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 1))
		want, _, fs := crashed(t, rng, bytes.Repeat([]byte{1}, 30_000+rng.IntN(100)))
		f, err := fs.Open("a")
		if err != nil {
			t.Fatal(err)
		}
		for range 2000 {
			offset := rng.IntN(len(want) + 1)
			p := make([]byte, rng.IntN(70))
			n, err := f.ReadAt(p, int64(offset))
			if err != nil && err != io.EOF {
				t.Fatal(err)
			}
			if !bytes.Equal(p[:n], want[offset:offset+n]) {
				t.Fatalf("seed %d: %d bytes at %d differ from the whole", seed, n, offset)
			}
		}
		closing(t, f)
	}
}

// A file system that lengthened the file, but never got the data, leaves zeros at its end.
func TestAHoleAtTheEndReadsAsZerosToTheLastByte(t *testing.T) {
	mem := vfs.NewMem()
	fs := New(mem, countingKey())
	f, err := fs.Create("a", vfs.WriteCategoryUnspecified)
	if err != nil {
		t.Fatal(err)
	}
	want := bytes.Repeat([]byte{'x'}, 160)
	if _, err := f.Write(bytes.Clone(want)); err != nil {
		t.Fatal(err)
	}
	closing(t, f)
	raw, err := mem.OpenReadWrite("a", vfs.WriteCategoryUnspecified)
	if err != nil {
		t.Fatal(err)
	}
	for n := range 100 {
		if _, err := raw.WriteAt([]byte{0}, int64(headerSize+len(want)+n)); err != nil {
			t.Fatal(err)
		}
	}
	closing(t, raw)
	want = append(want, make([]byte, 100)...) // six blocks of the cipher and four bytes
	g, err := fs.Open("a")
	if err != nil {
		t.Fatal(err)
	}
	defer closing(t, g)
	for from := range len(want) {
		got := make([]byte, len(want)-from)
		if _, err := g.ReadAt(got, int64(from)); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want[from:]) {
			t.Fatalf("from byte %d: got %q, want %q", from, got, want[from:])
		}
	}
}

// Ciphertext that shows only zeros through a small window is common, and is no hole.
func TestZerosOfTheCiphertextAreNotTakenForHoles(t *testing.T) {
	fs := New(vfs.NewMem(), countingKey())
	f, err := fs.Create("a", vfs.WriteCategoryUnspecified)
	if err != nil {
		t.Fatal(err)
	}
	want := make([]byte, 100_003)
	for i := range want {
		want[i] = byte(i*7) | 1
	}
	if _, err := f.Write(bytes.Clone(want)); err != nil {
		t.Fatal(err)
	}
	for i := range want { // about 390 of these bytes are zero on the disk
		var p [1]byte
		if _, err := f.ReadAt(p[:], int64(i)); err != nil {
			t.Fatal(err)
		}
		if p[0] != want[i] {
			t.Fatalf("byte %d: got %d, want %d", i, p[0], want[i])
		}
	}
	closing(t, f)
}

// The last byte of one file in 256 is zero on the disk.
func TestTheLastBytesOfAFileAreNotTakenForAHole(t *testing.T) {
	mem := vfs.NewMem()
	fs, zeros := New(mem, countingKey()), 0
	for i := range 4000 {
		want := bytes.Repeat([]byte{'x'}, []int{1, 17, 33, 2}[i%4])
		f, err := fs.Create("a", vfs.WriteCategoryUnspecified)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write(bytes.Clone(want)); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, len(want))
		if _, err := f.ReadAt(got, 0); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Fatalf("got %q, want %q", got, want)
		}
		closing(t, f)
		if raw, err := mem.UnsafeGetFileDataBuffer("a"); err != nil || raw[len(raw)-1] == 0 {
			zeros++
		}
	}
	if zeros < 4 {
		t.Fatalf("%d files end in a zero: the test shows too little", zeros)
	}
}
