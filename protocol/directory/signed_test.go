package directory

import (
	"bytes"
	"errors"
	"testing"

	"interlock/crypto/oprf"
	"interlock/crypto/vault"
	"interlock/protocol/wire"
)

func TestADirectoryCountsWithAMajorityOfThePinnedServers(t *testing.T) {
	d := example(t)
	trust := d.Trust()
	stranger := endorsed(t, d, 1)
	stranger.Endorsements = append(stranger.Endorsements, &wire.Endorsement{Server: 2, Signature: Endorse(key(77), stranger.Directory)})
	altered := endorsed(t, d, 1, 2, 4)
	altered.Directory = bytes.Clone(altered.Directory)
	altered.Directory[len(altered.Directory)-1] ^= 1
	beyond := endorsed(t, d, 1)
	beyond.Endorsements = append(beyond.Endorsements, &wire.Endorsement{Server: 1<<16 + 2, Signature: Endorse(key(2), beyond.Directory)})
	other := example(t)
	other.Genesis = GenesisHash{8}
	many := endorsed(t, d, 1, 2, 4)
	for n := uint32(5); len(many.Endorsements) <= MaxServers; n++ {
		many.Endorsements = append(many.Endorsements, &wire.Endorsement{Server: n})
	}
	tests := []struct {
		name   string
		signed *wire.SignedDirectory
		want   error
	}{
		{"all three", endorsed(t, d, 1, 2, 4), nil},
		{"two", endorsed(t, d, 1, 4), nil},
		{"one", endorsed(t, d, 2), ErrNotEndorsed},
		{"none", endorsed(t, d), ErrNotEndorsed},
		{"one twice", endorsed(t, d, 1, 1), ErrMalformed},
		{"out of order", endorsed(t, d, 2, 1), ErrMalformed},
		{"one and a stranger", stranger, ErrNotEndorsed},
		{"one and a server that has left", endorsed(t, d, 1, 3), ErrNotEndorsed},
		{"one and a number that wraps around", beyond, ErrNotEndorsed},
		{"altered after signing", altered, ErrNotEndorsed},
		{"another network's", endorsed(t, other, 1, 2, 4), ErrOtherNetwork},
		{"more endorsements than servers can be", many, ErrMalformed},
		{"nothing", &wire.SignedDirectory{}, ErrNotEndorsed},
		{"not even nothing", nil, ErrNotEndorsed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := trust.Verify(tt.signed)
			if !errors.Is(err, tt.want) || (err == nil) != (got != nil) {
				t.Errorf("Verify = %v, want %v", err, tt.want)
			}
		})
	}
}

func TestNobodyIsTrustedByDefault(t *testing.T) {
	d := example(t)
	if _, err := (Trust{Genesis: d.Genesis}).Verify(endorsed(t, d, 1, 2, 4)); !errors.Is(err, ErrNotEndorsed) {
		t.Errorf("Verify = %v, want %v", err, ErrNotEndorsed)
	}
}

func TestASignatureForAnotherPurposeDoesNotEndorse(t *testing.T) {
	d := example(t)
	s := &wire.SignedDirectory{Directory: encode(t, d)}
	for _, n := range []byte{1, 2, 4} {
		s.Endorsements = append(s.Endorsements, &wire.Endorsement{
			Server: uint32(n), Signature: vault.Sign(key(n), vault.ContextFeed, s.Directory),
		})
	}
	if _, err := d.Trust().Verify(s); !errors.Is(err, ErrNotEndorsed) {
		t.Errorf("Verify = %v, want %v", err, ErrNotEndorsed)
	}
}

// TestTheChainOfTrustIsFollowed: servers 1, 2 and 4 hand over to 4, 7, 8, 9 and
// 11, one of which stays.
func TestTheChainOfTrustIsFollowed(t *testing.T) {
	first := example(t)
	second := example(t)
	second.Version, second.Servers = 5, servers(t, 4, 7, 8, 9, 11)
	third := example(t)
	third.Version, third.Servers = 6, servers(t, 7, 8, 9, 11, 12)
	old, handed := first.Trust(), second.Trust()
	tests := []struct {
		name   string
		trust  Trust
		signed *wire.SignedDirectory
		want   error
	}{
		{"the servers before sign for those after", old, endorsed(t, second, 1, 2), nil},
		{"and the new ones beside them", old, endorsed(t, second, 2, 4, 7, 8), nil},
		{"the new ones alone do not", old, endorsed(t, second, 7, 8, 9, 11), ErrNotEndorsed},
		{"nor with the one that stays", old, endorsed(t, second, 4, 7, 8, 9, 11), ErrNotEndorsed},
		{"the new ones sign what comes next", handed, endorsed(t, third, 7, 9, 11), nil},
		{"with a majority of theirs", handed, endorsed(t, third, 4, 7), ErrNotEndorsed},
		{"the ones that left no longer do", handed, endorsed(t, third, 1, 2, 4), ErrNotEndorsed},
		{"nor can a step be left out", old, endorsed(t, third, 7, 8, 9, 11, 12), ErrNotEndorsed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := tt.trust.Verify(tt.signed); !errors.Is(err, tt.want) {
				t.Errorf("Verify = %v, want %v", err, tt.want)
			}
		})
	}
}

