// Package invitation is the one string, or QR code, that an agency needs to
// enrol: which network, its servers with their keys and addresses, how many of
// them must agree, and a one-time key to apply with.
//
// The registry's operators make one and hand it over; the agency's node parses
// it, pins the network and signs its application with the key. The string is a
// secret: whoever reads it first may apply in the agency's place, once and until
// it expires, and then two operators still look at the application. Nothing
// here proves who wrote it: whoever can alter it on its way can send the
// agency to a network of their own. So it travels as a password would. Its
// checksum finds accidents alone.
//
// Nothing here opens a connection or a file, nor asks whether an address can
// be dialled; protocol/link does.
package invitation

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"time"

	"interlock/protocol/directory"
	"interlock/protocol/wire"
)

// ErrDestroyed is what the use of an invitation without a key returns.
var ErrDestroyed = errors.New("the invitation has no key, or it was destroyed")

// Invitation is what an agency enrols with. It prints as a placeholder, and
// copies share one key, which Destroy clears for all of them.
type Invitation struct {
	Network directory.Network
	Expires uint64 // Unix day, the last on which it is good
	secret  *secret
}

// secret is the seed of the key, two pointers away from an invitation: package
// fmt follows one, in a field that it cannot ask how to print.
type secret struct{ seed *[ed25519.SeedSize]byte }

func newSecret() *secret { return &secret{new([ed25519.SeedSize]byte)} }

// destroyed reports whether there is no seed, or no more.
func (s *secret) destroyed() bool { return s == nil || *s.seed == [ed25519.SeedSize]byte{} }

// New makes an invitation to a network with a new key, which is read from
// random, or from the system's source where that is nil. It fails where Encode
// would.
func New(random io.Reader, network directory.Network, expires uint64) (Invitation, error) {
	if random == nil {
		random = rand.Reader
	}
	i := Invitation{Network: network, Expires: expires, secret: newSecret()}
	if _, err := io.ReadFull(random, i.secret.seed[:]); err != nil {
		return Invitation{}, fmt.Errorf("make invitation: %w", err)
	}
	b, err := i.payload()
	clear(b)
	if err != nil {
		i.Destroy()
		return Invitation{}, fmt.Errorf("make invitation: %w", err)
	}
	return i, nil
}

// check reports what cannot stand in an invitation.
func (i Invitation) check() error {
	if i.secret.destroyed() {
		return ErrDestroyed
	}
	if i.Expires == 0 || i.Expires > math.MaxUint32 {
		return fmt.Errorf("expires on day %d, want 1 to %d", i.Expires, uint32(math.MaxUint32))
	}
	return i.Network.Check()
}

// Key is the one-time key that signs the application (RFC 8032), nil after
// Destroy. It is the caller's to clear.
func (i Invitation) Key() ed25519.PrivateKey {
	if i.secret.destroyed() {
		return nil
	}
	return ed25519.NewKeyFromSeed(i.secret.seed[:])
}

// Public is what the registry knows of the invitation; zero after Destroy.
func (i Invitation) Public() wire.Peer {
	key := i.Key()
	defer clear(key)
	if key == nil {
		return wire.Peer{}
	}
	return wire.PeerOf(key)
}

// Expired reports whether the invitation is good no more. The registry decides;
// this is to say so before asking.
func (i Invitation) Expired(now time.Time) bool { return directory.Day(now) > i.Expires }

// Equal reports whether both invite to one network with one key, without
// telling by the time it takes how much of the keys is alike.
func (i Invitation) Equal(j Invitation) bool {
	a, errA := i.payload()
	b, errB := j.payload()
	defer clear(a)
	defer clear(b)
	return errA == nil && errB == nil && subtle.ConstantTimeCompare(a, b) == 1
}

// Destroy clears the key, of all copies. What Encode returned, and the text
// that Parse was given, are the caller's.
func (i *Invitation) Destroy() {
	if i.secret != nil {
		clear(i.secret.seed[:])
	}
	i.secret = nil
}

const redacted = "[invitation]"

// String is a placeholder.
func (i Invitation) String() string { return redacted }

// Format prints a placeholder under every verb.
func (i Invitation) Format(f fmt.State, _ rune) { fmt.Fprint(f, redacted) }

// LogValue is a placeholder.
func (i Invitation) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText refuses: an invitation becomes text through Encode only.
func (i Invitation) MarshalText() ([]byte, error) {
	return nil, errors.New("an invitation is not for text")
}
