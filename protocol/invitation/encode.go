package invitation

import (
	"bytes"
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"unicode"

	"interlock/protocol/directory"
)

// The string is the word, the version, a hyphen, and the payload with its
// checksum in base32 (RFC 4648, section 6) without padding. All of it belongs
// to the alphanumeric mode of QR codes (ISO/IEC 18004, section 7.4.4), and
// nothing of it is changed by a mail program or ends a word in a text field.
const (
	word    = "INTERLOCK"
	version = "1"
	prefix  = word + version + "-"
)

const (
	// MaxLength is the longest invitation, in characters.
	MaxLength = 16_384
	// maxText leaves room for the spaces that others put into one.
	maxText = 4 * MaxLength
	// checksum is how many bytes of SHA-256 end the payload: one damaged
	// invitation in 2^40 passes, and then has a network to make sense of.
	checksum = 5
)

// Errors of Parse: sentences for whoever pasted the text.
var (
	ErrNotInvitation = errors.New("this is not an invitation: one starts with " + prefix)
	ErrVersion       = errors.New("this invitation is for another version of the program: update it, or ask for an invitation of version " + version)
	ErrDamaged       = errors.New("this invitation is damaged: a part is missing or was altered; copy it again, whole")
	ErrTooLong       = fmt.Errorf("an invitation has at most %d characters", MaxLength)
)

var alphabet = base32.StdEncoding.WithPadding(base32.NoPadding)

// Encode returns the invitation as one line of at most MaxLength characters.
func (i Invitation) Encode() (string, error) {
	b, err := i.payload()
	defer clear(b)
	if err != nil {
		return "", fmt.Errorf("encode invitation: %w", err)
	}
	return prefix + alphabet.EncodeToString(b), nil
}

// Parse reads what Encode wrote, with spaces and line breaks anywhere in it,
// and refuses anything else.
func Parse(text string) (Invitation, error) {
	if len(text) > maxText {
		return Invitation{}, ErrTooLong
	}
	text = strings.Join(strings.FieldsFunc(text, unicode.IsSpace), "")
	rest, ok := strings.CutPrefix(text, prefix)
	switch {
	case len(text) > MaxLength:
		return Invitation{}, ErrTooLong
	case !ok && otherVersion(text):
		return Invitation{}, ErrVersion
	case !ok:
		return Invitation{}, ErrNotInvitation
	}
	b, err := alphabet.DecodeString(rest)
	defer clear(b)
	if err != nil || len(b) < checksum || !bytes.Equal(sum(b[:len(b)-checksum]), b[len(b)-checksum:]) {
		return Invitation{}, ErrDamaged
	}
	i, err := parsePayload(b[:len(b)-checksum])
	if err != nil {
		return Invitation{}, fmt.Errorf("read invitation: %w", err)
	}
	if again, err := i.Encode(); err != nil || again != text {
		i.Destroy()
		return Invitation{}, fmt.Errorf("read invitation: %w", ErrDamaged)
	}
	return i, nil
}

// otherVersion reports whether text starts as an invitation of a version that
// is not this one.
func otherVersion(text string) bool {
	rest, ok := strings.CutPrefix(text, word)
	digits, _, hyphen := strings.Cut(rest, "-")
	return ok && hyphen && digits != "" && len(digits) <= 4 && strings.Trim(digits, "0123456789") == ""
}

// sum is the checksum of a payload.
func sum(b []byte) []byte {
	s := sha256.Sum256(append([]byte(prefix), b...))
	return s[:checksum]
}

// payload is the invitation in bytes, with its checksum: the key's seed, the
// day in 4 bytes (all numbers big-endian), the network's genesis, quorum in 1
// byte, name, count of servers in 1 byte; for each server its number in 2
// bytes, key, name, count of addresses in 1 byte, addresses. Texts are as
// appendText writes them.
func (i Invitation) payload() ([]byte, error) {
	if err := i.check(); err != nil {
		return nil, err
	}
	// Room for the longest, so that no copy of the seed is left behind by growing.
	b := make([]byte, 0, MaxLength)
	b = append(b, i.secret.seed[:]...)
	b = binary.BigEndian.AppendUint32(b, uint32(i.Expires))
	b = append(b, i.Network.Genesis[:]...)
	b = append(b, byte(i.Network.Quorum))
	b = appendText(b, i.Network.Name, "", "")
	b = append(b, byte(len(i.Network.Servers)))
	name := i.Network.Name
	for n, s := range i.Network.Servers {
		b = binary.BigEndian.AppendUint16(b, uint16(s.Index))
		b = append(b, s.Key[:]...)
		b = appendText(b, s.Name, name, name)
		b = append(b, byte(len(s.Addresses)))
		for j, a := range s.Addresses {
			before, above := neighbours(i.Network.Servers[:n], s.Addresses[:j])
			b = appendText(b, a, before, above)
		}
		if len(b) > maxPayload {
			clear(b)
			return nil, ErrTooLong
		}
		name = s.Name
	}
	return append(b, sum(b)...), nil
}

// maxPayload is what fits into MaxLength characters beside prefix and checksum.
const maxPayload = (MaxLength-len(prefix))*5/8 - checksum

// neighbours are what an address is written against, for the servers of one
// network are called alike: the one before it at its own server, and the one
// in its place at the server before.
func neighbours(earlier []directory.NetworkServer, own []string) (before, above string) {
	if n := len(earlier); n > 0 && len(own) < len(earlier[n-1].Addresses) {
		above = earlier[n-1].Addresses[len(own)]
	}
	if len(own) == 0 {
		return above, above
	}
	return own[len(own)-1], above
}

// appendText writes s in three counts of 1 byte and what they leave: how many
// bytes it begins with as before does, how many of the others it ends with as
// above does, and how many there are between, which follow.
func appendText(b []byte, s, before, above string) []byte {
	head, tail := 0, 0
	for head < min(len(s), len(before)) && s[head] == before[head] {
		head++
	}
	for tail < min(len(s)-head, len(above)) && s[len(s)-1-tail] == above[len(above)-1-tail] {
		tail++
	}
	middle := s[head : len(s)-tail]
	return append(append(b, byte(head), byte(tail), byte(len(middle))), middle...)
}

// A byte counts a text, the servers and their addresses, or this does not compile.
const _ = uint8(directory.MaxText | directory.MaxServers | directory.MaxAddresses)
