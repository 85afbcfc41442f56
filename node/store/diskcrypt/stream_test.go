package diskcrypt

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

var errDisk = errors.New("disk says no")

// recorder stands below the encryption. It sees every byte that is sent to the disk, and can fail a
// write before or after it took effect, or let half of it through.
type recorder struct {
	vfs.FS
	sent  [][]byte // by Write, in order; the content of a file from its header on
	fault func() fault
}

type fault int

const (
	none fault = iota
	failBefore
	failHalfway
	failAfter
	shortWrite
)

func (r *recorder) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := r.FS.Create(name, c)
	if err != nil {
		return nil, err
	}
	r.sent = append(r.sent, nil)
	return &recorded{File: f, r: r, i: len(r.sent) - 1}, nil
}

type recorded struct {
	vfs.File
	r *recorder
	i int
}

func (f *recorded) Write(p []byte) (int, error) {
	kind := f.r.fault()
	switch kind {
	case failBefore:
		return 0, errDisk
	case failHalfway, shortWrite:
		p = p[:len(p)/2]
	}
	f.r.sent[f.i] = append(f.r.sent[f.i], p...)
	n, err := f.File.Write(p)
	if kind == failHalfway || kind == failAfter {
		return n / 2, errors.Join(err, errDisk)
	}
	return n, err
}

// blocks fails the test if a block of the key stream was used twice. What is written is zeros, so
// what is sent is the key stream.
func (r *recorder) blocks(t *testing.T) (n int) {
	t.Helper()
	seen := map[[16]byte]int{}
	for i, sent := range r.sent {
		if len(sent) < headerSize {
			continue
		}
		for b := sent[headerSize:]; len(b) >= 16; b = b[16:] {
			block := [16]byte(b)
			if was, ok := seen[block]; ok {
				t.Fatalf("files %d and %d share key stream", was, i)
			}
			seen[block] = i
			n++
		}
	}
	return n
}

func TestNoKeyStreamIsUsedTwice(t *testing.T) {
	const seed = 7
	rng := rand.New(rand.NewPCG(seed, seed))
	r := &recorder{FS: vfs.NewMem(), fault: func() fault { return fault(max(0, rng.IntN(40)-35)) }}
	fs := New(r, countingKey())
	names := []string{"a", "b", "c", "d"}
	pick := func() string { return names[rng.IntN(len(names))] }
	var open []vfs.File
	failed := 0
	for range 5000 {
		switch rng.IntN(12) {
		case 0, 1:
			if f, err := fs.Create(pick(), vfs.WriteCategoryUnspecified); err == nil {
				open = append(open, f)
			}
		case 2, 3:
			if f, err := fs.ReuseForWrite(pick(), pick(), vfs.WriteCategoryUnspecified); err == nil {
				open = append(open, f)
			}
		case 4:
			if err := fs.Rename(pick(), pick()); err != nil && class(err) != "not there" {
				t.Fatal(err)
			}
		default:
			if len(open) == 0 {
				continue
			}
			// A file that failed is written to again, as a retry would.
			if _, err := open[rng.IntN(len(open))].Write(make([]byte, rng.IntN(200))); err != nil {
				failed++
			}
		}
	}
	if n := r.blocks(t); n < 10_000 || failed < 100 {
		t.Fatalf("%d blocks and %d failed writes: the test shows too little", n, failed)
	}
}

func TestAFileTakesNothingAfterAFailedWrite(t *testing.T) {
	for _, kind := range []fault{failBefore, failHalfway, failAfter, shortWrite} {
		next := none
		r := &recorder{FS: vfs.NewMem(), fault: func() fault { return next }}
		f, err := New(r, countingKey()).Create("a", vfs.WriteCategoryUnspecified)
		if err != nil {
			t.Fatal(err)
		}
		next = kind
		if _, err := f.Write(make([]byte, 100)); !errors.Is(err, errDisk) && !errors.Is(err, io.ErrShortWrite) {
			t.Errorf("fault %d: got %v, want the disk's error", kind, err)
		}
		next = none
		was := len(r.sent[0])
		if n, err := f.Write(make([]byte, 100)); n != 0 || err == nil {
			t.Errorf("fault %d: the next write gave %d, %v", kind, n, err)
		}
		if got := len(r.sent[0]); got != was {
			t.Errorf("fault %d: %d bytes reached the disk after the failure", kind, got-was)
		}
	}
}

