package directory

import (
	"errors"
	"testing"

	"interlock/crypto/oprf"
	"interlock/protocol/wire"
)

// version is a directory of these servers.
func version(t testing.TB, number uint64, numbers ...oprf.Index) *Directory {
	t.Helper()
	return &Directory{Genesis: here, Version: number, Servers: servers(t, numbers...), Policy: FirstPolicy()}
}

// chained is the chain of somebody who pinned the first directory's servers and
// took it and those after it, each endorsed by all servers of the one before.
func chained(t testing.TB, first *Directory, rest ...*Directory) Chain {
	t.Helper()
	c, before := NewChain(first.Network("n")), first
	for _, d := range append([]*Directory{first}, rest...) {
		next, taken, err := c.Take(endorsed(t, d, numbersOf(before)...))
		if err != nil || !taken {
			t.Fatalf("version %d: taken %t, %v", d.Version, taken, err)
		}
		c, before = next, d
	}
	return c
}

func numbersOf(d *Directory) (list []byte) {
	for _, s := range d.Servers {
		list = append(list, byte(s.Index))
	}
	return list
}

func TestAChainFollowsEachChangeOfServers(t *testing.T) {
	first, second, third := version(t, 1, 1, 2, 3), version(t, 2, 3, 4, 5), version(t, 9, 5, 6, 7)
	start := NewChain(first.Network("n"))
	if start.Directory() != nil || start.Signed() != nil {
		t.Error("a chain has a directory before the first")
	}
	c := chained(t, first, second, third)
	if got := c.Directory(); got.Version != 9 || got.Servers[2].Index != 7 {
		t.Errorf("the newest is version %d", got.Version)
	}
	if got, err := Decode(c.Signed().Directory); err != nil || got.Version != 9 {
		t.Errorf("the newest as it was signed: %v", err)
	}
	if start.Directory() != nil {
		t.Error("who holds a chain saw it change")
	}
}

func TestAChainTakesOnlyWhatFollows(t *testing.T) {
	first, second := version(t, 4, 1, 2, 3), version(t, 5, 3, 4, 5)
	c := chained(t, first, second)
	fork := version(t, 5, 3, 4, 5)
	fork.Record.Size = 77
	foreign := version(t, 6, 3, 4, 5)
	foreign.Genesis = GenesisHash{8}
	tests := []struct {
		name   string
		signed *wire.SignedDirectory
		taken  bool
		want   error
	}{
		{"the next", endorsed(t, version(t, 6, 3, 4, 5), 4, 5), true, nil},
		{"one after a gap", endorsed(t, version(t, 60, 8, 9), 3, 4), true, nil},
		{"the one that is held", c.Signed(), false, nil},
		{"the one that is held, from anybody", &wire.SignedDirectory{Directory: c.Signed().Directory}, false, nil},
		{"another of its version, by its own servers", endorsed(t, fork, 3, 4), false, ErrForked},
		{"another of its version, by those who signed it", endorsed(t, fork, 1, 2), false, ErrForked},
		{"another of its version, by too few", endorsed(t, fork, 4), false, ErrNotEndorsed},
		{"the one before", endorsed(t, first, 1, 2, 3), false, ErrStale},
		{"an older one by the servers now", endorsed(t, version(t, 3, 3, 4, 5), 3, 4, 5), false, ErrStale},
		{"a newer one by the servers before", endorsed(t, version(t, 6, 1, 2, 3), 1, 2), false, ErrNotEndorsed},
		{"a newer one by servers of its own", endorsed(t, version(t, 6, 7, 8, 9), 7, 8, 9), false, ErrNotEndorsed},
		{"another network's", endorsed(t, foreign, 3, 4, 5), false, ErrOtherNetwork},
		{"nothing", nil, false, ErrNotEndorsed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			next, taken, err := c.Take(tt.signed)
			if taken != tt.taken || !errors.Is(err, tt.want) {
				t.Fatalf("Take = %t, %v, want %t, %v", taken, err, tt.taken, tt.want)
			}
			if got := next.Directory().Version; !taken && got != 5 {
				t.Errorf("the newest is version %d, want 5 still", got)
			}
		})
	}
}

func TestAKeptChainGoesOn(t *testing.T) {
	first, second := version(t, 1, 1, 2, 3), version(t, 2, 3, 4, 5)
	kept := chained(t, first, second).Signed()
	c, err := Resume(kept, here)
	if err != nil {
		t.Fatal(err)
	}
	if _, taken, err := c.Take(kept); taken || err != nil {
		t.Errorf("the one kept: taken %t, %v", taken, err)
	}
	if _, _, err := c.Take(endorsed(t, version(t, 3, 1, 2, 3), 1, 2, 3)); !errors.Is(err, ErrNotEndorsed) {
		t.Errorf("by the servers before: %v, want %v", err, ErrNotEndorsed)
	}
	if next, taken, err := c.Take(endorsed(t, version(t, 3, 3, 4, 5), 3, 5)); !taken || err != nil || next.Directory().Version != 3 {
		t.Errorf("by the servers now: taken %t, %v", taken, err)
	}
	if _, err := Resume(kept, GenesisHash{8}); !errors.Is(err, ErrOtherNetwork) {
		t.Errorf("of another network: %v, want %v", err, ErrOtherNetwork)
	}
	if _, err := Resume(&wire.SignedDirectory{Directory: []byte("torn")}, here); !errors.Is(err, ErrMalformed) {
		t.Errorf("torn: %v, want %v", err, ErrMalformed)
	}
}
