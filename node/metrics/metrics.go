// Package metrics says of a node in numbers, for Prometheus, what its status says:
// how it stands with each member, what it received and what was acknowledged, and
// what waits. Its numbers name agencies by their ids, and nothing of a case.
//
// Package node serves it on an address that its configuration names.
package metrics

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"interlock/node/desk"
)

const namespace = "interlock_node"

// Handler answers scrapes at /metrics with what status says at that moment.
func Handler(status func() desk.NetworkStatus) (http.Handler, error) {
	registry := prometheus.NewRegistry()
	if err := registry.Register(newCollector(status)); err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	return mux, nil
}

// collector reads the node at every scrape.
type collector struct {
	status  func() desk.NetworkStatus
	node    []figure[desk.NetworkStatus]
	members []figure[desk.MemberLine]
}

// figure is one number that is read off something.
type figure[T any] struct {
	desc  *prometheus.Desc
	kind  prometheus.ValueType
	value func(T) float64
}

func of[T any](name, help string, kind prometheus.ValueType, value func(T) float64, labels ...string) figure[T] {
	return figure[T]{prometheus.NewDesc(prometheus.BuildFQName(namespace, "", name), help, labels, nil), kind, value}
}

func newCollector(status func() desk.NetworkStatus) *collector {
	member := func(name, help string, value func(desk.MemberLine) float64) figure[desk.MemberLine] {
		return of("member_"+name, help, prometheus.GaugeValue, value, "agency")
	}
	volume := func(name, help string, value func(desk.MemberLine) float64) figure[desk.MemberLine] {
		return of("member_"+name, help, prometheus.CounterValue, value, "agency")
	}
	plain := func(name, help string, value func(desk.NetworkStatus) float64) figure[desk.NetworkStatus] {
		return of(name, help, prometheus.GaugeValue, value)
	}
	return &collector{
		status: status,
		node: []figure[desk.NetworkStatus]{
			plain("registry_reachable", "Whether a registry server is linked.", func(s desk.NetworkStatus) float64 { return truth(s.RegistryReachable) }),
			plain("waiting", "Identifiers that wait for their token, counted up to 1,000.", func(s desk.NetworkStatus) float64 { return float64(s.Waiting) }),
			plain("renewal_left", "Identifiers whose token is still to be made anew under the key in force.", func(s desk.NetworkStatus) float64 {
				return float64(s.Renewal.Of - s.Renewal.Done)
			}),
			plain("troubles", "What an administrator should look into.", func(s desk.NetworkStatus) float64 { return float64(len(s.Troubles)) }),
		},
		members: []figure[desk.MemberLine]{
			member("linked", "Whether the member's feed flows over a link to it.", func(m desk.MemberLine) float64 { return truth(m.Connected && !m.ByOthers) }),
			member("by_others", "Whether its feed is taken from other members.", func(m desk.MemberLine) float64 { return truth(m.ByOthers) }),
			member("trouble", "Whether something stands in the way of its feed.", func(m desk.MemberLine) float64 { return truth(m.Trouble != "") }),
			member("entries_held", "Number of the last entry of its feeds on this disk.", func(m desk.MemberLine) float64 { return float64(m.Have) }),
			member("entries_known", "Number of the last entry that it has, as last heard.", func(m desk.MemberLine) float64 { return float64(max(m.Have, m.Head)) }),
			member("entries_ours", "Number of the last entry of our feeds that it may have.", func(m desk.MemberLine) float64 { return float64(m.Ours) }),
			member("entries_acknowledged", "Number of the last entry of our feeds that it has acknowledged.", func(m desk.MemberLine) float64 { return float64(m.Has) }),
			member("heard_timestamp_seconds", "When it was last heard of, as a Unix time; 0 for never.", func(m desk.MemberLine) float64 {
				if m.LastHeard.IsZero() {
					return 0
				}
				return float64(m.LastHeard.Unix())
			}),
			volume("sent_bytes_total", "Bytes sent to it since the node was started.", func(m desk.MemberLine) float64 { return float64(m.SentBytes) }),
			volume("received_bytes_total", "Bytes received from it since the node was started.", func(m desk.MemberLine) float64 { return float64(m.ReceivedBytes) }),
		},
	}
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// Describe is prometheus.Collector's.
func (c *collector) Describe(to chan<- *prometheus.Desc) {
	for _, f := range c.node {
		to <- f.desc
	}
	for _, f := range c.members {
		to <- f.desc
	}
}

// Collect is prometheus.Collector's.
func (c *collector) Collect(to chan<- prometheus.Metric) {
	s := c.status()
	for _, f := range c.node {
		to <- prometheus.MustNewConstMetric(f.desc, f.kind, f.value(s))
	}
	for _, m := range s.Members {
		for _, f := range c.members {
			to <- prometheus.MustNewConstMetric(f.desc, f.kind, f.value(m), string(m.Agency.ID))
		}
	}
}
