package centre

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"interlock/crypto/oprf"
	"interlock/crypto/token"
	"interlock/crypto/vault"
	"interlock/protocol/directory"
)

// generation names one set of shares of one key.
type generation struct {
	Epoch      token.Epoch
	Generation uint32
}

func generationOf(k directory.KeyEpoch) generation { return generation{k.Epoch, k.Generation} }

// holding is a server's share of one generation, and the federation secret of
// its epoch.
type holding struct {
	share      *oprf.Share
	federation token.Secret
}

// shares are what a server holds: on disk a file for each generation, sealed to
// its identity. A generation that is no longer in force is erased, so that
// whoever takes the disk later finds nothing to put together with what was
// taken from another server before.
type shares struct {
	dir string
	age *vault.Identity

	mu   sync.RWMutex           // held for reading while a share is in use: one is never erased under whoever evaluates
	held map[generation]holding // owned by mu; opened files
}

// newShares opens the folder of shares, without what a server that died was writing.
func newShares(dir string, age *vault.Identity) (*shares, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make folder of shares: %w", err)
	}
	s := &shares{dir: dir, age: age, held: make(map[generation]holding)}
	return s, s.eraseWhere(func(name string) bool { return filepath.Ext(name) == halfExt })
}

func (g generation) file() string {
	return fmt.Sprintf("epoch-%d-generation-%d.age", g.Epoch, g.Generation)
}

// get returns what the server holds of a generation. A server that was away from
// the ceremony holds nothing: fs.ErrNotExist.
func (s *shares) get(g generation) (holding, error) {
	s.mu.RLock()
	h, ok := s.held[g]
	s.mu.RUnlock()
	if ok {
		return h, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if h, ok := s.held[g]; ok {
		return h, nil
	}
	h, err := s.open(g)
	if err == nil {
		s.held[g] = h
	}
	return h, err
}

// open reads a generation from the disk.
func (s *shares) open(g generation) (h holding, err error) {
	sealed, err := os.ReadFile(filepath.Join(s.dir, g.file()))
	if err != nil {
		return holding{}, err
	}
	b, err := s.age.Open(sealed, secretLimit)
	defer clear(b)
	if err != nil {
		return holding{}, fmt.Errorf("%s: %w", g.file(), err)
	}
	if len(b) < len(h.federation) {
		return holding{}, fmt.Errorf("%s: %d bytes", g.file(), len(b))
	}
	copy(h.federation[:], b)
	if h.share, err = oprf.ParseShare(b[len(h.federation):]); err != nil {
		return holding{}, fmt.Errorf("%s: %w", g.file(), err)
	}
	return h, nil
}

// of returns what the server holds of a key epoch: the share that the epoch names.
// One that is left from a ceremony which others finished without this server is none.
func (s *shares) of(k directory.KeyEpoch, self oprf.Index) (holding, error) {
	h, err := s.get(generationOf(k))
	if err != nil {
		return h, err
	}
	public := h.share.Public()
	if public.Index != self || !slices.Contains(k.Keys.Shares, public) {
		return holding{}, fs.ErrNotExist
	}
	return h, nil
}

// use calls do with the share that a key epoch names; it is not erased meanwhile.
func (s *shares) use(k directory.KeyEpoch, self oprf.Index, do func(*oprf.Share) error) error {
	if _, err := s.of(k, self); err != nil {
		return err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	h, ok := s.held[generationOf(k)]
	if !ok {
		return fs.ErrNotExist // erased since
	}
	return do(h.share)
}

// put has a share on the disk when it returns.
func (s *shares) put(g generation, h holding) error {
	share, err := h.share.MarshalBinary()
	defer clear(share)
	if err != nil {
		return err
	}
	b := append(h.federation[:len(h.federation):len(h.federation)], share...)
	defer clear(b)
	if err := writeSealedTo(s.age.Recipient(), filepath.Join(s.dir, g.file()), b); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if old, ok := s.held[g]; ok && old.share != h.share {
		old.share.Destroy()
	}
	s.held[g] = h
	return nil
}

// keep erases every generation but those in force and, where one is under way,
// the one to come.
func (s *shares) keep(live map[generation]bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for g, h := range s.held {
		if !live[g] {
			h.share.Destroy()
			delete(s.held, g)
		}
	}
	return s.eraseWhere(func(name string) bool {
		var g generation
		n, err := fmt.Sscanf(name, "epoch-%d-generation-%d.age", &g.Epoch, &g.Generation)
		return err == nil && n == 2 && g.file() == name && !live[g]
	})
}

// keepCeremony erases what was kept for ceremonies but the one with this file
// name: nobody can then open what was sealed to this server in them.
func (s *shares) keepCeremony(file string) error {
	return s.eraseWhere(func(name string) bool {
		ceremony, err := filepath.Match("ceremony-*.age", name)
		return err == nil && ceremony && name != file
	})
}

func (s *shares) eraseWhere(dead func(name string) bool) error {
	files, err := os.ReadDir(s.dir)
	if err != nil {
		return fmt.Errorf("read folder of shares: %w", err)
	}
	var errs []error
	for _, f := range files {
		if dead(f.Name()) {
			errs = append(errs, erase(filepath.Join(s.dir, f.Name())))
		}
	}
	return errors.Join(errs...)
}

// destroy erases the opened shares from memory.
func (s *shares) destroy() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for g, h := range s.held {
		h.share.Destroy()
		delete(s.held, g)
	}
}
