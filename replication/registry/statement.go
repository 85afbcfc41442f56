package registry

import (
	"crypto/ed25519"
	"fmt"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"interlock/crypto/vault"
	"interlock/protocol/directory"
	"interlock/protocol/wire"
)

// statement is what a server signs in the log.
type statement interface {
	proto.Message
	GetServer() uint32
	GetSignature() []byte
}

// SignStatement returns m, a lease, tick or ceremony message, signed by a
// server's key for one network.
func SignStatement[M statement](key ed25519.PrivateKey, network directory.GenesisHash, m M) (M, error) {
	m = proto.Clone(m).(M)
	b, err := unsigned(m, network)
	if err != nil {
		return m, err
	}
	m.ProtoReflect().Set(m.ProtoReflect().Descriptor().Fields().ByName("signature"), protoreflect.ValueOfBytes(vault.Sign(key, vault.ContextServer, b)))
	return m, nil
}

// unsigned is what the signature is over: the network, the message's name, and
// the message without it.
func unsigned(m statement, network directory.GenesisHash) ([]byte, error) {
	m = proto.Clone(m).(statement)
	reflected := m.ProtoReflect()
	reflected.Clear(reflected.Descriptor().Fields().ByName("signature"))
	b, err := wire.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("encode statement: %w", err)
	}
	named := append(network[:], reflected.Descriptor().Name()+"\x00"...)
	return append(named, b...), nil
}

// checkStatement reports whether the server that m names, one of now, signed it.
func (s *State) checkStatement(m statement) error {
	server, ok := s.serverNumbered(m.GetServer())
	if !ok {
		return ErrUnknownServer
	}
	b, err := unsigned(m, s.Hash)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if !vault.Verify(server.Key.Key(), vault.ContextServer, b, m.GetSignature()) {
		return ErrBadSignature
	}
	return nil
}
