package console

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"interlock/crypto/vault"
	"interlock/protocol/directory"
)

const (
	keysExt   = ".age"
	factorExt = ".totp"

	// A passphrase takes about a second and 256 MiB to try, on purpose: so few
	// are tried at once, and few wait for their turn.
	openAtOnce = 2
	mostInLine = 8
)

var (
	// errNotRight says that the name, the passphrase or the code is wrong, and
	// not which.
	errNotRight = errors.New("name, passphrase or code not right")
	// errCrowd says that too many sign in at once.
	errCrowd = errors.New("too many sign in at once")
)

// ring is the folder of the operators' key files.
type ring struct {
	dir  string
	slow chan struct{} // holds a token for each passphrase that is tried
	line atomic.Int32  // who tries or waits to

	mu sync.Mutex // of the second factors' files: a code is accepted once
}

// open opens an operator's keys. A name that nobody has takes as long as one
// that somebody has.
func (g *ring) open(ctx context.Context, name string, passphrase []byte) (*vault.Keys, error) {
	if g.line.Add(1) > mostInLine {
		g.line.Add(-1)
		return nil, errCrowd
	}
	defer g.line.Add(-1)
	select {
	case g.slow <- struct{}{}:
		defer func() { <-g.slow }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	path, known := g.path(name)
	if path == "" || len(passphrase) == 0 {
		return nil, errNotRight
	}
	keys, err := vault.LoadKeys(path, vault.Passphrase(passphrase))
	switch {
	case errors.Is(err, vault.ErrWrongKey), errors.Is(err, fs.ErrNotExist):
		return nil, errNotRight
	case err != nil:
		return nil, fmt.Errorf("open an operator's keys: %w", err)
	case !known:
		keys.Destroy()
		return nil, errNotRight
	}
	return keys, nil
}

// path is the key file of a name, or of somebody else where nobody has it.
func (g *ring) path(name string) (path string, known bool) {
	if _, err := directory.ParseAgencyID(name); err == nil {
		path = filepath.Join(g.dir, name+keysExt)
		if _, err := os.Stat(path); err == nil {
			return path, true
		}
	}
	others, err := filepath.Glob(filepath.Join(g.dir, "*"+keysExt))
	if err != nil || len(others) == 0 {
		return "", false
	}
	return others[0], false
}

// factor is how an operator's second factor is kept: sealed to the operator's
// own keys, which the passphrase opens.
func (g *ring) factor(name string, keys *vault.Keys) (factor, error) {
	sealed, err := os.ReadFile(filepath.Join(g.dir, name+factorExt))
	if err != nil {
		return factor{}, err
	}
	b, err := keys.Age.Open(sealed, factorLimit)
	if err != nil {
		return factor{}, fmt.Errorf("open a second factor: %w", err)
	}
	return parseFactor(b)
}

// enrolled reports whether an operator has a second factor.
func (g *ring) enrolled(name string) (bool, error) {
	_, err := os.Stat(filepath.Join(g.dir, name+factorExt))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// accept takes a code of the operator's second factor, once.
func (g *ring) accept(name string, keys *vault.Keys, code string, now time.Time) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	f, err := g.factor(name, keys)
	if err != nil {
		return err
	}
	return g.use(name, keys, f, code, now)
}

// enrol keeps a new second factor, once a code proves that the operator has it.
func (g *ring) enrol(name string, keys *vault.Keys, f factor, code string, now time.Time) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if has, err := g.enrolled(name); err != nil || has {
		return errors.Join(err, errNotRight) // somebody else was faster
	}
	return g.use(name, keys, f, code, now)
}

// use takes a code and writes down that it is used.
func (g *ring) use(name string, keys *vault.Keys, f factor, code string, now time.Time) error {
	step, ok := f.accept(strings.Join(strings.Fields(code), ""), now)
	if !ok {
		return errNotRight
	}
	f.used = step
	sealed, err := keys.Age.Recipient().Seal(f.encode())
	if err != nil {
		return fmt.Errorf("seal a second factor: %w", err)
	}
	return replace(g.dir, name+factorExt, sealed)
}

// replace writes a file whole or not at all.
func replace(dir, name string, b []byte) (err error) {
	f, err := os.CreateTemp(dir, "."+name+"-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	if _, err = f.Write(b); err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err = os.Rename(f.Name(), filepath.Join(dir, name)); err != nil {
		return err
	}
	folder, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
