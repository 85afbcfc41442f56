package pages

import (
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"time"

	"golang.org/x/net/netutil"
)

// Deadlines of a server. Handlers that take longer with good reason (an upload,
// an export, a stream of events) extend their own.
const (
	headerTimeout = 10 * time.Second
	bodyTimeout   = time.Minute
	answerTimeout = time.Minute
	idleTimeout   = 2 * time.Minute
	maxHeader     = 16 << 10

	// maxConnections is how many connections pages hold at once: a browser opens
	// up to six, and each costs a file and some memory.
	maxConnections = 512
)

// Server returns an HTTP server for h with the limits that pages need. The
// caller serves it, and sets its TLS configuration and its BaseContext: a
// stream of events ends with that context, and Shutdown waits for it to.
func Server(h http.Handler) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       bodyTimeout,
		WriteTimeout:      answerTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		// What net/http would log names addresses, and what browsers sent.
		ErrorLog: log.New(io.Discard, "", 0),
	}
}

// Listen listens on a TCP address for Server. It accepts no more than 512
// connections at once; those beyond wait in the system's queue.
func Listen(address string) (net.Listener, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	return Limit(l), nil
}

// Limit has l accept no more connections at once than Listen's do.
func Limit(l net.Listener) net.Listener { return netutil.LimitListener(l, maxConnections) }

// TakeTime lets the request take longer than the others. Recorders in tests
// have no deadlines, which is no fault.
func TakeTime(w http.ResponseWriter, d time.Duration) error {
	c, until := http.NewResponseController(w), time.Now().Add(d) // the connection's clock, not the pages'
	err := errors.Join(c.SetReadDeadline(until), c.SetWriteDeadline(until))
	if errors.Is(err, http.ErrNotSupported) {
		return nil
	}
	return err
}