// TestANumberNamesOneKey: a number is never given twice, so whoever has the key
// of another number cannot sign under it.
func TestANumberNamesOneKey(t *testing.T) {
	d := example(t)
	s := endorsed(t, d, 1)
	s.Endorsements = append(s.Endorsements, &wire.Endorsement{Server: 2, Signature: Endorse(key(1), s.Directory)})
	if _, err := d.Trust().Verify(s); !errors.Is(err, ErrNotEndorsed) {
		t.Errorf("Verify = %v, want %v", err, ErrNotEndorsed)
	}
}

func TestTheQuorumIsNeverLessThanAThreshold(t *testing.T) {
	tests := []struct {
		name       string
		servers    int
		thresholds []int
		want       int
	}{
		{"a majority before there is a key", 3, nil, 2},
		{"a majority of an even number", 4, nil, 3},
		{"one alone", 1, nil, 1},
		{"a low threshold leaves the majority", 5, []int{2}, 3},
		{"a high one does not", 5, []int{4}, 4},
		{"all of them", 3, []int{3}, 3},
		{"the key that retires counts", 5, []int{5, 2}, 5},
		{"the key in force counts", 5, []int{2, 5}, 5},
		{"servers that are not there cannot sign", 2, []int{3}, 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := &Directory{Servers: make([]Server, tt.servers)}
			for _, n := range tt.thresholds {
				d.Epochs = append(d.Epochs, KeyEpoch{Keys: oprf.KeySet{Threshold: n}})
			}
			if got := d.Quorum(); got != tt.want {
				t.Errorf("Quorum = %d, want %d", got, tt.want)
			}
			if got := d.Trust().Quorum; got != tt.want {
				t.Errorf("Trust().Quorum = %d, want %d", got, tt.want)
			}
			if got := d.Network("n").Quorum; got != tt.want {
				t.Errorf("Network().Quorum = %d, want %d", got, tt.want)
			}
		})
	}
}

func TestAThresholdAboveTheMajorityIsAskedOfEveryVersionAfter(t *testing.T) {
	d := example(t)
	d.Epochs[0] = epoch(t, 1, 3, 1, 2, 4)
	d.Epochs[0].Retiring = true
	if _, err := d.Trust().Verify(endorsed(t, d, 1, 2)); !errors.Is(err, ErrNotEndorsed) {
		t.Errorf("by a majority below the threshold: %v, want %v", err, ErrNotEndorsed)
	}
	if _, err := d.Trust().Verify(endorsed(t, d, 1, 2, 4)); err != nil {
		t.Errorf("by as many as the threshold: %v", err)
	}
}

func TestTrustIsEqualWhereTheSameEndorsementsCount(t *testing.T) {
	d := example(t)
	if !d.Trust().Equal(d.Network("any name").Trust()) {
		t.Error("what is pinned differs from what the directory says")
	}
	for name, edit := range map[string]func(*Directory){
		"network":       func(d *Directory) { d.Genesis[0]++ },
		"quorum":        func(d *Directory) { d.Epochs[1].Keys.Threshold = 3 },
		"a key":         func(d *Directory) { d.Servers[0].Key = peer(50) },
		"a number":      func(d *Directory) { d.Servers[2].Index = 5 },
		"one server":    func(d *Directory) { d.Servers = d.Servers[:2] },
		"a server more": func(d *Directory) { d.Servers = append(d.Servers, servers(t, 9)...) },
	} {
		other := example(t)
		edit(other)
		if d.Trust().Equal(other.Trust()) {
			t.Errorf("another %s: trust is equal", name)
		}
	}
	moved := example(t)
	moved.Servers[0].Addresses, moved.Version = []string{"/ip4/127.0.0.1/tcp/9"}, 70
	if !d.Trust().Equal(moved.Trust()) {
		t.Error("a server that moved is trusted otherwise")
	}
}
