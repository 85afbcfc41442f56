package centre

import (
	"archive/tar"
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"interlock/crypto/vault"
	"interlock/replication/cluster"
)

// keeper is a key that backups are sealed to.
func keeper(t testing.TB) (vault.Lock, vault.Recipient) {
	t.Helper()
	lock, err := vault.NewKeyFile(filepath.Join(t.TempDir(), "keeper.key"))
	if err != nil {
		t.Fatal(err)
	}
	r, _ := lock.Recipient()
	return lock, r
}

// backedUp is the backup of the running server i, in a file.
func (n *centreNet) backedUp(i int, to vault.Recipient) (string, *Backup) {
	n.t.Helper()
	b, err := n.servers[i].Backup(n.ctx())
	if err != nil {
		n.t.Fatal(err)
	}
	path := filepath.Join(n.t.TempDir(), "backup.age")
	if err := b.Save(path, to); err != nil {
		n.t.Fatal(err)
	}
	return path, b
}

// restored is the position of a folder made from a backup.
func (n *centreNet) restored(from string, lock vault.Lock) int {
	n.t.Helper()
	dir := filepath.Join(n.t.TempDir(), "restored")
	if _, err := Restore(from, lock, dir); err != nil {
		n.t.Fatal(err)
	}
	return n.place(dir)
}

func TestARestoredFolderIsTheOneThatWasLost(t *testing.T) {
	n := found(t, 1)
	lock, to := keeper(t)
	// What was kept for a ceremony under way stays behind.
	ceremony := filepath.Join(n.folders[0], sharesDir, "ceremony-1.age")
	if err := os.WriteFile(ceremony, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	path, _ := n.backedUp(0, to)
	at := n.restored(path, lock)
	for _, name := range []string{genesisFile, identityFile, unlockFile, cardFile, directoryFile, configFile, sharesDir + "/epoch-1-generation-1.age"} {
		want, err := os.ReadFile(filepath.Join(n.folders[0], name))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(filepath.Join(n.folders[at], name)); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s differs: %v", name, err)
		}
	}
	if _, err := os.Stat(filepath.Join(n.folders[at], sharesDir, "ceremony-1.age")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want no key of a ceremony", err)
	}
}

// One server alone founds a network by itself: a restored one must not.
func TestARestoredServerDoesNotFoundTheNetworkAgain(t *testing.T) {
	n := found(t, 1)
	lock, to := keeper(t)
	path, _ := n.backedUp(0, to)
	n.stop(0, (*Server).Close)
	at := n.restored(path, lock)
	for range 2 { // the mark goes when it starts, and what it stands for stays
		n.start(at)
		if got := n.servers[at].Status().Standing; got != cluster.Waiting {
			t.Fatalf("got %v, want %v", got, cluster.Waiting)
		}
		n.stop(at, (*Server).Close)
	}
}

func TestABackupIsNotWrittenOverAnything(t *testing.T) {
	n := found(t, 1)
	_, to := keeper(t)
	path, b := n.backedUp(0, to)
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Save(path, to); !errors.Is(err, fs.ErrExist) {
		t.Fatalf("got %v, want %v", err, fs.ErrExist)
	}
	if after, err := os.ReadFile(path); err != nil || !bytes.Equal(before, after) {
		t.Fatal("the file was changed")
	}
	if list, err := os.ReadDir(filepath.Dir(path)); err != nil || len(list) != 1 {
		t.Fatalf("got %d files and %v, want none left behind", len(list), err)
	}
}

