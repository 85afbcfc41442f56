package cluster

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/hashicorp/raft"
)

// appendingIn tells this test's own child where to append.
const appendingIn = "INTERLOCK_APPENDING_IN"

// A process that is killed while it appends leaves every entry that it was
// told of, and after them at most the batch that it was writing.
func TestAProcessKilledWhileAppendingLosesNothing(t *testing.T) {
	if dir := os.Getenv(appendingIn); dir != "" {
		appendUntilKilled(t, dir)
	}
	dir := t.TempDir()
	acknowledged := uint64(0)
	for round := range 6 {
		acknowledged = killWhileAppending(t, dir, 30+20*round)
		onDisk(t, dir, func(j *journal) error {
			last, err := j.LastIndex()
			if last < acknowledged || last > acknowledged+64 {
				t.Fatalf("last entry: got %d, want %d and what was under way", last, acknowledged)
			}
			wantLog(t, j, entries(1, last, 1))
			return err
		})
	}
	if acknowledged < 6*30 {
		t.Fatalf("only %d entries were appended", acknowledged)
	}
}

// killWhileAppending returns the last entry of which a child said that it is
// on the disk, killed some time after it had said so of some batches.
func killWhileAppending(t *testing.T, dir string, batches int) (last uint64) {
	t.Helper()
	child := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
	child.Env = append(os.Environ(), appendingIn+"="+dir)
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	said := bufio.NewScanner(out)
	for n := 0; said.Scan(); n++ {
		if n == batches {
			if err := child.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
		if last, err = strconv.ParseUint(strings.TrimSpace(said.Text()), 10, 64); err != nil {
			t.Fatalf("child: %q", said.Text())
		}
	}
	var exit *exec.ExitError
	if err := child.Wait(); !errors.As(err, &exit) || exit.Exited() {
		t.Fatalf("child: got %v, want killed", err)
	}
	return last
}

func appendUntilKilled(t *testing.T, dir string) {
	j := journalAt(t, dir, vfs.Default)
	for {
		last, err := j.LastIndex()
		if err != nil {
			t.Fatal(err)
		}
		size := last%7 + 1 // batches of several sizes
		if err := j.StoreLogs(entries(last+1, last+size, 1)); err != nil {
			t.Fatal(err)
		}
		fmt.Println(last + size)
	}
}

// A machine that loses power loses what was not synced: nothing that was
// acknowledged is among it.
func TestAPowerCutLosesNothing(t *testing.T) {
	disk := vfs.NewCrashableMem()
	j := journalAt(t, "log", disk)
	check := func(want []*raft.Log, term uint64) {
		t.Helper()
		after := journalAt(t, "log", disk.CrashClone(vfs.CrashCloneCfg{}))
		wantLog(t, after, want)
		if got, err := after.GetUint64([]byte("CurrentTerm")); got != term || err != nil {
			t.Fatalf("term: got %d, %v, want %d", got, err, term)
		}
		if err := after.Close(); err != nil {
			t.Fatal(err)
		}
	}
	var want []*raft.Log
	for term := uint64(1); term <= 20; term++ {
		if err := j.SetUint64([]byte("CurrentTerm"), term); err != nil {
			t.Fatal(err)
		}
		check(want, term)
		more := entries(term*5-4, term*5, term)
		if err := j.StoreLogs(more); err != nil {
			t.Fatal(err)
		}
		want = append(want, more...)
		check(want, term)
		if err := j.DeleteRange(term*5, term*5); err != nil {
			t.Fatal(err)
		}
		last := entry(term*5, term+100)
		want[len(want)-1] = last
		check(want[:len(want)-1], term)
		if err := j.StoreLog(last); err != nil {
			t.Fatal(err)
		}
	}
	check(want, 20)
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
}

// A file whose last bytes never reached the disk opens, and what is missing is
// missing at the end.
func TestALogWithATornTailKeepsWhatIsBeforeIt(t *testing.T) {
	dir := t.TempDir()
	j := journalAt(t, dir, vfs.Default)
	want := entries(1, 40, 1)
	for _, e := range want {
		if err := j.StoreLog(e); err != nil {
			t.Fatal(err)
		}
	}
	for _, cut := range []int64{1, 3, 12, 40, 200, 1000} {
		torn := t.TempDir()
		if err := os.CopyFS(torn, os.DirFS(dir)); err != nil {
			t.Fatal(err)
		}
		newest := newestLog(t, torn)
		info, err := os.Stat(newest)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(newest, info.Size()-cut); err != nil {
			t.Fatal(err)
		}
		onDisk(t, torn, func(j *journal) error {
			last, err := j.LastIndex()
			if last < 1 || last >= 40 || last < uint64(40-cut/50-1) {
				t.Errorf("%d bytes cut: the last entry is %d", cut, last)
			}
			wantLog(t, j, want[:last])
			return errors.Join(err, j.StoreLog(entry(last+1, 2)))
		})
		onDisk(t, torn, func(j *journal) error {
			last, err := j.LastIndex()
			wantLog(t, j, append(slices.Clone(want[:last-1]), entry(last, 2)))
			return err
		})
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
}

func newestLog(t *testing.T, dir string) string {
	t.Helper()
	logs, err := filepath.Glob(filepath.Join(dir, "*.log"))
	if err != nil || len(logs) == 0 {
		t.Fatalf("log files: %v, %v", logs, err)
	}
	return slices.Max(logs)
}