func TestACreateWhoseHeaderFailsLeavesNoFile(t *testing.T) {
	mem := vfs.NewMem()
	fs := New(&recorder{FS: mem, fault: func() fault { return failHalfway }}, countingKey())
	if _, err := fs.Create("a", vfs.WriteCategoryUnspecified); !errors.Is(err, errDisk) {
		t.Errorf("got %v, want the disk's error", err)
	}
	if names, err := mem.List("/"); err != nil || len(names) != 0 {
		t.Errorf("left behind: %v, %v", names, err)
	}
}

func TestWritingOverIsRefused(t *testing.T) {
	fs := New(vfs.NewMem(), countingKey())
	f, err := fs.Create("a", vfs.WriteCategoryUnspecified)
	if err != nil {
		t.Fatal(err)
	}
	defer closing(t, f)
	if _, err := f.WriteAt([]byte("x"), 0); !errors.Is(err, vfs.ErrUnsupported) {
		t.Errorf("write at: got %v, want vfs.ErrUnsupported", err)
	}
	for _, name := range []string{"a", "new"} {
		if _, err := fs.OpenReadWrite(name, vfs.WriteCategoryUnspecified); !errors.Is(err, vfs.ErrUnsupported) {
			t.Errorf("open %s for reading and writing: got %v, want vfs.ErrUnsupported", name, err)
		}
	}
	if _, err := fs.Stat("new"); class(err) != "not there" {
		t.Errorf("the refused open left a file: %v", err)
	}
	r, err := fs.Open("a")
	if err != nil {
		t.Fatal(err)
	}
	defer closing(t, r)
	if _, err := r.Write([]byte("x")); err == nil {
		t.Error("a file that is open for reading took a write")
	}
}

func TestAFailedReadGivesNoBytes(t *testing.T) {
	mem := vfs.NewMem()
	f, err := New(mem, countingKey()).Create("a", vfs.WriteCategoryUnspecified)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(make([]byte, 1000)); err != nil {
		t.Fatal(err)
	}
	closing(t, f)
	for _, kind := range []errorfs.OpKind{errorfs.OpOpen, errorfs.OpFileRead, errorfs.OpFileStat, errorfs.OpFileReadAt} {
		fs := New(errorfs.Wrap(mem, errorfs.InjectorFunc(func(op errorfs.Op) error {
			if op.Kind == kind {
				return errDisk
			}
			return nil
		})), countingKey())
		g, err := fs.Open("a")
		if kind != errorfs.OpFileReadAt {
			if !errors.Is(err, errDisk) {
				t.Errorf("operation %d: opening gave %v, want the disk's error", kind, err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if n, err := g.ReadAt(make([]byte, 10), 0); n != 0 || !errors.Is(err, errDisk) {
			t.Errorf("read at: got %d, %v, want nothing and the disk's error", n, err)
		}
		closing(t, g)
	}
}

func TestTheKeyIsNotPrinted(t *testing.T) {
	fs := New(vfs.NewMem(), [32]byte(bytes.Repeat([]byte{0xab}, 32)))
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
		fmt.Fprintf(&out, verb+"\n", fs)
	}
	slog.New(slog.NewJSONHandler(&out, nil)).Info("json", "v", fs)
	slog.New(slog.NewTextHandler(&out, nil)).Info("text", "v", fs)
	for _, leak := range []string{"abab", "171 171", "171,171", "0xab"} {
		if strings.Contains(out.String(), leak) {
			t.Errorf("the key is printed: %s", out.String())
		}
	}
}
