// Package token turns the token of an identifier into what may be shown to other agencies: a tag,
// which is compared, and a sealed pointer to a case, which only a holder of the same identifier can
// open. Both are scoped to the agency that announces them, its author.
//
// What it promises. Tags of one identifier by two authors, in two epochs or in two federations
// cannot be told from random without the token and the federation secret; a sealed pointer opens
// only for its author, its entry number and its tag; and all sealed pointers have one size.
//
// What it does not promise. Whoever holds the token of an identifier and the federation secret
// recognises every member's tag of it: that is what matching is. One author's entries for one
// identifier in one epoch carry the same tag, so an author announces an identifier once. How the
// token is made, so that nobody can make one in bulk, is package oprf's promise.
//
// The match and the feed use it, and nobody else derives anything from a token. DESIGN.md beside
// the code has the derivation byte by byte and the reasons; testdata/vectors.json has examples.
package token

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
)

// Size is the length of a token in bytes: one output of the VOPRF with SHA-512 (RFC 9497 §3.3.2).
const Size = 64

// Author is an agency's id as the directory spells it.
type Author string

// DirectoryScope is the scope of tags that stand in the signed directory, for values that are muted in the whole
// network. No agency can have it as its id: ids hold no asterisk. Like every tag it is one of an epoch, so a muted value
// has one tag in the list for each key that matches.
const DirectoryScope Author = "*directory"

// Epoch numbers the period in which one registry key and one federation secret count.
type Epoch uint32

// Secret is the federation secret of an epoch: 32 random bytes that every member has and no
// stranger. It prints as a placeholder and refuses to be marshalled as text.
type Secret [32]byte

// Tag is what stands for an identifier in one author's feed. It prints as a placeholder and refuses
// to be marshalled as text, because no log or message may hold a tag.
type Tag [16]byte

// CasePointer is the random handle by which other agencies know a case. It tells nothing of the case.
type CasePointer [16]byte

// String is the handle in hexadecimal.
func (c CasePointer) String() string { return hex.EncodeToString(c[:]) }

// Handling says how what is learned from a match may be used, in Europol's handling codes.
// The zero value is H0.
type Handling uint8

// The handling codes.
const (
	H0 Handling = iota // to prevent and to combat the crime, without further limits
	H1                 // in judicial proceedings only with leave of who provided it
	H2                 // not to be passed on without leave of who provided it
	H3                 // other restrictions, which who provided it will state
)

// Valid reports whether h is one of the codes.
func (h Handling) Valid() bool { return h <= H3 }

// String is the code, as in "H1".
func (h Handling) String() string {
	if !h.Valid() {
		return fmt.Sprintf("Handling(%d)", uint8(h))
	}
	return "H" + string('0'+rune(h))
}

const (
	redactedSecret = "[secret]"
	redactedTag    = "[tag]"
)

var errNotForText = errors.New("tags and secrets are not for text")

// String is a placeholder.
func (s Secret) String() string { return redactedSecret }

// Format prints a placeholder under every verb.
func (s Secret) Format(f fmt.State, _ rune) { fmt.Fprint(f, redactedSecret) }

// LogValue is a placeholder.
func (s Secret) LogValue() slog.Value { return slog.StringValue(redactedSecret) }

// MarshalText refuses.
func (s Secret) MarshalText() ([]byte, error) { return nil, errNotForText }

// String is a placeholder.
func (t Tag) String() string { return redactedTag }

// Format prints a placeholder under every verb.
func (t Tag) Format(f fmt.State, _ rune) { fmt.Fprint(f, redactedTag) }

// LogValue is a placeholder.
func (t Tag) LogValue() slog.Value { return slog.StringValue(redactedTag) }

// MarshalText refuses.
func (t Tag) MarshalText() ([]byte, error) { return nil, errNotForText }

// Commitment is what a network pins of its federation secret: the SHA-256 of a label and the secret. The secret is
// random, so nothing can be learned of it from the commitment, and no other secret has the same one.
type Commitment [sha256.Size]byte

// Commit returns the commitment to s.
func (s Secret) Commit() Commitment {
	return sha256.Sum256(append([]byte("interlock federation secret v1"), s[:]...))
}
