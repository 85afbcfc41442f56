package dkg

import (
	"encoding/binary"
	"fmt"

	"interlock/crypto/oprf"
)

// A message is encoded as a version byte (1), the code of its body, the plan's id,
// the sender in two bytes, and the body: its fields in order, numbers most
// significant byte first, lists and byte strings with their length before them in
// two bytes.
const messageVersion = 1

const (
	codeJoin byte = iota + 1
	codeDeal
	codeVerdict
	codeAnswer
	codeOpen
	codeReconstruct
	codeConfirm
	codeClose
)

func (Join) code() byte        { return codeJoin }
func (Deal) code() byte        { return codeDeal }
func (Verdict) code() byte     { return codeVerdict }
func (Answer) code() byte      { return codeAnswer }
func (Open) code() byte        { return codeOpen }
func (Reconstruct) code() byte { return codeReconstruct }
func (Confirm) code() byte     { return codeConfirm }
func (Close) code() byte       { return codeClose }

// MarshalBinary encodes the message, in the one form that [ParseMessage] takes: what
// is to be signed, sent and kept. The error wraps [ErrMessage].
func (m Message) MarshalBinary() ([]byte, error) {
	if m.Body == nil {
		return nil, fmt.Errorf("encode message: %w: no body", ErrMessage)
	}
	w := &writer{b: []byte{messageVersion, m.Body.code()}}
	w.bytes(m.Plan[:])
	w.number(int(m.From))
	m.Body.write(w)
	if w.tooLong {
		return nil, fmt.Errorf("encode message: %w: a list or a payload exceeds its limit", ErrMessage)
	}
	return w.b, nil
}

// ParseMessage decodes what MarshalBinary wrote, and nothing else. What the message
// says is checked when it is applied. The error wraps [ErrMessage].
func ParseMessage(b []byte) (Message, error) {
	if len(b) > MaxMessage {
		return Message{}, fmt.Errorf("parse message: %w: %d bytes, want up to %d", ErrMessage, len(b), MaxMessage)
	}
	r := &reader{b: b}
	if version := r.take(1); len(version) != 1 || version[0] != messageVersion {
		return Message{}, fmt.Errorf("parse message: %w: unknown version", ErrMessage)
	}
	code := r.take(1)
	var m Message
	copy(m.Plan[:], r.take(len(m.Plan)))
	m.From = oprf.Index(r.number())
	if r.short {
		return Message{}, fmt.Errorf("parse message: %w: short header", ErrMessage)
	}
	if m.Body = r.body(code[0]); m.Body == nil {
		return Message{}, fmt.Errorf("parse message: %w: unknown body", ErrMessage)
	}
	if r.short || len(r.b) != 0 {
		return Message{}, fmt.Errorf("parse message: %w: body of the wrong length", ErrMessage)
	}
	return m, nil
}

func (r *reader) body(code byte) Body {
	switch code {
	case codeJoin:
		return Join{Recipient: string(r.blob())}
	case codeDeal:
		d := Deal{Commitments: r.elements()}
		copy(d.Secret[:], r.take(len(d.Secret)))
		d.Sealed = list(r, func() []byte { return append([]byte{}, r.blob()...) })
		return d
	case codeVerdict:
		return Verdict{Shares: r.servers(), Secrets: r.servers()}
	case codeAnswer:
		return Answer{Shares: list(r, r.revealed), Relays: list(r, r.relay)}
	case codeOpen:
		o := Open{Commitments: r.elements()}
		copy(o.Proof[:], r.take(len(o.Proof)))
		return o
	case codeReconstruct:
		return Reconstruct{Shares: list(r, r.revealed)}
	case codeConfirm:
		var c Confirm
		copy(c.Federation[:], r.take(len(c.Federation)))
		return c
	case codeClose:
		if b := r.take(1); len(b) == 1 {
			return Close{Phase: Phase(b[0])}
		}
		return Close{}
	}
	return nil
}

