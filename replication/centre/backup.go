package centre

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"time"

	"interlock/crypto/vault"
	"interlock/protocol/wire"
	"interlock/replication/cluster"
	"interlock/replication/registry"
)

// ErrBackup says that a file opens and is not a backup of a server.
var ErrBackup = errors.New("not the backup of a registry server")

// maxBackup bounds what a backup holds, in bytes.
const maxBackup = 512 << 20

// The files that only a backup has.
const (
	manifestFile = "backup.toml"
	stateFile    = "state.pb" // the registry, as registry.Restore takes it
)

// Manifest says what a backup is of, and of when.
type Manifest struct {
	Network     string    `toml:"network"`
	Genesis     string    `toml:"genesis"` // hash of the founding document, hexadecimal
	Server      uint16    `toml:"server"`
	Name        string    `toml:"name"`
	Key         string    `toml:"key"` // the server's, hexadecimal
	Taken       time.Time `toml:"taken"`
	Incarnation uint64    `toml:"incarnation"`
	Index       uint64    `toml:"index"`   // of the last command in the registry
	Version     uint64    `toml:"version"` // of the directory
	State       string    `toml:"state"`   // SHA-256 of the registry, hexadecimal: what an order of recovery names
}

// Backup is everything of one server that its machine can be lost with: its
// identity, its shares and the registry at one moment.
//
// It is a tar archive. The identity lies in it as it does on the disk, sealed
// under its key file, and the key file beside it: nothing is opened to make a
// backup, and a restored folder is the one that was lost. Whoever opens the
// backup is therefore the server. What was kept for a key ceremony under way is
// left out: it would open what others sealed for that ceremony alone.
type Backup struct {
	Manifest
	files map[string][]byte
}

// collect makes the backup of a server's folder. State and shares are those of
// one moment: held is the shares as they were before and after the state was taken.
func collect(c Config, e cluster.Exported, held map[string][]byte, now time.Time) (*Backup, error) {
	state, err := registry.Restore(e.State)
	if err != nil {
		return nil, err
	}
	b := &Backup{files: maps.Clone(held)}
	for name, from := range map[string]string{
		genesisFile: genesisFile, identityFile: identityFile, unlockFile: c.Unlock, cardFile: cardFile, directoryFile: directoryFile,
	} {
		content, err := os.ReadFile(c.path(from))
		if errors.Is(err, fs.ErrNotExist) && (name == cardFile || name == directoryFile) {
			continue
		}
		if err != nil {
			return nil, err
		}
		b.files[name] = content
	}
	lock, err := c.Lock()
	if err != nil {
		return nil, err
	}
	s, err := c.open(lock)
	defer s.destroy()
	if err != nil {
		return nil, err
	}
	key := wire.PeerOf(s.keys.Signing)
	self, ok := state.ServerOf(key)
	if !ok {
		return nil, cluster.ErrNoPart
	}
	c.Unlock = unlockFile
	if b.files[configFile], err = c.Encode(); err != nil {
		return nil, err
	}
	b.files[stateFile] = e.State
	b.Manifest = Manifest{
		Network: state.Name, Genesis: hex.EncodeToString(state.Hash[:]), Server: uint16(self.Index), Name: self.Name, Key: key.Hex(),
		Taken: now.UTC().Truncate(time.Second), Incarnation: e.Incarnation, Index: e.Index, Version: state.Version(), State: stateHash(e.State),
	}
	return b, nil
}

func stateHash(state []byte) string {
	h := sha256.Sum256(state)
	return hex.EncodeToString(h[:])
}

// shareFiles reads the shares in a server's folder, as they lie.
func shareFiles(dir string) (map[string][]byte, error) {
	files := make(map[string][]byte)
	list, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return files, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read folder of shares: %w", err)
	}
	for _, f := range list {
		if _, ok := generationIn(f.Name()); !ok {
			continue
		}
		content, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			return nil, fmt.Errorf("read share: %w", err)
		}
		files[path.Join(sharesDir, f.Name())] = content
	}
	return files, nil
}

