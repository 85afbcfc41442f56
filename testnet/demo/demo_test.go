package demo

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"interlock/node/intake"
	"interlock/node/store"
	"interlock/protocol/identifier"
	"interlock/testnet/sample"
)

// captured is a log that remembers every byte.
type captured struct {
	mu   sync.Mutex
	text strings.Builder
}

func (c *captured) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.text.Write(b)
}

func (c *captured) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.text.String()
}

// TestTheSampleCasesMeetExactlyAsTheirListSays runs the whole demo, at the
// level of logging that says most, and reads the log afterwards.
func TestTheSampleCasesMeetExactlyAsTheirListSays(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	var log captured
	d, err := Start(ctx, Options{
		Dir: t.TempDir(), Pages: true, Say: func(string) {}, Step: func(int, int) {},
		Log: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	if err != nil {
		t.Fatal(err)
	}
	closed := false
	t.Cleanup(func() {
		if closed {
			return
		}
		if err := d.Net.Close(); err != nil {
			t.Error(err)
		}
	})
	r, err := d.Await(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if !r.Right() {
		t.Errorf("missing:\n%s\nunexpected:\n%s", strings.Join(r.Missing, "\n\n"), strings.Join(r.Unexpected, "\n\n"))
	}
	secrets := d.secrets(t)
	if err := d.Net.Close(); err != nil {
		t.Fatal(err)
	}
	closed = true
	text := strings.ToLower(log.String())
	if !strings.Contains(text, "alerts raised") {
		t.Error("the log was not captured")
	}
	for _, s := range secrets {
		if strings.Contains(text, strings.ToLower(s)) {
			t.Errorf("the log holds %q", s)
		}
	}
}

// secrets is what no log may hold: every identifier of the network, and who
// and what the cases are about.
func (d *Demo) secrets(t *testing.T) []string {
	t.Helper()
	var list []string
	for _, a := range d.Net.Agencies() {
		err := a.Node().View(func(tx *store.Tx) error {
			last, err := tx.LastIdentifier()
			if err != nil {
				return err
			}
			for id := last; id > 0; id-- {
				i, err := tx.Identifier(id)
				if err != nil {
					return err
				}
				list = append(list, i.Value())
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(list) < 300 {
		t.Fatalf("only %d identifiers in the demo", len(list))
	}
	for _, a := range sample.Agencies() {
		for _, c := range a.Cases {
			list = append(list, c.Number, c.Title)
			for _, f := range c.Files {
				list = append(list, written(t, f, a.Region)...)
			}
		}
		for _, o := range a.Officers {
			list = append(list, o.Name, o.FullName)
		}
	}
	for _, s := range d.SignIns {
		list = append(list, s.Password)
	}
	return list
}

// written is how a file spells its identifiers, where that says anything.
func written(t *testing.T, f sample.File, region string) []string {
	t.Helper()
	r, err := intake.Read(f.Name, bytes.NewReader(f.Content), identifier.Region(region))
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, item := range r.Items {
		if len(item.Raw) > 6 {
			list = append(list, item.Raw)
		}
	}
	return list
}
