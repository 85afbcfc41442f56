package centre

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"interlock/crypto/vault"
	"interlock/protocol/directory"
	"interlock/protocol/wire"
)

func TestAFoundedNetworkIsWhole(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "net")
	network, err := Rehearse(rehearsal(t, dir, 3))
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(dir, networkFile))
	if err != nil {
		t.Fatal(err)
	}
	pinned, err := directory.ParseNetwork(b)
	if err != nil {
		t.Fatal(err)
	}
	if pinned.Genesis != network.Genesis || len(pinned.Servers) != 3 {
		t.Fatalf("network file: got %+v", pinned)
	}
	for i := range 3 {
		c, err := Load(filepath.Join(serverDir(dir, i), configFile))
		if err != nil {
			t.Fatal(err)
		}
		lock, err := c.Lock()
		if err != nil {
			t.Fatal(err)
		}
		s, err := c.open(lock)
		if err != nil {
			t.Fatal(err)
		}
		if s.foundation.Hash != network.Genesis || wire.PeerOf(s.keys.Signing) != pinned.Servers[i].Key {
			t.Fatalf("server %d is of another network, or another server", i+1)
		}
		s.destroy()
	}
	entries, err := os.ReadDir(filepath.Dir(dir))
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 1 {
		t.Fatalf("got %d entries beside the network, want none", len(entries)-1)
	}
}

func TestNothingFoundedIsOpenToOthers(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "net")
	if _, err := Rehearse(rehearsal(t, dir, 3)); err != nil {
		t.Fatal(err)
	}
	public := map[string]bool{networkFile: true, genesisFile: true, cardFile: true}
	for _, name := range operatorNames {
		public[name+cardExt] = true
	}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || public[filepath.Base(path)] {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: mode %04o", path, info.Mode().Perm())
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestAFoundingThatCannotBeLeavesNothing(t *testing.T) {
	rows := []struct {
		name, want string
		change     func(f *Rehearsal)
	}{
		{"no name", "name", func(f *Rehearsal) { f.Name = "" }},
		{"no servers", "servers", func(f *Rehearsal) { f.Servers = nil }},
		{"a threshold out of reach", "threshold 4", func(f *Rehearsal) { f.Threshold = 4 }},
		{"one operator", "2 operators", func(f *Rehearsal) { f.Operators = f.Operators[:1] }},
		{"an operator's name that is a path", `"../alice"`, func(f *Rehearsal) { f.Operators[0] = "../alice" }},
		{"one operator twice", "alice", func(f *Rehearsal) { f.Operators[1] = f.Operators[0] }},
		{"an address that is none", "Server 2", func(f *Rehearsal) { f.Servers[1].Listen = []string{"localhost:4001"} }},
		{"a server without an address", "Server 3", func(f *Rehearsal) { f.Servers[2].Listen = nil }},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			parent := t.TempDir()
			f := rehearsal(t, filepath.Join(parent, "net"), 3)
			f.Operators = append([]string{}, f.Operators...)
			row.change(&f)
			if _, err := Rehearse(f); err == nil || !strings.Contains(err.Error(), row.want) {
				t.Fatalf("got %v, want an error about %q", err, row.want)
			}
			if entries, err := os.ReadDir(parent); err != nil || len(entries) != 0 {
				t.Fatalf("left behind: %v, %v", entries, err)
			}
		})
	}
}

func TestANetworkIsNotFoundedOverAnother(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "net")
	if _, err := Rehearse(rehearsal(t, dir, 3)); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(filepath.Join(dir, networkFile))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Rehearse(rehearsal(t, dir, 3)); err == nil || !strings.Contains(err.Error(), "not empty") {
		t.Fatalf("got %v, want it refused", err)
	}
	if after, err := os.ReadFile(filepath.Join(dir, networkFile)); err != nil || string(after) != string(before) {
		t.Fatal("the network that was there was changed")
	}
}

// folder is a founded server 1 that can be opened, and its lock.
func folder(t *testing.T) (Config, vault.Lock, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "net")
	if _, err := Rehearse(rehearsal(t, dir, 3)); err != nil {
		t.Fatal(err)
	}
	c, err := Load(filepath.Join(serverDir(dir, 0), configFile))
	if err != nil {
		t.Fatal(err)
	}
	lock, err := c.Lock()
	if err != nil {
		t.Fatal(err)
	}
	return c, lock, dir
}

func TestAnotherServersKeysAreNotOpened(t *testing.T) {
	c, lock, _ := folder(t)
	_, _, elsewhere := folder(t)
	other, err := os.ReadFile(filepath.Join(serverDir(elsewhere, 0), identityFile))
	if err != nil {
		t.Fatal(err)
	}
	if err := writeFile(c.path(identityFile), other, 0o600); err != nil {
		t.Fatal(err)
	}
	if s, err := c.open(lock); !errors.Is(err, vault.ErrWrongKey) || s.keys != nil {
		t.Fatalf("got %v, want %v and no keys", err, vault.ErrWrongKey)
	}
}
