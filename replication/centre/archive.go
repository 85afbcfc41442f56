package centre

import (
	"archive/tar"
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"

	"interlock/protocol/directory"
	"interlock/protocol/settings"
	"interlock/replication/registry"
)

// encode writes the archive, the manifest first. Equal backups have equal archives.
func (b *Backup) encode() ([]byte, error) {
	manifest, err := settings.Encode(b.Manifest)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	put := func(name string, content []byte) error {
		h := &tar.Header{Name: name, Mode: 0o600, Size: int64(len(content)), ModTime: b.Taken, Format: tar.FormatUSTAR}
		if err := w.WriteHeader(h); err != nil {
			return err
		}
		_, err := w.Write(content)
		return err
	}
	if err := put(manifestFile, manifest); err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(b.files)) {
		if err := put(name, b.files[name]); err != nil {
			return nil, err
		}
	}
	return out.Bytes(), w.Close()
}

// parseBackup reads what encode wrote, and nothing else.
func parseBackup(raw []byte) (*Backup, error) {
	if len(raw) > maxBackup {
		return nil, fmt.Errorf("%w: more than %d bytes", ErrBackup, maxBackup)
	}
	b := &Backup{files: make(map[string][]byte)}
	r := tar.NewReader(bytes.NewReader(raw))
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrBackup, err)
		}
		// What another format calls a file may be larger than the archive.
		if h.Format != tar.FormatUSTAR || h.Typeflag != tar.TypeReg || h.Size > int64(len(raw)) {
			return nil, fmt.Errorf("%w: not a plain file", ErrBackup)
		}
		if !belongs(h.Name) {
			return nil, fmt.Errorf("%w: a file that none has", ErrBackup)
		}
		if b.files[h.Name], err = io.ReadAll(r); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrBackup, err)
		}
	}
	if err := settings.Decode(b.files[manifestFile], &b.Manifest); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrBackup, manifestFile, err)
	}
	delete(b.files, manifestFile)
	if again, err := b.encode(); err != nil || !bytes.Equal(again, raw) {
		return nil, fmt.Errorf("%w: not as it was written", ErrBackup)
	}
	return b, b.check()
}

// belongs reports whether a backup may hold a file of this name, which is where
// restoring puts it.
func belongs(name string) bool {
	switch name {
	case manifestFile, configFile, genesisFile, identityFile, unlockFile, cardFile, directoryFile, stateFile:
		return true
	}
	dir, file := path.Split(name)
	_, share := generationIn(file)
	return dir == sharesDir+"/" && share
}

// check compares the manifest with what it speaks of. Whether the identity is
// the server's shows when it is opened.
func (b *Backup) check() error {
	state, err := registry.Restore(b.files[stateFile])
	if err != nil {
		return fmt.Errorf("%w: %w", ErrBackup, err)
	}
	key, err := directory.ParseKey("key", b.Key)
	if err != nil {
		return fmt.Errorf("%w: %s: %w", ErrBackup, manifestFile, err)
	}
	self, ok := state.ServerOf(key)
	if !ok || uint16(self.Index) != b.Server || self.Name != b.Name || state.Name != b.Network || state.Version() != b.Version ||
		hex.EncodeToString(state.Hash[:]) != b.Genesis || stateHash(b.files[stateFile]) != b.State {
		return fmt.Errorf("%w: %s does not speak of this registry", ErrBackup, manifestFile)
	}
	return nil
}
