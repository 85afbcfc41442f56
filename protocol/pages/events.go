package pages

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Heartbeat is how often a stream of events says that it is still there, and
// looks whether the session is.
const Heartbeat = 20 * time.Second

// writeTime is how long a browser may take to accept one event.
const writeTime = 10 * time.Second

// Stream is a stream of events to one page (server-sent events, HTML standard
// section 9.2).
type Stream struct {
	w       http.ResponseWriter
	control *http.ResponseController
}

// NewStream begins a stream of events as the answer of w.
func NewStream(w http.ResponseWriter) *Stream {
	w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
	w.Header().Set("X-Accel-Buffering", "no") // a proxy in front must not hold events back
	w.WriteHeader(http.StatusOK)
	return &Stream{w, http.NewResponseController(w)}
}

// Send writes one event.
func (s *Stream) Send(event, data string) error {
	var b strings.Builder
	b.WriteString("event: " + event + "\n")
	for line := range strings.Lines(strings.TrimSpace(data)) {
		b.WriteString("data: " + strings.TrimRight(line, "\r\n") + "\n")
	}
	b.WriteString("\n")
	return s.raw(b.String())
}

// Beat says that the stream is still there.
func (s *Stream) Beat() error { return s.raw(": still here\n\n") }

// Retry says after how long the page opens another stream when this one ends.
func (s *Stream) Retry(after time.Duration) error {
	return s.raw(fmt.Sprintf("retry: %d\n\n", after.Milliseconds()))
}

// raw writes text and sends it off. The deadline is for this write alone: left
// standing, it would end a quiet HTTP/2 stream.
func (s *Stream) raw(text string) error {
	if err := s.deadlines(time.Now().Add(writeTime)); err != nil {
		return err
	}
	if _, err := s.w.Write([]byte(text)); err != nil {
		return err
	}
	if err := s.control.Flush(); err != nil {
		return err
	}
	return s.deadlines(time.Time{})
}

// deadlines sets the one for writing, and none for reading: a stream has
// nothing more to read, and the server takes a passed deadline for a browser
// that went away.
func (s *Stream) deadlines(write time.Time) error {
	err := errors.Join(s.control.SetReadDeadline(time.Time{}), s.control.SetWriteDeadline(write))
	if errors.Is(err, http.ErrNotSupported) {
		return nil
	}
	return err
}
