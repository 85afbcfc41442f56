package desk

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"

	"interlock/node/casefile"
)

// argon2id with the second recommended parameters of RFC 9106 §4: 64 MiB, 3
// passes, 4 lanes; 16 bytes of salt, 32 of tag.
const (
	argonTime    = 3
	argonMemory  = 64 << 10 // KiB
	argonThreads = 4
	saltSize     = 16
	hashSize     = 32

	// hashesAtOnce bounds the memory that signing in can take, and
	// hashesWaiting how many wait for their turn before others are told to.
	hashesAtOnce  = 2
	hashesWaiting = 32

	minPassword = 12   // runes
	maxPassword = 1000 // bytes
)

var encoding = base64.RawStdEncoding

// CheckPassword returns what is wrong with a new password.
func CheckPassword(p string) error {
	if utf8.RuneCountInString(p) < minPassword || len(p) > maxPassword {
		return &casefile.Sentence{
			Text: "A password has at least 12 characters.", Hint: "Four words that do not belong together are good, and easy to keep.",
		}
	}
	return nil
}

// errCrowd is the answer where too many passwords wait to be hashed.
var errCrowd = &casefile.Sentence{
	Text: "Too many people are signing in at this moment.", Hint: "Try again in half a minute.",
}

// hashPassword returns p hashed, as a PHC string.
func (d *Desk) hashPassword(p string) (string, error) {
	salt := make([]byte, saltSize)
	if _, err := rand.Read(salt); err != nil {
		return "", err
	}
	tag, err := d.derive(p, salt)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, argonMemory, argonTime, argonThreads,
		encoding.EncodeToString(salt), encoding.EncodeToString(tag)), nil
}

// derive waits for its turn, or returns errCrowd.
func (d *Desk) derive(p string, salt []byte) ([]byte, error) {
	select {
	case d.queue <- struct{}{}:
		defer func() { <-d.queue }()
	default:
		return nil, errCrowd
	}
	d.hashing <- struct{}{}
	defer func() { <-d.hashing }()
	return argon2.IDKey([]byte(p), salt, argonTime, argonMemory, argonThreads, hashSize), nil
}

// verifyPassword reports whether p has the hash phc. It does the same work
// whether or not there is a hash to compare with.
func (d *Desk) verifyPassword(p, phc string) (bool, error) {
	salt, want := make([]byte, saltSize), make([]byte, hashSize)
	parts := strings.Split(phc, "$")
	valid := len(parts) == 6 && parts[1] == "argon2id" &&
		parts[3] == fmt.Sprintf("m=%d,t=%d,p=%d", argonMemory, argonTime, argonThreads)
	if valid {
		s, errSalt := encoding.DecodeString(parts[4])
		w, errHash := encoding.DecodeString(parts[5])
		valid = errSalt == nil && errHash == nil && len(s) == saltSize && len(w) == hashSize
		if valid {
			salt, want = s, w
		}
	}
	if len(p) > maxPassword {
		p, valid = "", false
	}
	tag, err := d.derive(p, salt)
	return err == nil && subtle.ConstantTimeCompare(tag, want) == 1 && valid, err
}
