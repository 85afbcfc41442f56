package console

import (
	"bytes"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base32"
	"errors"
	"fmt"
	"image/png"
	"strconv"
	"strings"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"
	"github.com/pquerna/otp/totp"
)

// A second factor is a time-based one-time password (RFC 6238): six digits,
// SHA-1, steps of 30 seconds, which is what every authenticator app knows. The
// clock of the telephone may be one step ahead or behind.
const (
	factorSecret = 20 // bytes (RFC 4226 section 4, R6)
	factorStep   = 30 // seconds
	factorSkew   = 1  // steps
	factorHeader = "interlock second factor v1"
	factorLimit  = 256
	pictureSide  = 264 // pixels
)

var errFactor = errors.New("second factor: not in canonical form")

// factor is an operator's second factor. It prints as a placeholder.
type factor struct {
	secret string // base32
	used   uint64 // the last step whose code was accepted
}

func newFactor() (factor, error) {
	b := make([]byte, factorSecret)
	if _, err := rand.Read(b); err != nil {
		return factor{}, fmt.Errorf("second factor: %w", err)
	}
	return factor{secret: base32.StdEncoding.EncodeToString(b)}, nil
}

// String is a placeholder.
func (f factor) String() string { return "second factor" }

// accept returns the step that a code is of. A code of a step that was used, or
// of one before it, is accepted no more.
func (f factor) accept(code string, now time.Time) (step uint64, ok bool) {
	at := uint64(max(0, now.Unix())) / factorStep
	for s := at - min(at, factorSkew); s <= at+factorSkew; s++ {
		want, err := hotp.GenerateCodeCustom(f.secret, s, hotp.ValidateOpts{Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1})
		if err != nil {
			return 0, false
		}
		if subtle.ConstantTimeCompare([]byte(want), []byte(code)) == 1 && s > f.used {
			step, ok = s, true
		}
	}
	return step, ok
}

// picture is the QR code that an authenticator app reads, a PNG image.
func (f factor) picture(network, name string) ([]byte, error) {
	secret, err := base32.StdEncoding.DecodeString(f.secret)
	if err != nil {
		return nil, errFactor
	}
	key, err := totp.Generate(totp.GenerateOpts{
		Issuer: "Interlock " + strings.ReplaceAll(network, ":", " "), AccountName: name, Secret: secret, Period: factorStep,
		Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1,
	})
	if err != nil {
		return nil, errFactor // the library's errors may repeat the secret
	}
	image, err := key.Image(pictureSide, pictureSide)
	if err != nil {
		return nil, errFactor
	}
	var b bytes.Buffer
	if err := png.Encode(&b, image); err != nil {
		return nil, fmt.Errorf("draw QR code: %w", err)
	}
	return b.Bytes(), nil
}

// spelled is the secret to type where no camera is at hand.
func (f factor) spelled() string {
	var groups []string
	for s := f.secret; len(s) > 0; s = s[min(4, len(s)):] {
		groups = append(groups, s[:min(4, len(s))])
	}
	return strings.Join(groups, " ")
}

// encode is the factor as it is kept: three lines.
func (f factor) encode() []byte {
	return fmt.Appendf(nil, "%s\n%s\n%d\n", factorHeader, f.secret, f.used)
}

// parseFactor reads what encode wrote and nothing else.
func parseFactor(b []byte) (factor, error) {
	lines := strings.Split(string(b), "\n")
	if len(b) > factorLimit || len(lines) != 4 || lines[0] != factorHeader || lines[3] != "" {
		return factor{}, errFactor
	}
	secret, err := base32.StdEncoding.DecodeString(lines[1])
	if err != nil || len(secret) != factorSecret {
		return factor{}, errFactor
	}
	f := factor{secret: lines[1]}
	if f.used, err = strconv.ParseUint(lines[2], 10, 64); err != nil {
		return factor{}, errFactor
	}
	if !bytes.Equal(f.encode(), b) {
		return factor{}, errFactor
	}
	return f, nil
}