// generationIn reads a share's file name.
func generationIn(name string) (g generation, ok bool) {
	n, err := fmt.Sscanf(name, "epoch-%d-generation-%d.age", &g.Epoch, &g.Generation)
	return g, err == nil && n == 2 && g.file() == name
}

// Backup returns the backup of the running server. Errors are those of
// cluster.Export: without a majority nobody knows what was acknowledged.
func (s *Server) Backup(ctx context.Context) (*Backup, error) {
	before, err := s.shares.files()
	if err != nil {
		return nil, fmt.Errorf("back up: %w", err)
	}
	e, err := s.cluster.Export(ctx)
	if err != nil {
		return nil, fmt.Errorf("back up: %w", err)
	}
	// Shares that were made anew meanwhile are those of before or of after.
	held, err := s.shares.files()
	if err != nil {
		return nil, fmt.Errorf("back up: %w", err)
	}
	maps.Copy(held, before)
	b, err := collect(s.config, e, held, s.now())
	if err != nil {
		return nil, fmt.Errorf("back up: %w", err)
	}
	return b, nil
}

// files reads the shares while none of them is erased.
func (s *shares) files() (map[string][]byte, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return shareFiles(s.dir)
}

// TakeBackup returns the backup of the server in a folder: from the server
// itself where it runs, and from its folder otherwise.
func TakeBackup(ctx context.Context, c Config) (*Backup, error) {
	b, err := askBackup(ctx, c)
	if !errors.Is(err, ErrNotRunning) {
		return b, err
	}
	genesis, err := readGenesis(c.path(genesisFile))
	if err != nil {
		return nil, fmt.Errorf("back up: %w", err)
	}
	e, err := cluster.ExportStopped(c.path(raftDir), genesis)
	if errors.Is(err, cluster.ErrInUse) {
		return nil, fmt.Errorf("back up: the server runs and does not answer at %s: %w", c.path(controlFile), err)
	}
	if err != nil {
		return nil, fmt.Errorf("back up: %w", err)
	}
	held, err := shareFiles(c.path(sharesDir))
	if err != nil {
		return nil, fmt.Errorf("back up: %w", err)
	}
	if b, err = collect(c, e, held, time.Now()); err != nil {
		return nil, fmt.Errorf("back up: %w", err)
	}
	return b, nil
}

// Save seals the backup to every recipient into a new file, which is whole and
// on the disk when it returns. The stock age and tar programs open it.
func (b *Backup) Save(to string, recipients ...vault.Recipient) error {
	raw, err := b.encode()
	defer clear(raw)
	if err != nil {
		return fmt.Errorf("save backup: %w", err)
	}
	err = writeNew(to, func(w io.Writer) error {
		sealed, err := vault.SealTo(w, recipients...)
		if err != nil {
			return err
		}
		if _, err := sealed.Write(raw); err != nil {
			return err
		}
		return sealed.Close()
	})
	if err != nil {
		return fmt.Errorf("save backup: %w", err)
	}
	return nil
}

// writeNew makes a file appear whole and durable where none is.
func writeNew(path string, fill func(io.Writer) error) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*"+halfExt) // mode 0600
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.Remove(f.Name())) }()
	err = fill(f)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	// A hard link, unlike a rename, fails where the name is taken.
	if err := os.Link(f.Name(), path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// OpenBackup opens the backup at from.
func OpenBackup(from string, lock vault.Lock) (b *Backup, err error) {
	f, err := os.Open(from)
	if err != nil {
		return nil, fmt.Errorf("open backup: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	opened, err := vault.OpenFrom(f, lock)
	if err != nil {
		return nil, fmt.Errorf("open backup: %w", err)
	}
	raw, err := io.ReadAll(io.LimitReader(opened, maxBackup+1))
	if err != nil {
		return nil, fmt.Errorf("open backup: %w", err)
	}
	if b, err = parseBackup(raw); err != nil {
		return nil, fmt.Errorf("open backup: %w", err)
	}
	return b, nil
}

// Shares counts the generations of shares in the backup.
func (b *Backup) Shares() (n int) {
	for name := range b.files {
		if path.Dir(name) == sharesDir {
			n++
		}
	}
	return n
}
