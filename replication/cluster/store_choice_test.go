package cluster

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/hashicorp/raft"
	raftboltdb "github.com/hashicorp/raft-boltdb/v2"
	wal "github.com/hashicorp/raft-wal"
	"github.com/hashicorp/raft-wal/metadb"
)

// logStores opens each of the log stores that were weighed, in a folder.
func logStores(t testing.TB) map[string]func(dir string) (logStore, error) {
	return map[string]func(dir string) (logStore, error){
		"wal":    openWAL,
		"bolt":   func(dir string) (logStore, error) { return raftboltdb.NewBoltStore(filepath.Join(dir, "log.bolt")) },
		"pebble": func(dir string) (logStore, error) { return journalAt(t, dir, vfs.Default), nil },
	}
}

// walStore closes what raft-wal leaves open: the lock on its catalogue would
// keep the same process from opening the log again.
type walStore struct {
	*wal.WAL
	catalogue *metadb.BoltMetaDB
}

func openWAL(dir string) (logStore, error) {
	s := walStore{catalogue: &metadb.BoltMetaDB{}}
	var err error
	if s.WAL, err = wal.Open(dir, wal.WithMetaStore(s.catalogue)); err != nil {
		return nil, errors.Join(err, s.catalogue.Close())
	}
	return s, nil
}

func (s walStore) Close() error { return errors.Join(s.WAL.Close(), s.catalogue.Close()) }

// TestRaftWALLosesALogWhoseEndWasCut is why raft-wal is not our log store. It
// fails with the version that has been repaired, which is then worth weighing.
func TestRaftWALLosesALogWhoseEndWasCut(t *testing.T) {
	for name, open := range logStores(t) {
		dir := t.TempDir()
		reopen := func(change func(logStore) error) error {
			s, err := open(dir)
			if err != nil {
				return err
			}
			return errors.Join(change(s), s.Close())
		}
		err := errors.Join(
			reopen(func(s logStore) error { return errors.Join(s.StoreLogs(entries(1, 9, 1)), s.DeleteRange(7, 9)) }),
			reopen(func(s logStore) error { return s.StoreLog(entry(7, 2)) }),
			reopen(func(s logStore) error { return s.GetLog(1, &raft.Log{}) }),
		)
		lost := err != nil && strings.Contains(err.Error(), "no index block")
		if want := name == "wal"; lost != want || (err != nil && !lost) {
			t.Errorf("%s: got %v, want lost %v", name, err, want)
		}
	}
}
