package invitation

import (
	"crypto/ed25519"
	"encoding/binary"
	"errors"

	"interlock/crypto/oprf"
	"interlock/protocol/directory"
)

var errCut = errors.New("it ends too early or too late")

// reader takes an invitation's payload apart. After its end it reads zeros and
// remembers that it did.
type reader struct {
	rest []byte
	cut  bool
}

func (r *reader) take(n int) []byte {
	if n > len(r.rest) {
		r.rest, r.cut = nil, true
		return make([]byte, n)
	}
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return b
}

func (r *reader) count() int { return int(r.take(1)[0]) }

// text reads what appendText wrote.
func (r *reader) text(before, above string) string {
	head, tail := r.count(), r.count()
	if head > len(before) || tail > len(above) {
		r.rest, r.cut = nil, true
		return ""
	}
	return before[:head] + string(r.take(r.count())) + above[len(above)-tail:]
}

// parsePayload reads a payload without its checksum. That a payload has one
// form only, the caller sees by encoding the invitation again.
func parsePayload(b []byte) (Invitation, error) {
	r := reader{rest: b}
	i := Invitation{secret: newSecret()}
	copy(i.secret.seed[:], r.take(ed25519.SeedSize))
	i.Expires = uint64(binary.BigEndian.Uint32(r.take(4)))
	copy(i.Network.Genesis[:], r.take(len(i.Network.Genesis)))
	i.Network.Quorum = r.count()
	i.Network.Name = r.text("", "")
	name := i.Network.Name
	for range r.count() {
		s := directory.NetworkServer{Index: oprf.Index(binary.BigEndian.Uint16(r.take(2)))}
		copy(s.Key[:], r.take(len(s.Key)))
		s.Name = r.text(name, name)
		for range r.count() {
			s.Addresses = append(s.Addresses, r.text(neighbours(i.Network.Servers, s.Addresses)))
		}
		name = s.Name
		i.Network.Servers = append(i.Network.Servers, s)
	}
	err := i.check()
	if r.cut || len(r.rest) > 0 {
		err = errCut
	}
	if err != nil {
		i.Destroy()
		return Invitation{}, err
	}
	return i, nil
}