func TestARunningServerGivesItsBackupThroughItsSocket(t *testing.T) {
	n := planned(t, 1)
	dir, err := os.MkdirTemp("", "centre") // the path of a socket is short
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		n.stop(0, (*Server).Close)
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	}()
	short := filepath.Join(dir, "server")
	if err := os.Rename(n.folders[0], short); err != nil {
		t.Fatal(err)
	}
	n.folders[0] = short
	n.start(0)
	n.awaitKey(1, 1)
	config := n.options(0).Config
	if _, err := TakeBackup(n.ctx(), config); !errors.Is(err, cluster.ErrInUse) {
		t.Fatalf("without a socket: got %v, want %v", err, cluster.ErrInUse)
	}
	control, err := n.servers[0].ServeControl()
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(filepath.Join(short, controlFile))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("got a socket of mode %v and %v, want 0600", info.Mode(), err)
	}
	got, err := TakeBackup(n.ctx(), config)
	if err != nil {
		t.Fatal(err)
	}
	if err := control.Close(); err != nil {
		t.Fatal(err)
	}
	want, err := n.servers[0].Backup(n.ctx())
	if err != nil {
		t.Fatal(err)
	}
	want.Taken = got.Taken
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(Backup{})); diff != "" {
		t.Error(diff)
	}
}

func TestWhatIsNoBackupIsRefused(t *testing.T) {
	n := found(t, 1)
	_, to := keeper(t)
	_, b := n.backedUp(0, to)
	raw, err := b.encode()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parseBackup(raw); err != nil {
		t.Fatal(err)
	}
	changed := func(change func(*Backup)) []byte {
		other, err := parseBackup(raw)
		if err != nil {
			t.Fatal(err)
		}
		change(other)
		b, err := other.encode()
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	for what, bad := range map[string][]byte{
		"nothing":              nil,
		"cut":                  raw[:len(raw)/2],
		"more after it":        append(bytes.Clone(raw), make([]byte, 512)...),
		"another's key":        changed(func(b *Backup) { b.Key = strings.Repeat("1", 64) }),
		"another number":       changed(func(b *Backup) { b.Server = 2 }),
		"another registry":     changed(func(b *Backup) { b.State = strings.Repeat("0", 64) }),
		"another network":      changed(func(b *Backup) { b.Genesis = strings.Repeat("0", 64) }),
		"no registry":          changed(func(b *Backup) { delete(b.files, stateFile) }),
		"a way out":            changed(func(b *Backup) { b.files["shares/../../x"] = nil }),
		"a log":                changed(func(b *Backup) { b.files["raft/log"] = nil }),
		"a key for a ceremony": changed(func(b *Backup) { b.files["shares/ceremony-1.age"] = nil }),
	} {
		if _, err := parseBackup(bad); !errors.Is(err, ErrBackup) {
			t.Errorf("%s: got %v, want %v", what, err, ErrBackup)
		}
	}
}

// Somebody who knows the keeper's recipient makes a backup of another's keys.
func TestABackupWithAnotherIdentityIsNotRestored(t *testing.T) {
	n, other := found(t, 1), planned(t, 1)
	lock, to := keeper(t)
	_, b := n.backedUp(0, to)
	for _, name := range []string{identityFile, unlockFile} {
		var err error
		if b.files[name], err = os.ReadFile(filepath.Join(other.folders[0], name)); err != nil {
			t.Fatal(err)
		}
	}
	path, dir := filepath.Join(t.TempDir(), "forged.age"), filepath.Join(t.TempDir(), "restored")
	if err := b.Save(path, to); err != nil {
		t.Fatal(err)
	}
	if _, err := Restore(path, lock, dir); !errors.Is(err, ErrBackup) {
		t.Fatalf("got %v, want %v", err, ErrBackup)
	}
	if list, err := os.ReadDir(filepath.Dir(dir)); err != nil || len(list) != 0 {
		t.Fatalf("got %d files and %v, want nothing left behind", len(list), err)
	}
}

func FuzzBackup(f *testing.F) {
	n := planned(f, 1)
	genesis, err := readGenesis(filepath.Join(n.folders[0], genesisFile))
	if err != nil {
		f.Fatal(err)
	}
	b := seedBackup(f, genesis)
	raw, err := b.encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Add([]byte(nil))
	var empty bytes.Buffer
	if err := tar.NewWriter(&empty).Close(); err != nil {
		f.Fatal(err)
	}
	f.Add(empty.Bytes())
	f.Fuzz(func(t *testing.T, raw []byte) {
		b, err := parseBackup(raw)
		if err != nil {
			return
		}
		if again, err := b.encode(); err != nil || !bytes.Equal(again, raw) {
			t.Fatalf("parsed and encoded anew it differs: %v", err)
		}
	})
}
