package testnet

import (
	"context"
	"log/slog"
)

// T is the part of a test that a testnet needs.
type T interface {
	Helper()
	Cleanup(func())
	Context() context.Context
	TempDir() string
	Fatalf(format string, args ...any)
	Errorf(format string, args ...any)
}

// Start builds the federation for a test, which it fails if it cannot, and
// closes it with the test.
func Start(t T, p Plan) *Net {
	t.Helper()
	if p.Dir == "" {
		p.Dir = t.TempDir()
	}
	n, err := New(t.Context(), p)
	if err != nil {
		t.Fatalf("start testnet: %v", err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Errorf("close testnet: %v", err)
		}
	})
	return n
}

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }
