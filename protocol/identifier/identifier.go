// Package identifier turns raw text into identifiers in one canonical form.
//
// An identifier is what two agencies can have in common without knowing it: an e-mail address, a telephone
// number, an account, a hash. Raw text becomes an [Identifier] only through [Parse] (a field whose kind is known),
// [Extract] (free text) or [Decode] (the stored form), and only an Identifier can become a token. So two officers
// who write one telephone number differently get one token, and text that is no identifier gets none.
//
// The package promises that equal things have equal values under one [Version], that its errors and its printed
// forms never hold the raw text, and that Extract takes time linear in its input. It does not promise that a
// number is in service or an account exists, and it keeps no list of common values: that is for the caller.
// DESIGN.md beside this file says what each kind accepts and why. Callers are node/intake, which reads files, and
// the desk, which takes what an officer types.
package identifier

import (
	"errors"
	"fmt"
	"log/slog"
	"unicode/utf8"
	"unique"
)

// Version numbers the rules of canonical form. It is part of what the OPRF evaluates and of the stored form. Any
// change that gives an existing identifier another value needs a new number, and new tokens.
const Version = 1

const (
	// MaxRaw is the longest raw text, in bytes, that Parse looks at.
	MaxRaw = 4096
	// MaxValue is the longest canonical value in bytes.
	MaxValue = 2048
)

// Identifier is one canonical identifier. It is comparable with ==, usable as a map key, and can only be had from
// Parse, Extract and Decode. The zero Identifier stands for nothing and has kind 0.
//
// The value is held behind a handle, so that printing a structure that contains an Identifier, by whatever means,
// shows an address and not the value.
type Identifier struct {
	kind  Kind
	value unique.Handle[string]
}

// Refusal is why a raw text is not an identifier: one sentence for an officer, which never holds the text itself.
type Refusal string

// Error returns the sentence.
func (r Refusal) Error() string { return string(r) }

// Refusals that do not belong to one kind.
const (
	RefusedEmpty   Refusal = "There is nothing here to read."
	RefusedTooLong Refusal = "This is too long to be an identifier."
	RefusedKind    Refusal = "This kind of identifier is not known."
)

// ErrStored reports bytes that are not the stored form of an identifier.
var ErrStored = errors.New("decode identifier: not in stored form")

// ErrVersion reports a stored form written under other rules of canonical form.
var ErrVersion = errors.New("decode identifier: another version of canonical form")

// Parse reads raw, known to be of the given kind, and returns its canonical form. Telephone numbers without a
// country code are read as numbers of region; an empty region knows no such numbers. The error is a [Refusal].
func Parse(kind Kind, raw string, region Region) (Identifier, error) {
	if len(raw) > MaxRaw {
		return Identifier{}, RefusedTooLong
	}
	text := trimmed(refang(raw).text)
	if text == "" {
		return Identifier{}, RefusedEmpty
	}
	value, err := canonical(kind, text, region)
	if err != nil {
		return Identifier{}, err
	}
	if len(value) > MaxValue || !utf8.ValidString(value) {
		return Identifier{}, RefusedTooLong
	}
	return known(kind, value), nil
}

func canonical(kind Kind, text string, region Region) (string, error) {
	switch kind {
	case Email:
		return canonicalEmail(text)
	case Phone:
		return canonicalPhone(text, region)
	case IP:
		return canonicalIP(text)
	case Domain:
		return canonicalDomain(text)
	case URL:
		return canonicalURL(text)
	case Account:
		return canonicalAccount(text)
	case MD5, SHA1, SHA256:
		return canonicalHash(kind, text)
	case Wallet:
		return canonicalWallet(text)
	default:
		return "", RefusedKind
	}
}

// known makes an Identifier of a value that is canonical already.
func known(kind Kind, value string) Identifier {
	return Identifier{kind: kind, value: unique.Make(value)}
}

// Kind returns what sort of thing is identified; 0 for the zero Identifier.
func (id Identifier) Kind() Kind { return id.kind }

// Value returns the canonical text, such as +14165550142. It is confidential: show it to the officers of the case,
// never write it to a log, a metric or an error.
func (id Identifier) Value() string {
	if id.kind == 0 {
		return ""
	}
	return id.value.Value()
}

// String returns the kind and no value: "email(redacted)".
func (id Identifier) String() string {
	if id.kind == 0 {
		return "none"
	}
	return id.kind.String() + "(redacted)"
}

// Format writes what String returns for every verb, so that no verb prints the value.
func (id Identifier) Format(state fmt.State, _ rune) {
	// A fmt.State has nowhere to report a failed write to.
	fmt.Fprint(state, id.String())
}

// LogValue gives loggers what String returns.
func (id Identifier) LogValue() slog.Value { return slog.StringValue(id.String()) }

// inputTag separates these inputs from any other use of the same OPRF key.
const inputTag = "interlock/identifier\x00"

// Input returns the bytes that the OPRF evaluates: the tag "interlock/identifier" and a zero byte, the version, the
// kind, and the value to the end. All before the value has a fixed length, so no two identifiers share an input.
// The zero Identifier has none.
func (id Identifier) Input() []byte {
	if id.kind == 0 {
		return nil
	}
	value := id.value.Value()
	input := make([]byte, 0, len(inputTag)+2+len(value))
	input = append(input, inputTag...)
	input = append(input, Version, byte(id.kind))
	return append(input, value...)
}

// MarshalBinary returns the stored form: one byte version, one byte kind, the value.
func (id Identifier) MarshalBinary() ([]byte, error) {
	if id.kind == 0 {
		return nil, errors.New("encode identifier: no identifier")
	}
	return append([]byte{Version, byte(id.kind)}, id.value.Value()...), nil
}

// Decode reads the stored form and refuses whatever MarshalBinary would not have written: the value must be what
// Parse makes of it. Two checks of Parse depend on tables that newer builds replace, the numbering plans and the
// public suffix list. Decode leaves those two out, so that what one build stored every later build can read.
// It returns ErrStored or ErrVersion.
func Decode(stored []byte) (Identifier, error) {
	if len(stored) < 3 || len(stored) > MaxValue+2 {
		return Identifier{}, ErrStored
	}
	if stored[0] != Version {
		return Identifier{}, ErrVersion
	}
	kind, value := Kind(stored[1]), string(stored[2:])
	if !storedForm(kind, value) {
		return Identifier{}, ErrStored
	}
	return known(kind, value), nil
}

func storedForm(kind Kind, value string) bool {
	if !utf8.ValidString(value) || refang(value).text != value {
		return false
	}
	var form string
	var err error
	switch kind {
	case Email:
		form, err = emailForm(value, anyName)
	case Phone:
		return isE164(value)
	case Domain:
		form, err = anyName(value)
	case URL:
		form, err = urlForm(value, anyName)
	default:
		form, err = canonical(kind, value, "")
	}
	return err == nil && form == value
}
