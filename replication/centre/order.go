package centre

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"
	"unicode/utf8"

	"interlock/crypto/oprf"
	"interlock/crypto/vault"
	"interlock/protocol/directory"
	"interlock/protocol/settings"
	"interlock/protocol/wire"
	"interlock/replication/registry"
)

// contextRecovery signs an order of recovery.
const contextRecovery vault.Context = "interlock recovery order v1"

// ErrOrder says that an order of recovery does not hold, wrapped with why.
var ErrOrder = errors.New("the order of recovery does not hold")

// The limits of an order.
const (
	maxOrder      = 64 << 10 // bytes of the file
	maxSignatures = 16
)

// Order is what operators sign when a majority of the servers was lost for
// good: which servers go on, as which incarnation of the network. It is good
// once, because the next incarnation begins with it.
type Order struct {
	Genesis     directory.GenesisHash
	Incarnation uint64       // that begins, one more than the one that was lost
	Survivors   []oprf.Index // ascending
	// State is the SHA-256 of the registry in a backup from which the only
	// survivor begins; zero where survivors go on with what is in their folders.
	State      [32]byte
	Time       uint64 // Unix seconds
	Reason     string
	Signatures []OrderSignature
}

// OrderSignature is one operator's.
type OrderSignature struct {
	Operator  wire.Peer
	Signature []byte
}

// statement is what is signed: numbers are big-endian.
//
//	genesis 32 | incarnation 8 | time 8 | state 32 | survivors 2, each 2 | reason
func (o *Order) statement() []byte {
	b := append([]byte(nil), o.Genesis[:]...)
	b = binary.BigEndian.AppendUint64(b, o.Incarnation)
	b = binary.BigEndian.AppendUint64(b, o.Time)
	b = append(b, o.State[:]...)
	b = binary.BigEndian.AppendUint16(b, uint16(len(o.Survivors)))
	for _, i := range o.Survivors {
		b = binary.BigEndian.AppendUint16(b, uint16(i))
	}
	return append(b, o.Reason...)
}

// Seeds reports whether the survivor begins from a backup.
func (o *Order) Seeds() bool { return o.State != [32]byte{} }

// Check reports what makes an order none, whoever signs it.
func (o *Order) Check() error {
	switch {
	case o.Incarnation < 2:
		return fmt.Errorf("%w: incarnation %d: the first that is recovered is 2", ErrOrder, o.Incarnation)
	case len(o.Survivors) < 1 || len(o.Survivors) > directory.MaxServers || o.Survivors[0] == 0:
		return fmt.Errorf("%w: want 1 to %d survivors, by their numbers", ErrOrder, directory.MaxServers)
	case o.Seeds() && len(o.Survivors) != 1:
		return fmt.Errorf("%w: a registry begins from a backup at one server alone", ErrOrder)
	case o.Reason == "" || len(o.Reason) > directory.MaxText || !utf8.ValidString(o.Reason) || clean(o.Reason) != o.Reason:
		return fmt.Errorf("%w: want a reason in one line of at most %d bytes", ErrOrder, directory.MaxText)
	case o.Time > math.MaxInt64 || time.Unix(int64(o.Time), 0).UTC().Year() > 9999:
		return fmt.Errorf("%w: its time cannot be", ErrOrder)
	case len(o.Signatures) > maxSignatures:
		return fmt.Errorf("%w: more than %d signatures", ErrOrder, maxSignatures)
	}
	for i := 1; i < len(o.Survivors); i++ {
		if o.Survivors[i] <= o.Survivors[i-1] {
			return fmt.Errorf("%w: survivors twice or out of order", ErrOrder)
		}
	}
	return nil
}

// Sign adds an operator's signature.
func (o *Order) Sign(keys *vault.Keys) error {
	if err := o.Check(); err != nil {
		return err
	}
	key := wire.PeerOf(keys.Signing)
	if slices.ContainsFunc(o.Signatures, func(s OrderSignature) bool { return s.Operator == key }) {
		return fmt.Errorf("%w: this operator has signed it already, a second one must", ErrOrder)
	}
	o.Signatures = append(o.Signatures, OrderSignature{key, vault.Sign(keys.Signing, contextRecovery, o.statement())})
	return o.Check()
}

