package vault

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
)

// Keys is everything secret that a node, a registry server or an operator is. It prints as a
// placeholder and refuses to be marshalled to JSON; its fields do not, so pass the whole.
type Keys struct {
	// Signing is the Ed25519 key (RFC 8032): the libp2p identity, and what signs feeds,
	// directories and decisions, each under a [Context] of its own.
	Signing ed25519.PrivateKey
	// Age opens what is sealed to this member or server.
	Age *Identity
	// Disk is the key that the node's store is encrypted under.
	Disk [32]byte
}

// GenerateKeys makes new keys. The signing and disk keys are read from random, or from the system's
// source where it is nil; the age identity is always from the system's source, age takes no other.
func GenerateKeys(random io.Reader) (*Keys, error) {
	if random == nil {
		random = rand.Reader
	}
	_, signing, err := ed25519.GenerateKey(random)
	if err != nil {
		return nil, fmt.Errorf("generate signing key: %w", err)
	}
	k := &Keys{Signing: signing}
	if _, err := io.ReadFull(random, k.Disk[:]); err != nil {
		return nil, fmt.Errorf("generate disk key: %w", err)
	}
	if k.Age, err = GenerateIdentity(); err != nil {
		return nil, err
	}
	return k, nil
}

// Public is the key that others verify this one's signatures with.
func (k *Keys) Public() ed25519.PublicKey {
	return bytes.Clone(k.Signing[ed25519.SeedSize:])
}

// Save seals the keys into a new file at path, as [WriteSealed] does.
func (k *Keys) Save(path string, l Lock) error {
	text, err := k.encode()
	defer clear(text)
	if err != nil {
		return fmt.Errorf("save keys: %w", err)
	}
	if err := WriteSealed(path, l, text); err != nil {
		return fmt.Errorf("save keys: %w", err)
	}
	return nil
}

// LoadKeys opens the file that [Keys.Save] wrote, as [ReadSealed] does. A file that opens but
// holds something else is [ErrMalformed].
func LoadKeys(path string, l Lock) (*Keys, error) {
	text, err := ReadSealed(path, l)
	defer clear(text)
	if err != nil {
		return nil, fmt.Errorf("load keys: %w", err)
	}
	k, err := decodeKeys(text)
	if err != nil {
		return nil, fmt.Errorf("load keys from %s: %w", path, err)
	}
	return k, nil
}

// Destroy clears the keys. They must not be used afterwards.
func (k *Keys) Destroy() {
	clear(k.Signing)
	clear(k.Disk[:])
	if k.Age != nil {
		k.Age.Destroy()
	}
}

// String is a placeholder.
func (k Keys) String() string { return redacted }

// Format prints a placeholder under every verb.
func (k Keys) Format(f fmt.State, _ rune) { redact(f) }

// LogValue is a placeholder.
func (k Keys) LogValue() slog.Value { return hidden() }

// MarshalJSON refuses: keys leave memory through [Keys.Save] only.
func (k Keys) MarshalJSON() ([]byte, error) {
	return nil, errors.New("secret keys are not for JSON")
}

// The record inside a keys file is four lines of text, which is also an age identity file: with the
// stock program,
//
//	age -d -i KEYFILE node.keys > identity.txt
//	age -d -i identity.txt PACKET.age
//
// opens what was sealed to this node when nothing of Interlock is at hand. Hexadecimal is lower
// case, every line ends in a line feed, and nothing else is accepted: a record has one encoding.
const (
	keysHeader  = "# interlock keys v1\n"
	keysSigning = "# signing " // the 32-byte seed of RFC 8032 §5.1.5, hexadecimal
	keysDisk    = "# disk "    // 32 bytes, hexadecimal
)

func (k *Keys) encode() ([]byte, error) {
	if len(k.Signing) != ed25519.PrivateKeySize || k.Age == nil || k.Age.hybrid == nil {
		return nil, ErrDestroyed
	}
	// Room for the whole, so that no half-filled copy is left behind by growing.
	text := make([]byte, 0, 512)
	text = append(text, keysHeader+keysSigning...)
	text = hex.AppendEncode(text, k.Signing[:ed25519.SeedSize])
	text = append(text, "\n"+keysDisk...)
	text = hex.AppendEncode(text, k.Disk[:])
	text = append(text, '\n')
	text = append(text, k.Age.Reveal()...)
	return append(text, '\n'), nil
}

func decodeKeys(text []byte) (*Keys, error) {
	rest, ok := bytes.CutPrefix(text, []byte(keysHeader))
	if !ok {
		return nil, fmt.Errorf("keys record: %w: not of version 1", ErrMalformed)
	}
	seed, rest, ok := cutKey(rest, keysSigning)
	defer clear(seed[:])
	if !ok {
		return nil, fmt.Errorf("keys record, signing key: %w", ErrMalformed)
	}
	disk, rest, ok := cutKey(rest, keysDisk)
	defer clear(disk[:])
	if !ok {
		return nil, fmt.Errorf("keys record, disk key: %w", ErrMalformed)
	}
	line, rest, ok := bytes.Cut(rest, []byte("\n"))
	if !ok || len(rest) != 0 {
		return nil, fmt.Errorf("keys record, age identity: %w", ErrMalformed)
	}
	id, err := ParseIdentity(string(line))
	if err != nil {
		return nil, fmt.Errorf("keys record: %w", err)
	}
	return &Keys{Signing: ed25519.NewKeyFromSeed(seed[:]), Age: id, Disk: disk}, nil
}

// cutKey takes "label<64 lower-case hexadecimal digits>\n" off the front of text.
func cutKey(text []byte, label string) (key [32]byte, rest []byte, ok bool) {
	text, ok = bytes.CutPrefix(text, []byte(label))
	const digits = 2 * len(key)
	if !ok || len(text) <= digits || text[digits] != '\n' || bytes.ContainsAny(text[:digits], "ABCDEF") {
		return key, nil, false
	}
	if _, err := hex.Decode(key[:], text[:digits]); err != nil {
		clear(key[:])
		return key, nil, false
	}
	return key, text[digits+1:], true
}
