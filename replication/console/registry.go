package console

import (
	"context"
	"io"

	"interlock/protocol/directory"
	"interlock/protocol/invitation"
	"interlock/protocol/wire"
	"interlock/replication/centre"
)

// Registry is the registry as one operator reaches it; *centre.Operator is one.
type Registry interface {
	// Key is the operator's public key.
	Key() wire.Peer
	// Status is how the registry stands.
	Status(context.Context) (*centre.Status, error)
	// Close ends the links and erases the operator's keys.
	Close() error
	Decider
	Archive
}

// Decider signs what an operator decides and has it taken. What the registry
// refuses is a centre.Declined.
type Decider interface {
	DecideOn(context.Context, centre.Verb, centre.Subject, string) (*centre.Status, error)
	Move(context.Context, *wire.Motion, string) (*centre.Status, error)
	DecideMotion(context.Context, centre.Verb, centre.Motion, string) (*centre.Status, error)
	Clear(context.Context, directory.AgencyID, string) (*centre.Status, error)
	Invite(ctx context.Context, label string, days int) (invitation.Invitation, error)
}

// Archive is the registry's record.
type Archive interface {
	// Record returns entries of the record from an index on, count of them or
	// fewer. They are one server's word.
	Record(ctx context.Context, from, count uint64) ([][]byte, error)
	// ExportRecord writes the whole record with the signatures that prove it, as
	// package record reads it, and tells how far it has come.
	ExportRecord(ctx context.Context, w io.Writer, told func(done, of uint64)) error
}
