package cluster

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"time"

	"interlock/protocol/directory"
	"interlock/protocol/wire"
)

// Every stream between servers begins with a greeting, which says of which life
// of the network's log the dialling server is, and what it wants. All but
// proposals are answered. Numbers are big-endian:
//
//	greeting  format 1 | purpose 1 | network 32 | incarnation 8 + 32
//	answer    format 1 | verdict 1 | incarnation 8 + 32 | applied 8
type greeting struct {
	purpose     purpose
	network     directory.GenesisHash
	incarnation incarnation
}

type answer struct {
	verdict     verdict
	incarnation incarnation // of who answers
	applied     uint64      // raft's index of what who answers has applied; to who was taken in, its last: after it was
}

const (
	greetingFormat = 1
	greetingSize   = 2 + 2*sha256.Size + 8
	answerSize     = 2 + 8 + sha256.Size + 8
)

// purpose is what a stream is for.
type purpose byte

const (
	replicate purpose = 1 // raft's own conversation follows
	progress  purpose = 2 // the answer is all
	admission purpose = 3 // a server without a log asks the leader to take it in
	proposal  purpose = 4 // frames follow, there is no answer
)

// verdict is how a greeting was taken. Those that refuse are errors.
type verdict byte

const (
	welcome          verdict = 0
	otherNetwork     verdict = 1
	otherIncarnation verdict = 2
	waitingItself    verdict = 3
	notLeading       verdict = 4
	notServer        verdict = 5
	notNow           verdict = 6
)

var verdicts = [...]string{
	welcome:          "welcome",
	otherNetwork:     "the servers are of two networks",
	otherIncarnation: "the servers are of two incarnations of the network: it was recovered or restored without one of them",
	waitingItself:    "that server waits to be taken in itself",
	notLeading:       "that server does not lead",
	notServer:        "that server does not count this one among the network's servers",
	notNow:           "that server cannot say now",
}

func (v verdict) Error() string { return verdicts[v] }

var errGreeting = errors.New("not a greeting between servers")

func (g greeting) encode() []byte {
	b := append([]byte{greetingFormat, byte(g.purpose)}, g.network[:]...)
	b = binary.BigEndian.AppendUint64(b, g.incarnation.number)
	return append(b, g.incarnation.id[:]...)
}

func parseGreeting(b []byte) (g greeting, err error) {
	if len(b) != greetingSize || b[0] != greetingFormat || b[1] < byte(replicate) || b[1] > byte(proposal) {
		return g, errGreeting
	}
	g.purpose = purpose(b[1])
	copy(g.network[:], b[2:])
	g.incarnation.number = binary.BigEndian.Uint64(b[2+sha256.Size:])
	copy(g.incarnation.id[:], b[2+sha256.Size+8:])
	return g, nil
}

func (a answer) encode() []byte {
	b := binary.BigEndian.AppendUint64([]byte{greetingFormat, byte(a.verdict)}, a.incarnation.number)
	b = append(b, a.incarnation.id[:]...)
	return binary.BigEndian.AppendUint64(b, a.applied)
}

func parseAnswer(b []byte) (a answer, err error) {
	if len(b) != answerSize || b[0] != greetingFormat || int(b[1]) >= len(verdicts) {
		return a, errGreeting
	}
	a.verdict, a.incarnation.number = verdict(b[1]), binary.BigEndian.Uint64(b[2:])
	copy(a.incarnation.id[:], b[10:])
	a.applied = binary.BigEndian.Uint64(b[10+sha256.Size:])
	return a, nil
}

// greetWait is how long a server that was dialled waits for the greeting.
const greetWait = 5 * time.Second

// hear reads the greeting of a server that dialled.
func hear(conn net.Conn) (g greeting, err error) {
	b := make([]byte, greetingSize)
	if err := conn.SetReadDeadline(time.Now().Add(greetWait)); err != nil {
		return g, err
	}
	if _, err := io.ReadFull(conn, b); err != nil {
		return g, err
	}
	if g, err = parseGreeting(b); err != nil {
		return g, wire.Refuse(wire.CodeMalformed, err)
	}
	return g, conn.SetReadDeadline(time.Time{})
}
