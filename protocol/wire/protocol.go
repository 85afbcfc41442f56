package wire

import "time"

// Role is what a peer is to us; a set of bits, for a peer can be several.
type Role uint8

// The roles. Nobody gets no connection at all.
const (
	Nobody           Role = 0
	Applicant        Role = 1 // a stranger, where strangers may apply
	RegistryOperator Role = 2
	Member           Role = 4
	RegistryServer   Role = 8
)

// Protocol is one kind of conversation: its libp2p name, who may open it, and
// its limits.
type Protocol struct {
	ID    string
	From  Role          // roles that may open a stream
	Frame int           // largest frame, bytes
	Idle  time.Duration // a read or write that takes longer ends the stream
	Peer  int           // streams one peer may have open
}

// Sizes that follow from the batches below.
const (
	KiB = 1 << 10
	MiB = 1 << 20

	// MaxEvaluate is the most identifiers in one evaluation.
	MaxEvaluate = 1024
	// MaxBatch is the most entries in one feed batch, and so the widest gap
	// between two signed heads.
	MaxBatch = 1024
)

// The protocols.
var (
	ProtocolEvaluate  = Protocol{ID: "/interlock/evaluate/1", From: Member, Frame: 64 * KiB, Idle: 20 * time.Second, Peer: 8}
	ProtocolFeed      = Protocol{ID: "/interlock/feed/1", From: Member, Frame: 256 * KiB, Idle: 45 * time.Second, Peer: 4}
	ProtocolReceipts  = Protocol{ID: "/interlock/receipts/1", From: Member, Frame: 512 * KiB, Idle: 20 * time.Second, Peer: 2}
	ProtocolHoldings  = Protocol{ID: "/interlock/holdings/1", From: Member, Frame: MiB, Idle: 20 * time.Second, Peer: 2}
	ProtocolDirectory = Protocol{ID: "/interlock/directory/1", From: Member | RegistryOperator | RegistryServer, Frame: 16 * MiB, Idle: 45 * time.Second, Peer: 2}
	ProtocolAdmission = Protocol{ID: "/interlock/admission/1", From: Applicant | Member, Frame: 16 * MiB, Idle: 20 * time.Second, Peer: 1}
	ProtocolOperate   = Protocol{ID: "/interlock/operate/1", From: RegistryOperator, Frame: 16 * MiB, Idle: 20 * time.Second, Peer: 4}
	ProtocolEvidence  = Protocol{ID: "/interlock/evidence/1", From: Member, Frame: 4 * KiB, Idle: 20 * time.Second, Peer: 1}
	ProtocolRecord    = Protocol{ID: "/interlock/record/1", From: RegistryOperator, Frame: 16 * MiB, Idle: 20 * time.Second, Peer: 2}
	ProtocolPropose   = Protocol{ID: "/interlock/propose/1", From: RegistryServer, Frame: 512 * KiB, Idle: 20 * time.Second, Peer: 64}
	ProtocolGossip    = Protocol{ID: "/interlock/gossip/1", From: Member, Frame: 64 * KiB, Idle: 0, Peer: 2} // reads wait for news, writes 30 seconds
	ProtocolRaft      = Protocol{ID: "/interlock/raft/1", From: RegistryServer, Frame: 0, Idle: 0, Peer: 16}
)

// Heartbeat is how often the serving side of a long stream says that it is
// still there; a third of Idle.
const Heartbeat = 15 * time.Second
