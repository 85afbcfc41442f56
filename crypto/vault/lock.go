package vault

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"filippo.io/age"
)

const (
	// defaultWork is scrypt's log2 N (RFC 7914) for new files, age's own default: about a second
	// and 256 MiB.
	defaultWork = 18
	// mostWork bounds what a file may ask of whoever tries to open it: about 1 GiB.
	mostWork = 20
	// keyFileLimit bounds a key file: comments and one line of 77 characters.
	keyFileLimit = 16 << 10
)

// Lock is what opens a sealed file: either a passphrase or the identity in a key file.
// The zero Lock opens nothing. It prints as a placeholder.
type Lock struct {
	passphrase string
	work       int
	identity   *Identity
}

// Passphrase locks with a passphrase, taken byte for byte. An empty one is refused when it is used.
// Each use takes about a second, on purpose.
func Passphrase(p []byte) Lock { return Lock{passphrase: string(p), work: defaultWork} }

// KeyFile locks with the hybrid identity in the key file at path, in the form that age-keygen -pq
// writes. A file that its group or others may read is refused with [ErrExposed], a file that holds
// anything but one identity with [ErrMalformed].
func KeyFile(path string) (l Lock, err error) {
	f, err := os.Open(path)
	if err != nil {
		return Lock{}, fmt.Errorf("read key file: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return Lock{}, fmt.Errorf("read key file: %w", err)
	}
	if !info.Mode().IsRegular() {
		return Lock{}, fmt.Errorf("read key file %s: %w: not a regular file", path, ErrMalformed)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return Lock{}, fmt.Errorf("read key file %s: %w: its mode is %04o, let only its owner read it (chmod 600)", path, ErrExposed, mode)
	}
	text, err := io.ReadAll(io.LimitReader(f, keyFileLimit+1))
	defer clear(text)
	if err != nil {
		return Lock{}, fmt.Errorf("read key file: %w", err)
	}
	id, err := parseKeyFile(text)
	if err != nil {
		return Lock{}, fmt.Errorf("read key file %s: %w", path, err)
	}
	return Lock{identity: id}, nil
}

// parseKeyFile reads the one identity line among comments and empty lines.
func parseKeyFile(text []byte) (*Identity, error) {
	if len(text) > keyFileLimit {
		return nil, ErrTooLarge
	}
	var found *Identity
	lines := bufio.NewScanner(bytes.NewReader(text))
	for n := 1; lines.Scan(); n++ {
		line := lines.Text()
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if found != nil {
			return nil, fmt.Errorf("line %d: %w: more than one identity", n, ErrMalformed)
		}
		id, err := ParseIdentity(line)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w: expected AGE-SECRET-KEY-PQ-1…", n, ErrMalformed)
		}
		found = id
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if found == nil {
		return nil, fmt.Errorf("%w: no identity in it", ErrMalformed)
	}
	return found, nil
}

// NewKeyFile makes a new identity and writes it to a new key file at path, mode 0600, on the disk
// before it returns. A file that is already there is left alone (fs.ErrExist).
func NewKeyFile(path string) (Lock, error) {
	id, err := GenerateIdentity()
	if err != nil {
		return Lock{}, err
	}
	text := fmt.Appendf(nil, "# public key: %s\n%s\n", id.Recipient(), id.Reveal())
	defer clear(text)
	if err := writeExclusive(path, text); err != nil {
		return Lock{}, fmt.Errorf("write key file: %w", err)
	}
	return Lock{identity: id}, nil
}

// writeExclusive creates path, which must not exist. What it could not finish it removes.
func writeExclusive(path string, data []byte) (err error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if err := writeAll(f, data); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return syncDir(filepath.Dir(path))
}

// Recipient is the key file's public key; ok is false for a passphrase.
func (l Lock) Recipient() (r Recipient, ok bool) {
	if l.identity == nil {
		return Recipient{}, false
	}
	return l.identity.Recipient(), true
}

// String is a placeholder.
func (l Lock) String() string { return redacted }

// Format prints a placeholder under every verb.
func (l Lock) Format(f fmt.State, _ rune) { redact(f) }

// LogValue is a placeholder.
func (l Lock) LogValue() slog.Value { return hidden() }

// errNoLock refuses the zero Lock and the empty passphrase.
var errNoLock = fmt.Errorf("%w: the passphrase is empty", fs.ErrInvalid)

// sealer is the age recipient that the lock writes to.
func (l Lock) sealer() (age.Recipient, error) {
	if l.identity != nil {
		if l.identity.hybrid == nil {
			return nil, ErrDestroyed
		}
		return l.identity.hybrid.Recipient(), nil
	}
	if l.passphrase == "" {
		return nil, errNoLock
	}
	r, err := age.NewScryptRecipient(l.passphrase)
	if err != nil {
		return nil, err
	}
	r.SetWorkFactor(l.work)
	return r, nil
}

// opener is the age identity that the lock reads with.
func (l Lock) opener() (age.Identity, error) {
	if l.identity != nil {
		if l.identity.hybrid == nil {
			return nil, ErrDestroyed
		}
		return l.identity.hybrid, nil
	}
	if l.passphrase == "" {
		return nil, errNoLock
	}
	id, err := age.NewScryptIdentity(l.passphrase)
	if err != nil {
		return nil, err
	}
	id.SetMaxWorkFactor(mostWork)
	return id, nil
}
