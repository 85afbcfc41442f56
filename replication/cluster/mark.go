package cluster

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"interlock/protocol/directory"
	"interlock/protocol/wire"
)

// incarnation is one life of the network's log. A recovery begins another, in
// which the servers of the one before have no part.
type incarnation struct {
	number uint64 // counts them, from 1; 0 for none
	id     [sha256.Size]byte
}

// firstIncarnation is the one that the genesis begins.
func firstIncarnation(hash directory.GenesisHash) incarnation {
	return incarnation{number: 1, id: hash}
}

// recovered is the incarnation that a recovery to the survivors begins: the
// same for all of them, and another for any other list.
func (i incarnation) recovered(survivors []wire.Peer) incarnation {
	h := sha256.New()
	h.Write([]byte("interlock incarnation\x00"))
	h.Write(i.id[:])
	sorted := slices.SortedFunc(slices.Values(survivors), func(a, b wire.Peer) int { return bytes.Compare(a[:], b[:]) })
	for _, s := range sorted {
		h.Write(s[:])
	}
	return incarnation{number: i.number + 1, id: [sha256.Size]byte(h.Sum(nil))}
}

// stage is how far a folder is.
type stage string

const (
	settled   stage = ""          // its log is there, or lost
	joining   stage = "joining"   // it has never had a vote in this log
	unsettled stage = "unsettled" // it is being rewritten by Recover or Seed
)

// mark says what a folder takes part in. It is written before anything of it
// happens, so that a log which is not there is known to be lost.
//
//	<hash of the genesis>
//	incarnation <number> <id>     not for the first
//	joining <floor> | unsettled   or nothing
type mark struct {
	network     directory.GenesisHash
	incarnation incarnation
	stage       stage
	floor       uint64 // while joining: what must be applied of the log before its configurations are about now
}

func (m mark) encode() []byte {
	b := fmt.Appendf(nil, "%x\n", m.network[:])
	if m.incarnation != firstIncarnation(m.network) {
		b = fmt.Appendf(b, "incarnation %d %x\n", m.incarnation.number, m.incarnation.id[:])
	}
	switch m.stage {
	case joining:
		b = fmt.Appendf(b, "%s %d\n", m.stage, m.floor)
	case unsettled:
		b = fmt.Appendf(b, "%s\n", m.stage)
	}
	return b
}

var errMark = errors.New("want the hash of a founding document, an incarnation, and a stage")

func parseMark(b []byte) (m mark, err error) {
	lines := bytes.Split(b, []byte("\n"))
	if _, err := hex.Decode(m.network[:], limit(lines[0], 2*len(m.network))); err != nil {
		return mark{}, errMark
	}
	m.incarnation = firstIncarnation(m.network)
	for _, line := range lines[1:] {
		var id []byte
		switch {
		case bytes.HasPrefix(line, []byte("incarnation ")):
			if _, err := fmt.Sscanf(string(line), "incarnation %d %x", &m.incarnation.number, &id); err != nil || len(id) != sha256.Size {
				return mark{}, errMark
			}
			m.incarnation.id = [sha256.Size]byte(id)
		case bytes.HasPrefix(line, []byte("joining ")):
			m.stage = joining
			if _, err := fmt.Sscanf(string(line), "joining %d", &m.floor); err != nil {
				return mark{}, errMark
			}
		case string(line) == string(unsettled):
			m.stage = unsettled
		}
	}
	if !bytes.Equal(m.encode(), b) {
		return mark{}, errMark
	}
	return m, nil
}

// limit returns b where it has n bytes, and what no decoder takes otherwise.
func limit(b []byte, n int) []byte {
	if len(b) != n {
		return []byte("?")
	}
	return b
}

// mark returns what the folder takes part in, nil for nothing.
func (f *Folder) mark() (*mark, error) {
	b, err := os.ReadFile(filepath.Join(f.path, networkFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read folder: %w", err)
	}
	m, err := parseMark(b)
	if err != nil {
		return nil, fmt.Errorf("read folder: %s: %w", networkFile, err)
	}
	return &m, nil
}

// write marks the folder, durably.
func (f *Folder) write(m mark) error {
	if err := f.replace(m.encode()); err != nil {
		return fmt.Errorf("mark folder: %w", err)
	}
	return nil
}

func (f *Folder) replace(b []byte) error {
	path := filepath.Join(f.path, networkFile)
	file, err := os.OpenFile(path+".new", os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(b)
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return err
	}
	if err := os.Rename(path+".new", path); err != nil {
		return err
	}
	dir, err := os.Open(f.path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
