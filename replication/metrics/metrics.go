// Package metrics shows how a registry server does: to Prometheus at /metrics,
// and to whatever watches over processes at /healthz and /readyz.
//
// It promises that nothing in any of them is a name, a key, an identifier or an
// agency's id: agencies are counted and added up, and servers go by number. Every
// scrape is of one state of the registry. It keeps its own collectors, none of
// them global, and changes nothing on the server but for a file that readiness
// writes and removes again. It asks nobody who he is: whoever may connect may
// read, so that its address is to be a loopback one.
//
// The command line calls it. DESIGN.md beside this file says what is counted how.
package metrics

import (
	"log/slog"
	"runtime"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"interlock/protocol/wire"
	"interlock/replication/centre"
)

// namespace begins every name of ours.
const namespace = "interlock_registry"

// Server is what is measured. A centre.Server is one.
type Server interface {
	// Figures returns the numbers of this moment. With an error some of them are
	// missing.
	Figures() (centre.Figures, error)
	// Health returns the conditions under which the server can do its work.
	Health() []centre.Check
}

// Metrics collects the numbers of one server. Its methods may be called from
// any goroutine. It is the centre.Observer of the server that it watches.
type Metrics struct {
	log       *slog.Logger
	collected *prometheus.Registry
	latency   prometheus.Histogram
	elements  prometheus.Counter
	refused   *prometheus.CounterVec
	failed    prometheus.Counter

	mu     sync.RWMutex
	server Server // owned by mu; nil until Watch
}

var _ centre.Observer = (*Metrics)(nil)

// New returns Metrics of a server that has not started yet. A nil log is none.
func New(log *slog.Logger) *Metrics {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	m := &Metrics{
		log: log, collected: prometheus.NewRegistry(),
		latency: prometheus.NewHistogram(prometheus.HistogramOpts{
			Namespace: namespace, Name: "evaluation_duration_seconds",
			Help:    "How long the server had each request for an evaluation that it answered, waiting for a lease and for a processor included.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 15},
		}),
		elements: prometheus.NewCounter(prometheus.CounterOpts{
			Namespace: namespace, Name: "evaluated_elements_total",
			Help: "Elements that this server has evaluated since it started. A token takes one of each of threshold servers.",
		}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: namespace, Name: "evaluations_refused_total",
			Help: "Requests for an evaluation that this server did not answer, by the code that the member got. A budget that is used up is busy.",
		}, []string{"code"}),
		failed: prometheus.NewCounter(prometheus.CounterOpts{
			Namespace: namespace, Name: "measure_errors_total",
			Help: "Scrapes in which something could not be read from the disk and is missing.",
		}),
	}
	for code := wire.CodeRefused; code <= wire.CodeTimeout; code++ {
		m.refused.WithLabelValues(label(code.String())) // so that the first one is seen to rise from 0
	}
	m.collected.MustRegister(
		m.latency, m.elements, m.refused, m.failed, newCollector(m),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Namespace: namespace, Name: "goroutines", Help: "Goroutines of the process.",
		}, func() float64 { return float64(runtime.NumGoroutine()) }),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		collectors.NewBuildInfoCollector(),
	)
	return m
}

// Watch begins to measure a server. Until then it counts as starting.
func (m *Metrics) Watch(s Server) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.server = s
}

func (m *Metrics) watched() Server {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.server
}

// Evaluated counts one request of an evaluation.
func (m *Metrics) Evaluated(took time.Duration, elements int, refused wire.Code) {
	if refused != wire.CodeNone {
		m.refused.WithLabelValues(label(refused.String())).Inc()
		return
	}
	m.latency.Observe(took.Seconds())
	m.elements.Add(float64(elements))
}

// started is the only condition of a server that is not watched yet.
const started = "started"

// health is whether the server can do its work, and every condition of it.
func (m *Metrics) health() (ready bool, checks []centre.Check) {
	s := m.watched()
	if s == nil {
		return false, []centre.Check{{Name: started, Trouble: "has not started yet; a new server waits here until it is added to the network"}}
	}
	checks, ready = s.Health(), true
	for _, c := range checks {
		ready = ready && c.Trouble == ""
	}
	return ready, checks
}
