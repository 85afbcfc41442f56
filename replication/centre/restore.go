package centre

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"time"

	"interlock/crypto/vault"
	"interlock/protocol/settings"
	"interlock/protocol/wire"
	"interlock/replication/cluster"
)

// The files that a restored folder has besides.
const (
	rejoinFile   = "rejoin"        // as long as the server has to be taken in by the others
	restoredFile = "restored.pb"   // the registry as the backup has it
	restoredInfo = "restored.toml" // and the backup's manifest
)

// rejoinText is what whoever opens the mark reads.
const rejoinText = "This server has no log. It takes part once the others have taken it in.\n" +
	"Do not remove this file: without it the server could found the network once more.\n"

// Restore makes the folder of a server from a backup, under its old identity.
// Run, it asks the other servers to take it in; it never votes by what it does
// not remember. Where there are no others, Recover begins from the registry in
// the backup. The folder appears whole or not at all.
func Restore(from string, lock vault.Lock, dir string) (m Manifest, err error) {
	b, err := OpenBackup(from, lock)
	if err != nil {
		return m, err
	}
	if err := emptyFolder(dir); err != nil {
		return m, fmt.Errorf("restore: %w", err)
	}
	parent := filepath.Dir(filepath.Clean(dir))
	work, err := os.MkdirTemp(parent, ".restoring-*")
	if err != nil {
		return m, fmt.Errorf("restore: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	if err := b.unpack(work); err != nil {
		return m, fmt.Errorf("restore: %w", err)
	}
	if err := b.try(work); err != nil {
		return m, fmt.Errorf("restore: %w", err)
	}
	if err := os.Rename(work, dir); err != nil {
		return m, fmt.Errorf("restore: %w", err)
	}
	return b.Manifest, syncDir(parent)
}

// unpack writes the folder.
func (b *Backup) unpack(dir string) error {
	if err := os.Mkdir(filepath.Join(dir, sharesDir), 0o700); err != nil {
		return err
	}
	info, err := settings.Encode(b.Manifest)
	if err != nil {
		return err
	}
	files := map[string][]byte{rejoinFile: []byte(rejoinText), restoredInfo: info}
	for name, content := range b.files {
		if name == stateFile {
			name = restoredFile
		}
		files[name] = content
	}
	for name, content := range files {
		if err := writeFile(filepath.Join(dir, filepath.FromSlash(name)), content, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// try opens everything that was unpacked, as the server will.
func (b *Backup) try(dir string) error {
	c, err := Load(filepath.Join(dir, configFile))
	if err != nil {
		return err
	}
	lock, err := c.Lock()
	if err != nil {
		return err
	}
	s, err := c.open(lock)
	defer s.destroy()
	if err != nil {
		return err
	}
	if wire.PeerOf(s.keys.Signing).Hex() != b.Key || fmt.Sprintf("%x", s.foundation.Hash[:]) != b.Genesis {
		return fmt.Errorf("%w: the identity or the founding document is another's", ErrBackup)
	}
	held, err := newShares(c.path(sharesDir), s.keys.Age)
	if err != nil {
		return err
	}
	defer held.destroy()
	for name := range b.files {
		if g, ok := generationIn(path.Base(name)); ok {
			if _, err := held.get(g); err != nil {
				return fmt.Errorf("share %s: %w", name, err)
			}
		}
	}
	return nil
}

// rejoins reports whether the server has to be taken in by the others.
func (c Config) rejoins() (bool, error) {
	_, err := os.Stat(c.path(rejoinFile))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// rejoining removes the mark: cluster keeps its own from the moment it is open.
func (s *Server) rejoining() {
	if err := erase(s.config.path(rejoinFile)); err != nil {
		s.log.Warn("the mark of rejoining could not be removed", "server", s.Index(), "cause", err)
	}
}

// Rejoin sets the log of a stopped server aside, so that the server asks the
// others to take it in when it runs: after its log was lost, or after the
// network was recovered without it. It returns where the old log lies now.
func Rejoin(c Config) (aside string, err error) {
	folder, err := cluster.Claim(c.path(raftDir))
	if err != nil {
		return "", fmt.Errorf("rejoin: %w", err)
	}
	defer func() { err = errors.Join(err, folder.Release()) }()
	// Marked first: with no mark and no log it would found the network again.
	if err := writeFile(c.path(rejoinFile), []byte(rejoinText), 0o600); err != nil {
		return "", fmt.Errorf("rejoin: %w", err)
	}
	aside = c.path(fmt.Sprintf("%s-%s", raftDir, time.Now().UTC().Format("20060102T150405")))
	if err := os.Rename(c.path(raftDir), aside); err != nil {
		return "", fmt.Errorf("rejoin: %w", err)
	}
	return aside, syncDir(c.dir)
}
