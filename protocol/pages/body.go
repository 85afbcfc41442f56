package pages

import (
	"errors"
	"io"
	"net/http"
)

// patience is how many times the limit of a body is read, and thrown away,
// once the limit is passed. A browser listens to no answer before it has sent
// all: without this it shows a broken connection in place of the sentence.
const patience = 8

// LimitBody has r's body end in an *http.MaxBytesError after limit bytes.
func LimitBody(r *http.Request, limit int64) {
	r.Body = &body{ReadCloser: r.Body, limit: limit, left: limit}
}

// body reads a request's body up to a limit, and then ends in an
// *http.MaxBytesError.
type body struct {
	io.ReadCloser
	limit, left int64
	over        error // set once the limit is passed
}

func (b *body) Read(p []byte) (int, error) {
	if b.over != nil {
		return 0, b.over
	}
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.ReadCloser.Read(p)
	if int64(n) <= b.left {
		b.left -= int64(n)
		return n, err
	}
	n, b.left = int(b.left), 0
	b.over = &http.MaxBytesError{Limit: b.limit}
	if _, err := io.CopyN(io.Discard, b.ReadCloser, patience*b.limit); err != nil && !errors.Is(err, io.EOF) {
		b.over = errors.Join(b.over, err)
	}
	return n, b.over
}
