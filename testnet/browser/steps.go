package browser

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
)

// Page goes to url and waits until it is loaded.
func (b *Browser) Page(url string) {
	b.t.Helper()
	b.step("open "+url, chromedp.Navigate(url))
}

// Fill replaces what stands in the field that the CSS selector names.
func (b *Browser) Fill(selector, text string) {
	b.t.Helper()
	field := chromedp.CSS(selector)
	b.step("fill "+selector,
		chromedp.WaitVisible(field),
		chromedp.Focus(field),
		chromedp.Evaluate[chromedp.Void]("document.activeElement.select()"),
		chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
			_, err := cdp.Call(ctx, t, input.InsertText, input.InsertTextParams{Text: text})
			return err
		}),
	)
}

// Choose puts files into the file field that the CSS selector names.
func (b *Browser) Choose(selector string, paths ...string) {
	b.t.Helper()
	b.step("choose files in "+selector, chromedp.SetUploadFiles(chromedp.CSS(selector), paths, chromedp.NodeReady))
}

// Click clicks the first element that the CSS selector names.
func (b *Browser) Click(selector string) {
	b.t.Helper()
	element := chromedp.CSS(selector)
	b.step("click "+selector, chromedp.ScrollIntoView(element), chromedp.Click(element, chromedp.NodeVisible))
}

// Press types keys into whatever has the focus: "\t" and "\r" as well.
func (b *Browser) Press(keys string) {
	b.t.Helper()
	b.step(fmt.Sprintf("press %q", keys), chromedp.KeyEvent(keys))
}

// AwaitText waits until the page shows text, whatever the breaks between its
// words.
func (b *Browser) AwaitText(text string) {
	b.t.Helper()
	want := strings.Join(strings.Fields(text), " ")
	b.await(fmt.Sprintf("wait for the text %q", text), func() bool {
		return strings.Contains(strings.Join(strings.Fields(b.Text()), " "), want)
	})
}

// AwaitTitle waits until the document's title is title.
func (b *Browser) AwaitTitle(title string) {
	b.t.Helper()
	b.await(fmt.Sprintf("wait for the title %q", title), func() bool { return Value[string](b, "document.title") == title })
}

// AwaitValue waits until a JavaScript expression has the value want, as text.
func (b *Browser) AwaitValue(expression, want string) {
	b.t.Helper()
	b.await(fmt.Sprintf("wait until %s is %q", expression, want), func() bool {
		return Value[string](b, "String("+expression+")") == want
	})
}

// await asks until holds is true; a page on its way to the next one answers
// nothing for a moment, which is no failure.
func (b *Browser) await(what string, holds func() bool) {
	b.t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-deadline.C:
			b.t.Fatalf("%s: not within %v\n%s", what, patience, b.shown())
		}
	}
}

// Text returns what the page shows now, as text.
func (b *Browser) Text() string {
	return Value[string](b, "document.body ? document.body.innerText : ''")
}

// Value evaluates a JavaScript expression in the page; the zero value stands
// for a page that does not answer.
func Value[T any](b *Browser, expression string) T {
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	value, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		var zero T
		return zero
	}
	return value
}

// Dark makes the page believe that the officer prefers the dark colours, or
// the light ones.
func (b *Browser) Dark(dark bool) {
	b.t.Helper()
	scheme := "light"
	if dark {
		scheme = "dark"
	}
	b.step("prefer "+scheme, chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
		})
		return err
	}))
}

// Size gives the page w by h CSS pixels; narrow ones are a telephone's.
func (b *Browser) Size(w, h int) {
	b.t.Helper()
	var options []chromedp.EmulateViewportOption
	if w < 600 {
		options = append(options, chromedp.EmulateMobile, chromedp.EmulatePortrait)
	}
	b.step(fmt.Sprintf("resize to %d by %d", w, h), chromedp.EmulateViewport(int64(w), int64(h), options...))
}

// Screenshot writes a PNG of the page to path, w by h pixels.
func (b *Browser) Screenshot(path string, w, h int) {
	b.t.Helper()
	b.Size(w, h)
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	picture, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err != nil {
		b.t.Fatalf("take a picture of the page: %v", err)
	}
	b.write(path, picture)
}
