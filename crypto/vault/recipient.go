package vault

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"filippo.io/age"
)

const (
	// recipientSize is the length of a hybrid recipient's text: "age1pq1", the 1,216-byte public
	// key in Bech32, and its checksum.
	recipientSize = 1959
	// identityLimit bounds the text of a hybrid identity, which has 77 characters.
	identityLimit = 128
	// headerLimit bounds the age header of what we open. A hybrid header has about 1.7 kB. The
	// bound keeps a sender from naming hundreds of recipients, each of which costs a decapsulation.
	headerLimit = 4096
	// chunkSize and chunkOverhead are the payload's (age-encryption.org/v1, "Payload").
	chunkSize, chunkOverhead = 64 << 10, 16
)

// Identity is an age hybrid identity: the secret key that opens what was sealed to its [Recipient].
// It prints as a placeholder.
type Identity struct {
	hybrid *age.HybridIdentity
}

// GenerateIdentity makes a new identity from the system's random source.
func GenerateIdentity() (*Identity, error) {
	h, err := age.GenerateHybridIdentity()
	if err != nil {
		return nil, fmt.Errorf("generate age identity: %w", err)
	}
	return &Identity{hybrid: h}, nil
}

// ParseIdentity reads "AGE-SECRET-KEY-PQ-1…" in its canonical form, or returns [ErrMalformed].
// The error repeats no part of the text.
func ParseIdentity(text string) (*Identity, error) {
	if len(text) > identityLimit {
		return nil, fmt.Errorf("parse age identity: %w", ErrMalformed)
	}
	h, err := age.ParseHybridIdentity(text)
	if err != nil || h.String() != text {
		return nil, fmt.Errorf("parse age identity: %w", ErrMalformed)
	}
	return &Identity{hybrid: h}, nil
}

// Recipient is the public half of the identity. A destroyed identity has the zero Recipient.
func (id *Identity) Recipient() Recipient {
	if id.hybrid == nil {
		return Recipient{}
	}
	return Recipient{text: id.hybrid.Recipient().String()}
}

// Reveal returns the secret key's text, to be written into a key file and nowhere else.
func (id *Identity) Reveal() string {
	if id.hybrid == nil {
		return ""
	}
	return id.hybrid.String()
}

// Open returns what was sealed to this identity's recipient, at most limit bytes of it.
// Errors: [ErrWrongKey], [ErrDamaged], [ErrTooLarge], [ErrDestroyed].
func (id *Identity) Open(sealed []byte, limit int) ([]byte, error) {
	if id.hybrid == nil {
		return nil, ErrDestroyed
	}
	return open(sealed, limit, id.hybrid)
}

// Destroy drops the secret key. Methods that need it return [ErrDestroyed] from then on.
func (id *Identity) Destroy() { id.hybrid = nil }

// String is a placeholder.
func (id *Identity) String() string { return redacted }

// Format prints a placeholder under every verb.
func (id *Identity) Format(f fmt.State, _ rune) { redact(f) }

// LogValue is a placeholder.
func (id *Identity) LogValue() slog.Value { return hidden() }

// Recipient is an age hybrid recipient, the public key that things are sealed to. Recipients are
// equal under == exactly when they are the same key. The zero Recipient is nobody's.
type Recipient struct {
	text string
}

// ParseRecipient reads "age1pq1…" in its canonical form, or returns [ErrMalformed]. The error does
// not repeat the text, which may be a secret key pasted into the wrong place.
func ParseRecipient(text string) (Recipient, error) {
	if len(text) != recipientSize {
		return Recipient{}, fmt.Errorf("parse age recipient: %w", ErrMalformed)
	}
	h, err := age.ParseHybridRecipient(text)
	if err != nil || h.String() != text {
		return Recipient{}, fmt.Errorf("parse age recipient: %w", ErrMalformed)
	}
	return Recipient{text: strings.Clone(text)}, nil
}

// String is the canonical text, or the empty string for the zero Recipient.
func (r Recipient) String() string { return r.text }

// Seal encrypts plaintext to the recipient as a binary age file.
func (r Recipient) Seal(plaintext []byte) ([]byte, error) {
	h, err := age.ParseHybridRecipient(r.text)
	if err != nil {
		return nil, fmt.Errorf("seal: recipient: %w", ErrMalformed)
	}
	return seal(plaintext, h)
}

// Fingerprint is a short form of the recipient to read over the telephone: eight groups of five
// digits, about 132 bits of a SHA-256.
func (r Recipient) Fingerprint() string {
	return digits(sha256.Sum256([]byte("interlock recipient fingerprint v1\x00" + r.text)))
}

// Fingerprint is a short form of everything public that a member or server is: the key that it
// signs with and the recipient that things are sealed to. Who approves an applicant reads this
// one over the telephone, because approving binds both keys.
func Fingerprint(signing ed25519.PublicKey, r Recipient) string {
	h := sha256.New()
	h.Write([]byte("interlock identity fingerprint v1\x00"))
	h.Write(binary.BigEndian.AppendUint32(nil, uint32(len(signing))))
	h.Write(signing)
	h.Write([]byte(r.text))
	return digits([sha256.Size]byte(h.Sum(nil)))
}

// digits writes each 32-bit word of a digest as five decimal digits.
func digits(sum [sha256.Size]byte) string {
	groups := make([]string, 0, sha256.Size/4)
	for word := range len(sum) / 4 {
		n := binary.BigEndian.Uint32(sum[4*word:])
		groups = append(groups, fmt.Sprintf("%05d", n%100_000))
	}
	return strings.Join(groups, " ")
}

// seal writes an age file to one recipient.
func seal(plaintext []byte, to age.Recipient) ([]byte, error) {
	var out bytes.Buffer
	w, err := age.Encrypt(&out, to)
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	if _, err := w.Write(plaintext); err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	return out.Bytes(), nil
}

// open reads an age file of at most limit bytes of plaintext.
func open(sealed []byte, limit int, with age.Identity) ([]byte, error) {
	if len(sealed) > limit+headerLimit+(limit/chunkSize+1)*chunkOverhead {
		return nil, fmt.Errorf("open sealed bytes: %w", ErrTooLarge)
	}
	r, err := age.Decrypt(bytes.NewReader(sealed), with)
	if noMatch := new(age.NoIdentityMatchError); errors.As(err, &noMatch) {
		return nil, wrongKey(noMatch.StanzaTypes, with)
	}
	if err != nil {
		return nil, fmt.Errorf("open sealed bytes: %w: %w", ErrDamaged, err)
	}
	plaintext, err := io.ReadAll(io.LimitReader(r, int64(limit)+1))
	if err != nil {
		clear(plaintext)
		return nil, fmt.Errorf("open sealed bytes: %w: %w", ErrDamaged, err)
	}
	if len(plaintext) > limit {
		clear(plaintext)
		return nil, fmt.Errorf("open sealed bytes: %w", ErrTooLarge)
	}
	return plaintext, nil
}

// wrongKey says what would open the file where its header tells: a passphrase or a key.
func wrongKey(stanzas []string, tried age.Identity) error {
	_, byPassphrase := tried.(*age.ScryptIdentity)
	underPassphrase := len(stanzas) == 1 && stanzas[0] == "scrypt"
	switch {
	case byPassphrase && !underPassphrase:
		return fmt.Errorf("open sealed bytes: %w: it needs a key file, not a passphrase", ErrWrongKey)
	case !byPassphrase && underPassphrase:
		return fmt.Errorf("open sealed bytes: %w: it needs a passphrase, not a key file", ErrWrongKey)
	}
	return fmt.Errorf("open sealed bytes: %w", ErrWrongKey)
}
