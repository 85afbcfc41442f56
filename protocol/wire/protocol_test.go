package wire

import (
	"crypto/ed25519"
	"errors"
	"io"
	"strings"
	"testing"
	"time"
)

func TestEveryProtocolIsBounded(t *testing.T) {
	seen := map[string]bool{}
	for _, p := range []Protocol{
		ProtocolEvaluate, ProtocolFeed, ProtocolDirectory, ProtocolAdmission,
		ProtocolOperate, ProtocolEvidence, ProtocolRecord, ProtocolPropose, ProtocolRaft,
	} {
		if seen[p.ID] || !strings.HasPrefix(p.ID, "/interlock/") || len(p.ID) > 100 {
			t.Errorf("name %q: taken, not ours or too long", p.ID)
		}
		seen[p.ID] = true
		if p.From == Nobody || p.Peer < 1 {
			t.Errorf("%s: nobody may open it", p.ID)
		}
		ownFrames := p == ProtocolRaft
		if (p.Frame == 0 || p.Idle == 0) != ownFrames {
			t.Errorf("%s: frame %d and idle %v leave it unbounded", p.ID, p.Frame, p.Idle)
		}
		if p.Idle > 0 && p.Idle < time.Second {
			t.Errorf("%s: idle %v is too short for a slow line", p.ID, p.Idle)
		}
	}
	if 3*Heartbeat > ProtocolFeed.Idle || 3*Heartbeat > ProtocolDirectory.Idle {
		t.Error("two lost heartbeats end a long stream")
	}
}

// The numbers are part of the protocol.
func TestCodesKeepTheirNumbersAndNames(t *testing.T) {
	want := map[Code]string{
		0: "none", 1: "refused", 2: "malformed", 3: "too large", 4: "forged",
		5: "gap", 6: "busy", 7: "unavailable", 8: "timeout", 9: "code 9",
	}
	for c, text := range want {
		if got := c.String(); got != text {
			t.Errorf("code %d: got %q, want %q", c, got, text)
		}
	}
	if CodeTimeout != 8 || CodeRefused != 1 {
		t.Error("codes were renumbered")
	}
}

func TestARefusalKeepsItsCause(t *testing.T) {
	err := Refuse(CodeGap, io.ErrNoProgress)
	var refusal *Refusal
	if !errors.As(err, &refusal) || refusal.Code != CodeGap || refusal.By != "us" || !errors.Is(err, io.ErrNoProgress) {
		t.Errorf("got %#v", err)
	}
	if got, want := (&Refusal{Code: CodeBusy, By: "peer"}).Error(), "stream refused by peer: busy"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestAPeerIsItsKey(t *testing.T) {
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	p := PeerOf(key)
	if !ed25519.Verify(p.Key(), []byte("x"), ed25519.Sign(key, []byte("x"))) {
		t.Error("the peer's key does not verify what the peer signed")
	}
	if got, err := ParsePeer(p[:]); err != nil || got != p {
		t.Errorf("got %s and error %v, want %s", got, err, p)
	}
	for _, n := range []int{0, 31, 33} {
		if _, err := ParsePeer(make([]byte, n)); err == nil {
			t.Errorf("took a key of %d bytes", n)
		}
	}
	if got := p.String(); len(got) != 8 {
		t.Errorf("short form: got %q, want eight digits", got)
	}
}
