// Package directory is who belongs to the network: the registry's servers,
// the member agencies and the token keys, at one version, as the servers sign
// it and the nodes trust it.
//
// The registry builds a Directory from its replicated state and each server
// endorses it; a node takes one only through Verify, against the servers that it
// pinned at enrolment, and then against those of the directory before. Nothing
// here opens a connection or a file.
package directory

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"

	"interlock/crypto/oprf"
	"interlock/crypto/token"
	"interlock/crypto/vault"
	"interlock/protocol/wire"
)

// AgencyID is an agency's short name, as every feed, tag and alert spells it:
// 2 to 32 lower-case letters, digits and inner hyphens.
type AgencyID string

// Author is the agency as the author of tags.
func (id AgencyID) Author() token.Author { return token.Author(id) }

// Status is where an agency stands; the numbers are the wire's.
type Status uint8

// The statuses.
const (
	Unknown   Status = 0
	Pending   Status = 1
	Active    Status = 2
	Suspended Status = 3
	Refused   Status = 4
)

func (s Status) String() string {
	names := [...]string{"unknown", "pending", "active", "suspended", "refused"}
	if int(s) < len(names) {
		return names[s]
	}
	return fmt.Sprintf("status %d", uint8(s))
}

// Agency is one member as all others see it.
type Agency struct {
	ID           AgencyID
	Name         string // "Denver Police Department"
	Jurisdiction string // ISO 3166-2, "US-CO"
	Contact      string // the desk to call, as the agency wrote it
	Key          wire.Peer
	Recipient    vault.Recipient
	Addresses    []string // multiaddrs, without the peer
	Status       Status
}

// Server is one server of the registry.
type Server struct {
	Index     oprf.Index
	Name      string
	Key       wire.Peer
	Addresses []string
	Recipient vault.Recipient
}

// KeyEpoch is one token key as the servers share it.
type KeyEpoch struct {
	Epoch      token.Epoch
	Generation uint32 // counts the sets of shares of this key, from 1
	Keys       oprf.KeySet
	Federation token.Commitment // to the federation secret of the epoch
	Retiring   bool             // still matches, and makes no new tokens
}

// Head is a Merkle tree head of the registry's record (RFC 9162, section 4.10).
type Head struct {
	Size uint64
	Root [sha256.Size]byte
}

// GenesisHash names a network: the SHA-256 of its founding document.
type GenesisHash [sha256.Size]byte

// Directory is one version of the membership. It is a value: nobody changes
// one that others hold.
type Directory struct {
	Genesis  GenesisHash
	Version  uint64
	Epochs   []KeyEpoch // ascending; none before the first key ceremony has ended
	Servers  []Server   // by index
	Agencies []Agency   // by id; active and suspended
	Policy   Policy
	Record   Head // of the record of decisions, as it is with this version
}

// Current is the epoch that new tokens are made in.
func (d *Directory) Current() (KeyEpoch, bool) {
	if n := len(d.Epochs); n > 0 && !d.Epochs[n-1].Retiring {
		return d.Epochs[n-1], true
	}
	return KeyEpoch{}, false
}

// Epoch returns one of the epochs that match.
func (d *Directory) Epoch(e token.Epoch) (KeyEpoch, bool) {
	for _, k := range d.Epochs {
		if k.Epoch == e {
			return k, true
		}
	}
	return KeyEpoch{}, false
}

// Agency returns the agency with this id.
func (d *Directory) Agency(id AgencyID) (Agency, bool) {
	i, ok := slices.BinarySearchFunc(d.Agencies, id, func(a Agency, id AgencyID) int {
		return strings.Compare(string(a.ID), string(id))
	})
	if !ok {
		return Agency{}, false
	}
	return d.Agencies[i], true
}

// AgencyOf returns the agency that holds key.
func (d *Directory) AgencyOf(key wire.Peer) (Agency, bool) {
	for _, a := range d.Agencies {
		if a.Key == key {
			return a, true
		}
	}
	return Agency{}, false
}

// ServerOf returns the server that holds key.
func (d *Directory) ServerOf(key wire.Peer) (Server, bool) {
	for _, s := range d.Servers {
		if s.Key == key {
			return s, true
		}
	}
	return Server{}, false
}

// Active returns the agencies that take part now.
func (d *Directory) Active() []Agency {
	return slices.DeleteFunc(slices.Clone(d.Agencies), func(a Agency) bool { return a.Status != Active })
}

// Majority is more than half of n servers.
func Majority(n int) int { return n/2 + 1 }

// Quorum is how many servers of this directory must endorse the versions after
// it: a majority, and never fewer than could make tokens with one of its keys.
// So whoever can say which key is in force could have used the one before.
func (d *Directory) Quorum() int {
	quorum := Majority(len(d.Servers))
	for _, k := range d.Epochs {
		quorum = max(quorum, min(k.Keys.Threshold, len(d.Servers)))
	}
	return quorum
}
