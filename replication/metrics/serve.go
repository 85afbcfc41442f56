package metrics

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Limits of whoever reads.
const (
	scrapesAtOnce = 4
	scrapeTime    = 10 * time.Second
	requestTime   = 5 * time.Second
	headerBytes   = 16 << 10
	closing       = time.Second // how long open requests may take to end
)

// Handler answers /metrics; /healthz, with 200 while the process lives; and
// /readyz, with 200 while the server can do its work, and otherwise 503 and why.
func (m *Metrics) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(m.collected, promhttp.HandlerOpts{
		MaxRequestsInFlight: scrapesAtOnce, Timeout: scrapeTime,
	}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		m.answer(w, http.StatusOK, alive{true})
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		ready, checks := m.health()
		body, status := readiness{Ready: ready}, http.StatusOK
		for _, c := range checks {
			body.Checks = append(body.Checks, condition{Name: c.Name, Passed: c.Trouble == "", Trouble: c.Trouble})
		}
		if !ready {
			status = http.StatusServiceUnavailable
		}
		m.answer(w, status, body)
	})
	return mux
}

type alive struct {
	Alive bool `json:"alive"`
}

type readiness struct {
	Ready  bool        `json:"ready"`
	Checks []condition `json:"checks"`
}

type condition struct {
	Name    string `json:"name"`
	Passed  bool   `json:"passed"`
	Trouble string `json:"trouble,omitempty"`
}

func (m *Metrics) answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(body); err != nil {
		m.log.Debug("health was not read to its end", "cause", err)
	}
}

// Served are metrics that are being served; the zero value is of none.
type Served struct {
	address string
	server  *http.Server
	done    chan struct{}
}

// Listen serves Handler on an address of this machine, such as 127.0.0.1:9464,
// and nothing where it is empty. The error of a port that is taken names it.
func (m *Metrics) Listen(address string) (*Served, error) {
	if address == "" {
		return &Served{}, nil
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("serve metrics: %w", err)
	}
	s := &Served{address: l.Addr().String(), done: make(chan struct{}), server: &http.Server{
		Handler: m.Handler(), ReadTimeout: requestTime, WriteTimeout: 2 * scrapeTime, MaxHeaderBytes: headerBytes,
		ErrorLog: log.New(io.Discard, "", 0), // it would write down what strangers send
	}}
	go func() {
		defer close(s.done)
		if err := s.server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			m.log.Error("metrics are not served any more", "cause", err)
		}
	}()
	return s, nil
}

// Address is where the metrics are served, with the real port; "" for nowhere.
func (s *Served) Address() string { return s.address }

// Close stops serving. It comes before the server's own Close.
func (s *Served) Close() error {
	if s.server == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), closing)
	defer cancel()
	err := s.server.Shutdown(ctx)
	if err != nil {
		err = errors.Join(fmt.Errorf("stop metrics: %w", err), s.server.Close())
	}
	<-s.done
	return err
}
