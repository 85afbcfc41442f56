package link

import (
	"cmp"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"

	"interlock/protocol/wire"
)

// What stands in Count.Protocol where there is no protocol of ours.
const (
	connection = "connection" // a connection was refused, before any stream
	unknown    = "unknown"    // the stream asked for what is not served here
)

// What stands in Count.By and in wire.Refusal.By.
const (
	byUs   = "us"
	byPeer = "peer"
)

// Count is how many streams of one protocol ended with one code. Protocol is
// "connection" for connections refused before any stream, and "unknown" for
// streams that asked for a protocol which is not served here.
type Count struct {
	Protocol string
	Code     wire.Code
	By       string // "us" or "peer"
	N        uint64
}

type countKey struct {
	protocol string
	code     wire.Code
	by       string
}

// counts maps a countKey to an *atomic.Uint64. Its keys are bounded: codes of
// peers are mapped to known ones first.
type counts struct{ m sync.Map }

func (c *counts) add(k countKey) uint64 {
	n, ok := c.m.Load(k)
	if !ok {
		n, _ = c.m.LoadOrStore(k, new(atomic.Uint64))
	}
	return n.(*atomic.Uint64).Add(1)
}

// Counts returns the refusals since the host was made, by either side, sorted
// by protocol and code.
func (h *Host) Counts() []Count {
	var all []Count
	h.counts.m.Range(func(k, n any) bool {
		key := k.(countKey)
		all = append(all, Count{key.protocol, key.code, key.by, n.(*atomic.Uint64).Load()})
		return true
	})
	slices.SortFunc(all, func(a, b Count) int {
		return cmp.Or(cmp.Compare(a.Protocol, b.Protocol), cmp.Compare(a.Code, b.Code), cmp.Compare(a.By, b.By))
	})
	return all
}

// note counts a refusal and logs it the first, second, fourth, eighth … time,
// so that nobody can fill a disk with refusals.
func (h *Host) note(p wire.Peer, protocol string, code wire.Code, by string) {
	n := h.counts.add(countKey{protocol, code, by})
	if n&(n-1) != 0 {
		return
	}
	level := slog.LevelInfo
	switch code {
	case wire.CodeMalformed, wire.CodeTooLarge, wire.CodeForged, wire.CodeGap:
		level = slog.LevelWarn // no member's program does that by itself
	}
	h.log.Log(h.ctx, level, "refused", "protocol", protocol, "peer", p.String(), "code", code.String(), "by", by, "times", n)
}
