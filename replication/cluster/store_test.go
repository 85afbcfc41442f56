package cluster

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/hashicorp/raft"
)

func journalAt(t testing.TB, dir string, fs vfs.FS) *journal {
	t.Helper()
	j, err := openJournal(dir, fs, complaints{slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return j
}

// onDisk opens the journal in dir for use and closes it after.
func onDisk(t *testing.T, dir string, use func(j *journal) error) {
	t.Helper()
	j := journalAt(t, dir, vfs.Default)
	if err := errors.Join(use(j), j.Close()); err != nil {
		t.Fatal(err)
	}
}

// entry is the entry number index, which tells of itself.
func entry(index, term uint64) *raft.Log {
	return &raft.Log{Index: index, Term: term, Type: raft.LogCommand, Data: fmt.Appendf(nil, "entry %d of term %d", index, term)}
}

func entries(first, last, term uint64) (list []*raft.Log) {
	for i := first; i <= last; i++ {
		list = append(list, entry(i, term))
	}
	return list
}

// wantLog checks that the log is exactly want.
func wantLog(t *testing.T, j *journal, want []*raft.Log) {
	t.Helper()
	var ends, wantEnds [2]uint64
	var errs [2]error
	ends[0], errs[0] = j.FirstIndex()
	ends[1], errs[1] = j.LastIndex()
	if len(want) > 0 {
		wantEnds = [2]uint64{want[0].Index, want[len(want)-1].Index}
	}
	if err := errors.Join(errs[:]...); err != nil || ends != wantEnds {
		t.Fatalf("ends of the log: got %v (%v), want %v", ends, err, wantEnds)
	}
	var got []*raft.Log
	for index := ends[0]; index != 0 && index <= ends[1]; index++ {
		var e raft.Log
		if err := j.GetLog(index, &e); err == nil {
			got = append(got, &e)
		} else if !errors.Is(err, raft.ErrLogNotFound) {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Fatalf("log (-want +got):\n%s", diff)
	}
}

// After an election a follower clears what the old leader had sent and nobody
// had committed. raft-wal 0.4.0 does not read its log again after that.
func TestALogWhoseEndWasCutOpensAgain(t *testing.T) {
	dir := t.TempDir()
	onDisk(t, dir, func(j *journal) error {
		return errors.Join(j.StoreLogs(entries(1, 9, 1)), j.DeleteRange(7, 9))
	})
	onDisk(t, dir, func(j *journal) error { return j.StoreLog(entry(7, 2)) })
	onDisk(t, dir, func(j *journal) error {
		wantLog(t, j, append(entries(1, 6, 1), entry(7, 2)))
		return nil
	})
}

func TestALogIsCutAtTheFrontAtTheEndAndWhole(t *testing.T) {
	dir := t.TempDir()
	steps := []struct {
		name string
		do   func(j *journal) error
		want []*raft.Log
	}{
		{"appended", func(j *journal) error { return j.StoreLogs(entries(1, 500, 1)) }, entries(1, 500, 1)},
		{"front", func(j *journal) error { return j.DeleteRange(1, 255) }, entries(256, 500, 1)},
		{"end", func(j *journal) error { return j.DeleteRange(258, 500) }, entries(256, 257, 1)},
		{"overwritten", func(j *journal) error { return j.StoreLogs(entries(257, 258, 2)) }, append(entries(256, 256, 1), entries(257, 258, 2)...)},
		{"nothing", func(j *journal) error { return j.DeleteRange(300, 400) }, append(entries(256, 256, 1), entries(257, 258, 2)...)},
		{"whole", func(j *journal) error { return j.DeleteRange(256, 258) }, nil},
		// Raft goes on behind a snapshot from another server, with a gap or without.
		{"again", func(j *journal) error { return j.StoreLogs(entries(1000, 1002, 3)) }, entries(1000, 1002, 3)},
		{"gap", func(j *journal) error { return j.StoreLogs(entries(2000, 2000, 3)) }, append(entries(1000, 1002, 3), entry(2000, 3))},
	}
	for _, step := range steps {
		t.Run(step.name, func(t *testing.T) {
			onDisk(t, dir, func(j *journal) error {
				err := step.do(j)
				wantLog(t, j, step.want)
				return err
			})
			onDisk(t, dir, func(j *journal) error {
				wantLog(t, j, step.want)
				return nil
			})
		})
	}
}

func TestVotesStayBesideTheLog(t *testing.T) {
	dir := t.TempDir()
	onDisk(t, dir, func(j *journal) error {
		if n, err := j.GetUint64([]byte("CurrentTerm")); n != 0 || err != nil {
			t.Errorf("before it was set: got %d, %v, want 0", n, err)
		}
		if b, err := j.Get([]byte("LastVoteCand")); len(b) != 0 || err != nil {
			t.Errorf("before it was set: got %q, %v, want nothing", b, err)
		}
		return errors.Join(
			j.SetUint64([]byte("CurrentTerm"), 6), j.SetUint64([]byte("CurrentTerm"), 7),
			j.Set([]byte("LastVoteCand"), []byte("server")), j.StoreLogs(entries(1, 3, 7)), j.DeleteRange(0, 1<<63),
		)
	})
	onDisk(t, dir, func(j *journal) error {
		if n, err := j.GetUint64([]byte("CurrentTerm")); n != 7 || err != nil {
			t.Errorf("term: got %d, %v, want 7", n, err)
		}
		if b, err := j.Get([]byte("LastVoteCand")); string(b) != "server" || err != nil {
			t.Errorf("vote: got %q, %v, want server", b, err)
		}
		if _, err := j.GetUint64([]byte("LastVoteCand")); err == nil {
			t.Error("a name was read as a number")
		}
		wantLog(t, j, nil)
		return nil
	})
}

// The journal refuses entries before it is full, and takes them again when there
// is room: nothing is lost in between, and old entries can be let go of.
func TestANearlyFullDiskTakesNoEntries(t *testing.T) {
	onDisk(t, t.TempDir(), func(j *journal) error {
		if err := j.StoreLogs(entries(1, 5, 1)); err != nil {
			return err
		}
		room := j.free
		j.free = func() (uint64, error) { return reserve - 1, nil }
		if err := j.StoreLog(entry(6, 1)); !errors.Is(err, errNoRoom) {
			t.Errorf("append: got %v, want %v", err, errNoRoom)
		}
		if err := j.SetUint64([]byte("CurrentTerm"), 2); err != nil {
			t.Errorf("raft ends the process where it cannot write its term: %v", err)
		}
		err := j.DeleteRange(1, 3)
		wantLog(t, j, entries(4, 5, 1))
		j.free = room
		return errors.Join(err, j.StoreLog(entry(6, 1)))
	})
}

func FuzzEntry(f *testing.F) {
	f.Add(appendEntry(nil, entry(1, 1)))
	f.Add(appendEntry(nil, &raft.Log{Type: raft.LogConfiguration, Extensions: []byte("x"), AppendedAt: time.Unix(1, 2)}))
	f.Add([]byte{entryFormat, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		parsed, err := parseEntry(1, slices.Clone(b))
		if err != nil {
			return
		}
		if got := appendEntry(nil, &parsed); string(got) != string(b) {
			t.Fatalf("got %x, want %x", got, b)
		}
	})
}
