package directory

import (
	"fmt"

	"interlock/crypto/oprf"
	"interlock/crypto/token"
	"interlock/protocol/wire"
)

// MaxEpochs is how many token keys may match at a time: the one in force and
// the one that it replaces.
const MaxEpochs = 2

// Message is the epoch as messages carry it.
func (k KeyEpoch) Message() *wire.KeyEpoch {
	m := &wire.KeyEpoch{
		Epoch: uint32(k.Epoch), Generation: k.Generation, Threshold: uint32(k.Keys.Threshold),
		PublicKey: k.Keys.Public[:], Federation: k.Federation[:], Retiring: k.Retiring,
	}
	for _, s := range k.Keys.Shares {
		m.Shares = append(m.Shares, &wire.PublicShare{Server: uint32(s.Index), Key: s.Key[:]})
	}
	return m
}

// EpochsOf parses key epochs in ascending order; all but the last are retiring.
func EpochsOf(list []*wire.KeyEpoch) ([]KeyEpoch, error) {
	if len(list) > MaxEpochs {
		return nil, fmt.Errorf("%w: %d key epochs, at most %d", ErrMalformed, len(list), MaxEpochs)
	}
	var epochs []KeyEpoch
	for i, m := range list {
		k, err := EpochOf(m)
		if err != nil {
			return nil, fmt.Errorf("%w: key epoch %d: %w", ErrMalformed, m.GetEpoch(), err)
		}
		if i > 0 && epochs[i-1].Epoch >= k.Epoch || k.Retiring != (i < len(list)-1) {
			return nil, fmt.Errorf("%w: key epoch %d: out of order, or two in force", ErrMalformed, k.Epoch)
		}
		epochs = append(epochs, k)
	}
	return epochs, nil
}

// EpochOf parses one key epoch, and checks that its shares belong to its key.
func EpochOf(m *wire.KeyEpoch) (KeyEpoch, error) {
	k := KeyEpoch{
		Epoch: token.Epoch(m.GetEpoch()), Generation: m.GetGeneration(), Retiring: m.GetRetiring(),
		Keys: oprf.KeySet{Threshold: int(m.GetThreshold())},
	}
	if k.Epoch == 0 || k.Generation == 0 || len(m.PublicKey) != len(k.Keys.Public) || len(m.Federation) != len(k.Federation) {
		return k, fmt.Errorf("number, public key or commitment")
	}
	copy(k.Keys.Public[:], m.PublicKey)
	copy(k.Federation[:], m.Federation)
	for _, s := range m.Shares {
		share := oprf.PublicShare{Index: oprf.Index(s.GetServer())}
		if s.GetServer() != uint32(share.Index) || len(s.Key) != len(share.Key) {
			return k, fmt.Errorf("share of server %d", s.GetServer())
		}
		copy(share.Key[:], s.Key)
		k.Keys.Shares = append(k.Keys.Shares, share)
	}
	return k, k.Keys.Validate()
}
