package centre

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"interlock/crypto/oprf"
	"interlock/crypto/vault"
	"interlock/protocol/directory"
	"interlock/protocol/wire"
)

func TestAFoundedNetworkIsWhole(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "net")
	network, err := Found(founding(t, dir, 3))
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
	if _, err := Found(founding(t, dir, 3)); err != nil {
		t.Fatal(err)
	}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || filepath.Base(path) == networkFile {
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
		change     func(f *Founding)
	}{
		{"no name", "name", func(f *Founding) { f.Name = "" }},
		{"no servers", "servers", func(f *Founding) { f.Servers = nil }},
		{"a threshold out of reach", "threshold 4", func(f *Founding) { f.Threshold = 4 }},
		{"one operator", "1 operators", func(f *Founding) { f.Operators = f.Operators[:1] }},
		{"an operator's name that is a path", `"../alice"`, func(f *Founding) { f.Operators[0] = "../alice" }},
		{"one operator twice", "alice", func(f *Founding) { f.Operators[1] = f.Operators[0] }},
		{"an address that is none", "server 2", func(f *Founding) { f.Servers[1].Listen = []string{"localhost:4001"} }},
		{"a server without an address", "server 3", func(f *Founding) { f.Servers[2].Listen = nil }},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			parent := t.TempDir()
			f := founding(t, filepath.Join(parent, "net"), 3)
			f.Operators = append([]string{}, f.Operators...)
			row.change(&f)
			if _, err := Found(f); err == nil || !strings.Contains(err.Error(), row.want) {
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
	if _, err := Found(founding(t, dir, 3)); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(filepath.Join(dir, networkFile))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Found(founding(t, dir, 3)); err == nil || !strings.Contains(err.Error(), "not empty") {
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
	if _, err := Found(founding(t, dir, 3)); err != nil {
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

func TestAWrongShareCannotBeLoaded(t *testing.T) {
	c, lock, dir := folder(t)
	other, err := os.ReadFile(filepath.Join(serverDir(dir, 1), shareFile))
	if err != nil {
		t.Fatal(err)
	}
	replace := func(b []byte) {
		t.Helper()
		if err := writeFile(c.path(shareFile), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	sealed := func(b []byte) []byte {
		t.Helper()
		keys, err := vault.LoadKeys(c.path(identityFile), lock)
		if err != nil {
			t.Fatal(err)
		}
		out, err := keys.Age.Recipient().Seal(b)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	_, foreign, err := oprf.Deal(strangeRandom{}, 2, 3)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []error{ErrWrongShare, ErrWrongShare} {
		b, err := foreign[i].MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		replace(sealed(b))
		if _, err := c.open(lock); !errors.Is(err, want) {
			t.Fatalf("share %d of another key: got %v, want %v", i+1, err, want)
		}
	}
	replace(other)
	if _, err := c.open(lock); !errors.Is(err, vault.ErrWrongKey) {
		t.Fatalf("another server's file: got %v, want %v", err, vault.ErrWrongKey)
	}
	replace(sealed([]byte("no share")))
	if _, err := c.open(lock); !errors.Is(err, oprf.ErrShare) {
		t.Fatalf("something else: got %v, want %v", err, oprf.ErrShare)
	}
}

// strangeRandom deals the same shares every time.
type strangeRandom struct{}

func (strangeRandom) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = byte(7*i + 1)
	}
	return len(b), nil
}

func TestAFolderBelongsTogether(t *testing.T) {
	c, lock, dir := folder(t)
	_, _, elsewhere := folder(t)
	for _, name := range []string{genesisFile, identityFile, federationFile} {
		t.Run(name, func(t *testing.T) {
			mine, err := os.ReadFile(c.path(name))
			if err != nil {
				t.Fatal(err)
			}
			other, err := os.ReadFile(filepath.Join(serverDir(elsewhere, 0), name))
			if err != nil {
				t.Fatal(err)
			}
			if err := writeFile(c.path(name), other, 0o600); err != nil {
				t.Fatal(err)
			}
			if s, err := c.open(lock); err == nil || s.keys != nil && s.keys.Signing[0]|s.keys.Signing[1] != 0 {
				t.Fatalf("got %v, want it refused and the keys erased", err)
			}
			if err := writeFile(c.path(name), mine, 0o600); err != nil {
				t.Fatal(err)
			}
		})
	}
	second := c
	second.Server = 2
	if _, err := second.open(lock); err == nil || !strings.Contains(err.Error(), "server 2") {
		t.Fatalf("server 1's folder as server 2: got %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, networkFile)); err != nil {
		t.Fatal(err)
	}
}
