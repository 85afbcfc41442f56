package directory

import (
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	"interlock/crypto/vault"
	"interlock/protocol/wire"
)

// ErrSignature is a signature that does not verify.
var ErrSignature = errors.New("signature does not verify")

// ApplicationHash names one application with every signature that it has: an
// operator approves exactly it. One that lost the signature of the key that it
// replaces is another application, for it asks for more.
type ApplicationHash [sha256.Size]byte

// Signers are the keys that sign an application.
type Signers struct {
	Key        ed25519.PrivateKey // the agency's, of which the application speaks
	Invitation ed25519.PrivateKey // for who is new; nil otherwise
	Replaces   *wire.Peer         // the agency's key until now, where it changes
	Old        ed25519.PrivateKey // that key, where it is not lost
}

// SignApplication returns a's application to the network genesis, signed.
func SignApplication(by Signers, genesis GenesisHash, a Agency, unix uint64) (*wire.Application, error) {
	m := &wire.Application{
		Id: string(a.ID), Name: a.Name, Jurisdiction: a.Jurisdiction, Contact: a.Contact, Key: a.Key[:],
		Recipient: a.Recipient.String(), Addresses: a.Addresses, Genesis: genesis[:], Time: unix,
	}
	if by.Invitation != nil {
		p := wire.PeerOf(by.Invitation)
		m.Invitation = p[:]
	}
	if by.Replaces != nil {
		m.Replaces = by.Replaces[:]
	}
	b, err := unsigned(m)
	if err != nil {
		return nil, err
	}
	m.Signature = vault.Sign(by.Key, vault.ContextApplication, b)
	if by.Invitation != nil {
		m.Invited = vault.Sign(by.Invitation, vault.ContextInvitation, b)
	}
	if by.Old != nil {
		m.Replaced = vault.Sign(by.Old, vault.ContextSuccession, b)
	}
	return m, nil
}

// unsigned is what the signatures of an application are over.
func unsigned(m *wire.Application) ([]byte, error) {
	m = proto.Clone(m).(*wire.Application)
	m.Signature, m.Invited, m.Replaced = nil, nil, nil
	b, err := wire.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("encode application: %w", err)
	}
	return b, nil
}

// CheckApplication parses an application to the network genesis and verifies
// every signature that it has: of the key that it names, of its invitation, and
// of the key that it replaces. Whether it needs them is the registry's to say.
func CheckApplication(m *wire.Application, genesis GenesisHash) (Agency, ApplicationHash, error) {
	a, err := agencyOf(&wire.Agency{
		Id: m.GetId(), Name: m.GetName(), Jurisdiction: m.GetJurisdiction(), Contact: m.GetContact(), Key: m.GetKey(),
		Recipient: m.GetRecipient(), Addresses: m.GetAddresses(), Status: uint32(Pending),
	}, nil)
	if err != nil {
		return Agency{}, ApplicationHash{}, fmt.Errorf("application: %w", err)
	}
	if GenesisHash(fixed(m.Genesis)) != genesis {
		return Agency{}, ApplicationHash{}, ErrOtherNetwork
	}
	b, err := unsigned(m)
	if err != nil {
		return Agency{}, ApplicationHash{}, err
	}
	if !vault.Verify(a.Key.Key(), vault.ContextApplication, b, m.Signature) ||
		!signedBy(m.Invitation, vault.ContextInvitation, b, m.Invited, true) ||
		!signedBy(m.Replaces, vault.ContextSuccession, b, m.Replaced, false) {
		return Agency{}, ApplicationHash{}, fmt.Errorf("application: %w", ErrSignature)
	}
	// Unambiguous: a signature has 64 bytes, b says whether the invitation's is
	// there, and only the last may be absent.
	return a, sha256.Sum256(slices.Concat(b, m.Signature, m.Invited, m.Replaced)), nil
}

// signedBy reports whether key signed b. Without a key there must be no
// signature; with one there may be none where must is not set.
func signedBy(key []byte, context vault.Context, b, signature []byte, must bool) bool {
	if len(key) == 0 {
		return len(signature) == 0
	}
	p, err := wire.ParsePeer(key)
	if err != nil {
		return false
	}
	return len(signature) == 0 && !must || vault.Verify(p.Key(), context, b, signature)
}

// fixed returns b as an array, all zero where the size is wrong: no hash is.
func fixed(b []byte) (out [sha256.Size]byte) {
	if len(b) == len(out) {
		copy(out[:], b)
	}
	return out
}
