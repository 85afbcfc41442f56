package cluster

import (
	"bytes"
	"testing"

	"interlock/protocol/directory"
	"interlock/protocol/wire"
)

// The mark of a folder that only knew its network is the first incarnation's.
func TestTheOldMarkIsRead(t *testing.T) {
	text := bytes.Repeat([]byte("ab"), 32)
	m, err := parseMark(append(text, '\n'))
	if err != nil {
		t.Fatal(err)
	}
	if want := firstIncarnation(m.network); m.incarnation != want || m.network[0] != 0xab || m.stage != settled {
		t.Fatalf("got %+v, want the first incarnation of the network", m)
	}
}

func TestIncarnationsDifferByTheirSurvivors(t *testing.T) {
	first := firstIncarnation(directory.GenesisHash{1})
	a, b := wire.Peer{1}, wire.Peer{2}
	if first.recovered([]wire.Peer{a, b}) != first.recovered([]wire.Peer{b, a}) {
		t.Error("the order of the survivors makes two incarnations")
	}
	if first.recovered([]wire.Peer{a}) == first.recovered([]wire.Peer{b}) {
		t.Error("two survivors that each recover alone are of one incarnation")
	}
}

func FuzzMark(f *testing.F) {
	network := directory.GenesisHash{7}
	first := mark{network: network, incarnation: firstIncarnation(network)}
	f.Add(first.encode())
	first.stage = unsettled
	f.Add(first.encode())
	f.Add(mark{network: network, incarnation: first.incarnation.recovered(nil)}.encode())
	f.Add(mark{network: network, stage: joining}.encode())
	f.Add(mark{network: network, incarnation: first.incarnation, stage: joining, floor: 7}.encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := parseMark(b)
		if err == nil && !bytes.Equal(m.encode(), b) {
			t.Fatalf("%q is read and written as %q", b, m.encode())
		}
	})
}

func FuzzGreeting(f *testing.F) {
	f.Add(greeting{purpose: replicate, incarnation: incarnation{number: 3}}.encode())
	f.Add(greeting{purpose: proposal, network: directory.GenesisHash{1}}.encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		g, err := parseGreeting(b)
		if err == nil && !bytes.Equal(g.encode(), b) {
			t.Fatalf("%x is read and written as %x", b, g.encode())
		}
	})
}

func FuzzAnswer(f *testing.F) {
	f.Add(answer{verdict: welcome, applied: 9}.encode())
	f.Add(answer{verdict: notNow, incarnation: incarnation{number: 2}}.encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := parseAnswer(b)
		if err == nil && !bytes.Equal(a.encode(), b) {
			t.Fatalf("%x is read and written as %x", b, a.encode())
		}
	})
}
