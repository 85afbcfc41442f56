package console

import (
	"context"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"interlock/protocol/pages"
	"interlock/protocol/wire"
)

const (
	recordPage = 50
	// recordChunk is how many entries are asked for at a time.
	recordChunk = 500
	// searchDepth is how many entries one search looks through.
	searchDepth = 10_000
)

// search is what is looked for in the record, newest first.
type search struct {
	words  string
	agency string // about this agency alone
	before uint64 // entries below this index
	most   int
	depth  int // entries looked through
}

// found is what came of a search.
type found struct {
	Lines []entryLine
	Next  uint64 // where to look further, 0 at the record's beginning
	Size  uint64
	Path  string // of what is further back
	Empty string
}

// recordView is a page of the record.
type recordView struct {
	found
	Query, Agency string
	Newest        string // address of the first page, where this is another
	SizeText      string
}

func (c *Console) record(w http.ResponseWriter, r *http.Request, v *visit) error {
	q := r.URL.Query()
	view := recordView{Query: q.Get("q"), Agency: q.Get("agency")}
	s := search{words: view.Query, agency: view.Agency, before: v.status.RecordSize, most: recordPage, depth: searchDepth}
	if before, err := strconv.ParseUint(q.Get("before"), 10, 64); err == nil && before < s.before {
		s.before = before
		view.Newest = recordPath(view.Query, view.Agency, 0)
	}
	var err error
	if view.found, err = c.searchRecord(r.Context(), v, s); err != nil {
		return err
	}
	view.SizeText = pages.Many(view.Size, "entry", "entries")
	return c.show(w, r, v, http.StatusOK, "record", shell{Title: "Record", Place: "record", View: view})
}

func recordPath(words, agency string, before uint64) string {
	q := url.Values{}
	for name, value := range map[string]string{"q": words, "agency": agency} {
		if value != "" {
			q.Set(name, value)
		}
	}
	if before > 0 {
		q.Set("before", fmt.Sprint(before))
	}
	if len(q) == 0 {
		return "/record"
	}
	return "/record?" + q.Encode()
}

// searchRecord looks through the record, from the newest entry back.
func (c *Console) searchRecord(ctx context.Context, v *visit, s search) (f found, err error) {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	f.Next, f.Size = s.before, v.status.RecordSize
	words := strings.Fields(strings.ToLower(s.words))
	for looked := 0; f.Next > 0 && len(f.Lines) < s.most && looked < s.depth; {
		from := f.Next - min(f.Next, recordChunk)
		entries, err := v.entries(ctx, from, f.Next)
		if err != nil {
			return f, err
		}
		list := c.entryLines(v, from, entries)
		if len(list) == 0 {
			f.Next = from // not published yet, or gone: older ones are there
			continue
		}
		for i := len(list) - 1; i >= 0 && len(f.Lines) < s.most; i-- {
			f.Next = list[i].Index
			looked++
			if list[i].has(words, s.agency) {
				f.Lines = append(f.Lines, list[i])
			}
		}
	}
	if f.Next > 0 {
		f.Path = recordPath(s.words, s.agency, f.Next)
	}
	if len(f.Lines) == 0 {
		f.Empty = "Nothing here."
		if f.Next > 0 {
			f.Empty = fmt.Sprintf("Nothing in the %s looked through.", pages.Many(s.before-f.Next, "entry", "entries"))
		}
	}
	return f, nil
}

// entries reads the entries from an index to before another, as far as there
// are.
func (v *visit) entries(ctx context.Context, from, to uint64) (all [][]byte, err error) {
	err = v.do(ctx, func(ctx context.Context) error {
		for from < to {
			list, err := v.registry.Record(ctx, from, to-from)
			if err != nil || len(list) == 0 {
				return err
			}
			all, from = append(all, list...), from+uint64(len(list))
		}
		return nil
	})
	return all, err
}

// entryLines are entries in plain language, oldest first. Titles of motions are
// kept, for the decisions upon them that come later.
func (c *Console) entryLines(v *visit, from uint64, entries [][]byte) []entryLine {
	list := make([]entryLine, 0, len(entries))
	for i, b := range entries {
		var e wire.RecordEntry
		if err := wire.Unmarshal(b, &e); err != nil {
			list = append(list, entryLine{Index: from + uint64(i), Text: "An entry that this console cannot read", Mark: "other"})
			continue
		}
		v.titles.learn(v, &e)
		line := c.lineOf(v, &e)
		line.Index = from + uint64(i)
		list = append(list, line)
	}
	return list
}

// titles are what motions were, by hash, as far as they were read.
type titles struct {
	mu sync.Mutex // owns what follows
	of map[string]string
}

// mostTitles bounds what a session remembers.
const mostTitles = 5000

func newTitles() *titles { return &titles{of: map[string]string{}} }

func (t *titles) learn(v *visit, e *wire.RecordEntry) {
	m := e.GetDecision().GetMotion()
	if m == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.of) < mostTitles {
		t.of[hex.EncodeToString(e.GetDecision().Application)] = titleOf(v.status, m)
	}
}

func (t *titles) get(hash []byte) (string, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	title, ok := t.of[hex.EncodeToString(hash)]
	return title, ok
}

// export sends the whole record as a file.
func (c *Console) export(w http.ResponseWriter, r *http.Request, v *visit) error {
	if err := pages.TakeTime(w, exportTimeout); err != nil {
		return err
	}
	// Who reads slowly must not hold up the end of the session.
	defer context.AfterFunc(v.ctx, func() {
		if err := http.NewResponseController(w).SetWriteDeadline(time.Now()); err != nil {
			c.log.Debug("export not ended", "fault", err)
		}
	})()
	out := &download{w: w, name: fmt.Sprintf("record-%s.jsonl", c.now().Format("2006-01-02"))}
	err := v.do(r.Context(), func(ctx context.Context) error {
		return v.registry.ExportRecord(ctx, out, func(_, _ uint64) {})
	})
	if err != nil && out.begun {
		c.log.Warn("export broke off", "fault", err)
		panic(http.ErrAbortHandler) // so that the browser knows that the file is not whole
	}
	return err
}

// download is a file that is sent; its headers go with its first byte, so that
// what fails before becomes a page.
type download struct {
	w     http.ResponseWriter
	name  string
	begun bool
}

func (d *download) Write(b []byte) (int, error) {
	if !d.begun {
		d.begun = true
		d.w.Header().Set("Content-Type", "application/octet-stream")
		d.w.Header().Set("Content-Disposition", `attachment; filename="`+d.name+`"`)
	}
	return d.w.Write(b)
}