func (j Join) write(w *writer) { w.blob([]byte(j.Recipient)) }

func (d Deal) write(w *writer) {
	w.elements(d.Commitments)
	w.bytes(d.Secret[:])
	w.count(len(d.Sealed))
	for _, s := range d.Sealed {
		w.blob(s)
	}
}

func (v Verdict) write(w *writer) {
	w.servers(v.Shares)
	w.servers(v.Secrets)
}

func (a Answer) write(w *writer) {
	w.revealed(a.Shares)
	w.count(len(a.Relays))
	for _, r := range a.Relays {
		w.number(int(r.Receiver))
		w.blob(r.Sealed)
	}
}

func (o Open) write(w *writer) {
	w.elements(o.Commitments)
	w.bytes(o.Proof[:])
}

func (r Reconstruct) write(w *writer) { w.revealed(r.Shares) }
func (c Confirm) write(w *writer)     { w.bytes(c.Federation[:]) }
func (c Close) write(w *writer)       { w.bytes([]byte{byte(c.Phase)}) }

// writer gathers an encoding.
type writer struct {
	b       []byte
	tooLong bool
}

func (w *writer) bytes(b []byte) { w.b = append(w.b, b...) }
func (w *writer) number(n int)   { w.b = binary.BigEndian.AppendUint16(w.b, uint16(n)) }

func (w *writer) count(n int) {
	w.tooLong = w.tooLong || n > MaxServers
	w.number(n)
}

func (w *writer) blob(b []byte) {
	w.tooLong = w.tooLong || len(b) > MaxSealed
	w.number(len(b))
	w.bytes(b)
}

func (w *writer) elements(list []oprf.Element) {
	w.count(len(list))
	for _, e := range list {
		w.bytes(e[:])
	}
}

func (w *writer) servers(list []oprf.Index) {
	w.count(len(list))
	for _, s := range list {
		w.number(int(s))
	}
}

func (w *writer) revealed(list []Revealed) {
	w.count(len(list))
	for _, r := range list {
		w.number(int(r.Server))
		w.bytes(r.SubShare.Share[:])
		w.bytes(r.SubShare.Blind[:])
	}
}

// reader takes an encoding apart. Past the end it gives zeros and sets short.
type reader struct {
	b     []byte
	short bool
}

func (r *reader) take(n int) []byte {
	if n > len(r.b) {
		r.short, r.b = true, nil
		return nil
	}
	taken := r.b[:n]
	r.b = r.b[n:]
	return taken
}

func (r *reader) number() int {
	b := r.take(2)
	if b == nil {
		return 0
	}
	return int(binary.BigEndian.Uint16(b))
}

func (r *reader) blob() []byte {
	n := r.number()
	if n > MaxSealed {
		r.short, r.b = true, nil
		return nil
	}
	return r.take(n)
}

// list reads up to MaxServers items, and none as nil.
func list[T any](r *reader, item func() T) []T {
	n := r.number()
	if n > MaxServers {
		r.short, r.b = true, nil
		return nil
	}
	var items []T
	for range n {
		if r.short {
			return nil
		}
		items = append(items, item())
	}
	return items
}

func (r *reader) elements() []oprf.Element {
	return list(r, func() (e oprf.Element) {
		copy(e[:], r.take(len(e)))
		return e
	})
}

func (r *reader) servers() []oprf.Index {
	return list(r, func() oprf.Index { return oprf.Index(r.number()) })
}

func (r *reader) revealed() Revealed {
	v := Revealed{Server: oprf.Index(r.number())}
	copy(v.SubShare.Share[:], r.take(oprf.ScalarSize))
	copy(v.SubShare.Blind[:], r.take(oprf.ScalarSize))
	return v
}

func (r *reader) relay() Relay {
	return Relay{Receiver: oprf.Index(r.number()), Sealed: append([]byte{}, r.blob()...)}
}
