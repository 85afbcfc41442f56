package vault

import (
	"crypto/ed25519"
	"encoding/binary"
	"fmt"
)

// Context separates what a key signs for one purpose from what it signs for another, and from
// libp2p's plain Ed25519 signatures under the same key: it is the context of Ed25519ctx
// (RFC 8032 §5.1), 1 to 255 bytes. A package that signs something else declares a constant of its own.
type Context string

const (
	// ContextFeed signs the head of an agency's feed.
	ContextFeed Context = "interlock feed head v1"
	// ContextDirectory signs the directory of members; registry servers sign it.
	ContextDirectory Context = "interlock directory v1"
	// ContextApplication signs an applicant's request to be admitted.
	ContextApplication Context = "interlock application v1"
	// ContextOperator signs a registry operator's decision.
	ContextOperator Context = "interlock operator decision v1"
	// ContextInvitation signs an application in the name of an invitation.
	ContextInvitation Context = "interlock invitation v1"
	// ContextSuccession signs an application in the name of the key that it replaces.
	ContextSuccession Context = "interlock key succession v1"
	// ContextReceipt signs how far a member has compared another's feed.
	ContextReceipt Context = "interlock receipt v1"
	// ContextCertificate signs what a case announces and who has compared it.
	ContextCertificate Context = "interlock coverage certificate v1"
	// ContextServer signs what a registry server says in the replicated log.
	ContextServer Context = "interlock registry server v1"
)

// contextLimit is the longest context of RFC 8032 §5.1, in bytes.
const contextLimit = 255

// Sign returns the Ed25519ctx signature (RFC 8032 §5.1) of message under context: 64 bytes,
// deterministic. Like crypto/ed25519 it panics where the program is wrong and no input can be: on a
// key that is not 64 bytes, and on a context that is empty or too long.
func Sign(key ed25519.PrivateKey, context Context, message []byte) []byte {
	if len(key) != ed25519.PrivateKeySize || !context.valid() {
		panic(fmt.Sprintf("vault: sign with a key of %d bytes under the context %q", len(key), string(context)))
	}
	sig, err := key.Sign(nil, message, &ed25519.Options{Context: string(context)})
	if err != nil {
		panic("vault: sign: " + err.Error())
	}
	return sig
}

// Verify reports whether sig is the Ed25519ctx signature of message under context by pub. It is
// strict, because signatures are kept as evidence: it refuses a non-canonical point or scalar, and
// a public key of small order, under which one signature fits many messages.
func Verify(pub ed25519.PublicKey, context Context, message, sig []byte) bool {
	if !context.valid() || !ValidPublicKey(pub) {
		return false
	}
	// The standard library refuses S ≥ L and compares R's encoding, which leaves the key to us.
	return ed25519.VerifyWithOptions(pub, message, sig, &ed25519.Options{Context: string(context)}) == nil
}

func (c Context) valid() bool { return len(c) >= 1 && len(c) <= contextLimit }

// ValidPublicKey reports whether pub has an Ed25519 public key's length, is canonically encoded
// and not of small order. It does not say that pub lies on the curve: [Verify] does.
func ValidPublicKey(pub ed25519.PublicKey) bool {
	if len(pub) != ed25519.PublicKeySize {
		return false
	}
	y := littleEndian(pub)
	y[3] &^= 1 << 63 // the sign of x (RFC 8032 §5.1.2)
	return belowPrime(y) && !smallOrder(y)
}

// littleEndian reads 32 bytes as a 256-bit number, the least significant word first.
func littleEndian(b []byte) (words [4]uint64) {
	for i := range words {
		words[i] = binary.LittleEndian.Uint64(b[8*i:])
	}
	return words
}

// belowPrime reports whether the 255-bit y is below 2^255 - 19, the size of the field.
func belowPrime(y [4]uint64) bool {
	const ones = ^uint64(0)
	return y[3] != ones>>1 || y[2] != ones || y[1] != ones || y[0] < ones-18
}

// smallOrder reports whether y belongs to one of the eight points of order 1, 2, 4 or 8.
func smallOrder(y [4]uint64) bool {
	switch y {
	case [4]uint64{}, // order 4
		[4]uint64{1}, // order 1
		[4]uint64{0xffffffffffffffec, 0xffffffffffffffff, 0xffffffffffffffff, 0x7fffffffffffffff}, // order 2
		[4]uint64{0xb027b2c28f95e826, 0xf098eff289f4c345, 0x3933c6d305acdfd5, 0x05fc536d880238b1}, // order 8
		[4]uint64{0x4fd84d3d706a17c7, 0x0f67100d760b3cba, 0xc6cc392cfa53202a, 0x7a03ac9277fdc74e}: // order 8
		return true
	}
	return false
}