// Holds checks the order against what a survivor knows: the network, its
// incarnation, and who its operators are. It returns the names of those who signed.
func (o *Order) Holds(state *registry.State, incarnation uint64) (by []string, err error) {
	if err := o.Check(); err != nil {
		return nil, err
	}
	if o.Genesis != state.Hash {
		return nil, fmt.Errorf("%w: it is for another network", ErrOrder)
	}
	if o.Incarnation != incarnation+1 {
		return nil, fmt.Errorf("%w: it begins incarnation %d, and after %d comes %d", ErrOrder, o.Incarnation, incarnation, incarnation+1)
	}
	seen := make(map[wire.Peer]bool)
	for _, s := range o.Signatures {
		name := state.OperatorName(s.Operator)
		switch {
		case state.RolesOf(s.Operator)&registry.Operations == 0:
			return nil, fmt.Errorf("%w: %s, who signed it, is no operator with the role operations", ErrOrder, s.Operator)
		case seen[s.Operator]:
			return nil, fmt.Errorf("%w: %s has signed it twice", ErrOrder, name)
		case !vault.Verify(s.Operator.Key(), contextRecovery, o.statement(), s.Signature):
			return nil, fmt.Errorf("%w: the signature of %s is not over this order", ErrOrder, name)
		}
		seen[s.Operator] = true
		by = append(by, name)
	}
	if len(by) < registry.Approvals {
		return nil, fmt.Errorf("%w: signed by %d, want %d operators", ErrOrder, len(by), registry.Approvals)
	}
	return by, nil
}

// orderFile is the order as it lies in its file, which people read.
type orderFile struct {
	Network     string          `toml:"network" comment:"An order of recovery. The hash of the founding document:"`
	Incarnation uint64          `toml:"incarnation" comment:"The incarnation of the network that begins with it."`
	Survivors   []uint16        `toml:"survivors" comment:"The servers that go on. Every other one is lost for good, and destroyed."`
	State       string          `toml:"state,omitempty" comment:"The SHA-256 of the registry in the backup that the survivor begins from."`
	Time        time.Time       `toml:"time"`
	Reason      string          `toml:"reason"`
	Signatures  []orderSignedBy `toml:"signatures,omitempty"`
}

type orderSignedBy struct {
	Operator  string `toml:"operator"` // key, hexadecimal
	Signature string `toml:"signature"`
}

// Encode writes the order's file.
func (o *Order) Encode() ([]byte, error) {
	f := orderFile{
		Network: hex.EncodeToString(o.Genesis[:]), Incarnation: o.Incarnation, Time: time.Unix(int64(o.Time), 0).UTC(), Reason: o.Reason,
	}
	for _, i := range o.Survivors {
		f.Survivors = append(f.Survivors, uint16(i))
	}
	if o.Seeds() {
		f.State = hex.EncodeToString(o.State[:])
	}
	for _, s := range o.Signatures {
		f.Signatures = append(f.Signatures, orderSignedBy{s.Operator.Hex(), hex.EncodeToString(s.Signature)})
	}
	return settings.Encode(f)
}

// ParseOrder reads an order's file exactly as Encode writes it: an order that
// somebody has touched is none.
func ParseOrder(b []byte) (o *Order, err error) {
	if len(b) > maxOrder {
		return nil, fmt.Errorf("%w: more than %d bytes", ErrOrder, maxOrder)
	}
	var f orderFile
	if err := settings.Decode(b, &f); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrOrder, err)
	}
	o = &Order{Incarnation: f.Incarnation, Time: uint64(f.Time.Unix()), Reason: f.Reason}
	if o.Genesis, err = directory.ParseKey("network", f.Network); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrOrder, err)
	}
	if f.State != "" {
		if o.State, err = directory.ParseKey("state", f.State); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrOrder, err)
		}
	}
	for _, i := range f.Survivors {
		o.Survivors = append(o.Survivors, oprf.Index(i))
	}
	for _, s := range f.Signatures {
		key, err := directory.ParseKey("operator", s.Operator)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrOrder, err)
		}
		signature, err := hex.DecodeString(s.Signature)
		if err != nil {
			return nil, fmt.Errorf("%w: signature: want hexadecimal digits", ErrOrder)
		}
		o.Signatures = append(o.Signatures, OrderSignature{key, signature})
	}
	if err := o.Check(); err != nil {
		return nil, err
	}
	if again, err := o.Encode(); err != nil || !bytes.Equal(again, b) {
		return nil, fmt.Errorf("%w: the file is not as it was written", ErrOrder)
	}
	return o, nil
}
