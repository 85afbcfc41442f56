// Package browser drives a real headless Chromium for the tests of the
// officers' pages: it opens pages, types, clicks, waits for text and takes
// pictures, and it keeps what the pages complained about and whom they called.
//
// Every method ends the test with a sentence when it cannot do what it was
// asked to, so a test reads as what an officer does. It is for tests alone;
// nothing that is shipped imports it.
package browser

import (
	"context"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// patience is how long one step may take before the test fails; a loaded
// machine needs most of it, a page never does.
const patience = 60 * time.Second

// Browser is one tab. Use it from one goroutine.
type Browser struct {
	t   testing.TB
	ctx context.Context

	mu         sync.Mutex // owns the two below: the tab's events arrive on a goroutine of their own
	complaints []string
	requests   []string
}

// Open starts a Chromium with an empty profile and returns its first tab. It
// is closed when the test ends.
func Open(t testing.TB) *Browser {
	t.Helper()
	path, err := find(t.Context())
	if err != nil {
		t.Fatalf("the browser tests need Chromium: %v", err)
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path),
		chromedp.NoSandbox,
		chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-component-update", true),
	)
	allocator, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(cancel)
	b := newTab(t, allocator)
	t.Cleanup(func() {
		if err := chromedp.Cancel(b.ctx); err != nil {
			t.Logf("close the browser: %v", err)
		}
	})
	return b
}

// Tab opens another tab of the same browser: it shares the cookies.
func (b *Browser) Tab() *Browser {
	b.t.Helper()
	return newTab(b.t, b.ctx)
}

func newTab(t testing.TB, parent context.Context) *Browser {
	t.Helper()
	ctx, cancel := chromedp.NewContext(parent)
	t.Cleanup(cancel)
	b := &Browser{t: t, ctx: ctx}
	if err := chromedp.Listen(ctx, b.hear); err != nil {
		t.Fatalf("open a tab: %v", err)
	}
	return b
}

// hear keeps what the tab reports.
func (b *Browser) hear(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		b.requests = append(b.requests, e.Request.URL)
	case *log.EventEntryAdded:
		b.complaints = append(b.complaints, fmt.Sprintf("%s: %s (%s)", e.Entry.Source, e.Entry.Text, e.Entry.URL))
	case *runtime.EventExceptionThrown:
		b.complaints = append(b.complaints, "exception: "+e.ExceptionDetails.Text)
	}
}

// Complaints returns what the browser wrote to its log so far: blocked
// content, failed requests and exceptions.
func (b *Browser) Complaints() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]string(nil), b.complaints...)
}

// Requests returns the address of every request that the tab made so far.
func (b *Browser) Requests() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]string(nil), b.requests...)
}

// step runs what within the tab's patience and fails the test, with what the
// page showed, when it cannot.
func (b *Browser) step(what string, actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		b.t.Fatalf("%s: %v\n%s", what, err, b.shown())
	}
}

// shown describes the page for a failed test.
func (b *Browser) shown() string {
	const limit = 2000
	ctx, cancel := context.WithTimeout(b.ctx, 5*time.Second)
	defer cancel()
	text, err := chromedp.Run(ctx, chromedp.Evaluate[string]("location.href + '\\n' + document.body.innerText"))
	if err != nil {
		return fmt.Sprintf("(the page does not answer: %v)", err)
	}
	if len(text) > limit {
		text = text[:limit] + "…"
	}
	return "the page shows: " + text
}

// write puts a picture where the caller wants it.
func (b *Browser) write(path string, picture []byte) {
	b.t.Helper()
	if err := os.WriteFile(path, picture, 0o644); err != nil {
		b.t.Fatalf("write the picture: %v", err)
	}
}
