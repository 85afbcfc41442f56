package directory

import (
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"

	"interlock/crypto/vault"
	"interlock/protocol/wire"
)

// ErrSignature is a signature that does not verify.
var ErrSignature = errors.New("signature does not verify")

// ApplicationHash names one application; an operator approves exactly it.
type ApplicationHash [sha256.Size]byte

// SignApplication returns a's application to the network genesis, signed.
func SignApplication(key ed25519.PrivateKey, genesis GenesisHash, a Agency, unix uint64) (*wire.Application, error) {
	m := &wire.Application{
		Id: string(a.ID), Name: a.Name, Jurisdiction: a.Jurisdiction, Contact: a.Contact, Key: a.Key[:],
		Recipient: a.Recipient.String(), Addresses: a.Addresses, Genesis: genesis[:], Time: unix,
	}
	b, err := wire.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("encode application: %w", err)
	}
	m.Signature = vault.Sign(key, vault.ContextApplication, b)
	return m, nil
}

// CheckApplication parses an application to the network genesis and verifies
// that the key it names signed it.
func CheckApplication(m *wire.Application, genesis GenesisHash) (Agency, ApplicationHash, error) {
	a, err := agencyOf(&wire.Agency{
		Id: m.GetId(), Name: m.GetName(), Jurisdiction: m.GetJurisdiction(), Contact: m.GetContact(), Key: m.GetKey(),
		Recipient: m.GetRecipient(), Addresses: m.GetAddresses(), Status: uint32(Pending),
	})
	if err != nil {
		return Agency{}, ApplicationHash{}, fmt.Errorf("application: %w", err)
	}
	if GenesisHash(fixed(m.Genesis)) != genesis {
		return Agency{}, ApplicationHash{}, ErrOtherNetwork
	}
	unsigned := proto.Clone(m).(*wire.Application)
	unsigned.Signature = nil
	b, err := wire.Marshal(unsigned)
	if err != nil {
		return Agency{}, ApplicationHash{}, fmt.Errorf("encode application: %w", err)
	}
	if !vault.Verify(a.Key.Key(), vault.ContextApplication, b, m.Signature) {
		return Agency{}, ApplicationHash{}, fmt.Errorf("application: %w", ErrSignature)
	}
	return a, sha256.Sum256(append(b, m.Signature...)), nil
}

// fixed returns b as an array, all zero where the size is wrong: no hash is.
func fixed(b []byte) (out [sha256.Size]byte) {
	if len(b) == len(out) {
		copy(out[:], b)
	}
	return out
}
