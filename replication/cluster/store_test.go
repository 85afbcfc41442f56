package cluster

import (
	"errors"
	"testing"

	"github.com/hashicorp/raft"
)

// After an election a follower clears what the old leader had sent and nobody
// had committed. One log store did not open again after that.
func TestALogWhoseEndWasCutOpensAgain(t *testing.T) {
	folder, err := Claim(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := folder.Release(); err != nil {
			t.Error(err)
		}
	}()
	reopen := func(change func(raft.LogStore) error) {
		t.Helper()
		log, err := openLog(folder)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(change(log), log.Close()); err != nil {
			t.Fatal(err)
		}
	}
	reopen(func(log raft.LogStore) error {
		for i := range uint64(9) {
			if err := log.StoreLog(&raft.Log{Index: i + 1, Term: 1, Data: []byte{byte(i + 1)}}); err != nil {
				return err
			}
		}
		return log.DeleteRange(7, 9)
	})
	reopen(func(log raft.LogStore) error {
		return log.StoreLog(&raft.Log{Index: 7, Term: 2, Data: []byte{99}})
	})
	reopen(func(log raft.LogStore) error {
		for i, want := range []byte{1, 2, 3, 4, 5, 6, 99} {
			var got raft.Log
			if err := log.GetLog(uint64(i+1), &got); err != nil {
				return err
			}
			if len(got.Data) != 1 || got.Data[0] != want {
				t.Errorf("entry %d: got %v, want %d", i+1, got.Data, want)
			}
		}
		last, err := log.LastIndex()
		if last != 7 {
			t.Errorf("last entry: got %d, want 7", last)
		}
		return err
	})
}
