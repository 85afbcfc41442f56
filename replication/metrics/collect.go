package metrics

import (
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"interlock/crypto/dkg"
	"interlock/protocol/directory"
	"interlock/protocol/wire"
	"interlock/replication/centre"
	"interlock/replication/cluster"
	"interlock/replication/registry"
)

// collector reads a server at every scrape.
type collector struct {
	metrics *Metrics
	plain   []plain
	descs   map[string]*prometheus.Desc // by name
}

func newCollector(m *Metrics) *collector {
	c := &collector{metrics: m, plain: plains(), descs: make(map[string]*prometheus.Desc)}
	for _, p := range c.plain {
		c.describe(p.name, p.help)
	}
	c.describe("ready", "Whether this server can do its work now: what /readyz says.")
	c.describe("check_passed", "Each condition of that by itself.", "check")
	c.describe("standing", "What part this server has in the replication: 1 for what it is.", "standing")
	c.describe("server_linked", "Whether this server has a link to each of the network's servers, itself included. The leader has one to all; the others need none to one another.", "server")
	c.describe("server_endorsed", "Whether each server has signed the current version of the directory.", "server")
	c.describe("server_has_share", "Whether each server has a share of the key in force, as the directory has it.", "server")
	c.describe("agencies", "Agencies that were admitted, by how they stand.", "status")
	c.describe("notices", "Notices to the operators that are kept, by kind.", "kind")
	c.describe("notice_newest_timestamp_seconds", "When the newest notice of a kind was given, as a Unix time; 0 for never.", "kind")
	c.describe("motions_total", "Motions that operators have ever put, in the whole network.")
	c.describe("key_generation", "Which set of shares of a token key is in force, from 1.", "epoch")
	c.describe("key_threshold", "How many servers a token of a key takes.", "epoch")
	c.describe("key_shares", "How many servers have a share of a key.", "epoch")
	c.describe("key_retiring", "Whether a key makes no new tokens any more.", "epoch")
	c.describe("key_share_held", "Whether this server can use its share of a key.", "epoch")
	c.describe("ceremony_phase", "Phase of the key ceremony under way: 1 for the one it is in.", "phase")
	c.describe("streams_open", "Streams that peers have open here, by protocol.", "protocol")
	c.describe("refusals_total", "Streams and connections that ended with a code since the start, by protocol, code and which side refused.", "protocol", "code", "by")
	return c
}

func (c *collector) describe(name, help string, labels ...string) {
	c.descs[name] = prometheus.NewDesc(prometheus.BuildFQName(namespace, "", name), help, labels, nil)
}

// Describe is prometheus.Collector's.
func (c *collector) Describe(to chan<- *prometheus.Desc) {
	for _, d := range c.descs {
		to <- d
	}
}

// Collect is prometheus.Collector's. Of a server that has not started there is
// nothing but that it is not ready.
func (c *collector) Collect(to chan<- prometheus.Metric) {
	s := scrape{c, to}
	ready, checks := c.metrics.health()
	s.gauge("ready", truth(ready))
	for _, check := range checks {
		s.gauge("check_passed", truth(check.Trouble == ""), check.Name)
	}
	server := c.metrics.watched()
	if server == nil {
		return
	}
	f, err := server.Figures()
	if err != nil {
		c.metrics.failed.Inc()
		c.metrics.log.Warn("server could not be measured whole", "cause", err)
	}
	for _, p := range c.plain {
		s.gauge(p.name, p.value(&f))
	}
	s.network(&f)
	s.agencies(&f)
	s.keys(&f)
	s.links(&f)
}

// scrape is one.
type scrape struct {
	*collector
	to chan<- prometheus.Metric
}

func (s scrape) gauge(name string, value float64, labels ...string) {
	s.to <- prometheus.MustNewConstMetric(s.descs[name], prometheus.GaugeValue, value, labels...)
}

func (s scrape) counter(name string, value uint64, labels ...string) {
	s.to <- prometheus.MustNewConstMetric(s.descs[name], prometheus.CounterValue, float64(value), labels...)
}

func (s scrape) network(f *centre.Figures) {
	for part := cluster.Waiting; part <= cluster.Outdated; part++ {
		s.gauge("standing", truth(part == f.Replication.Standing), part.String())
	}
	for _, server := range f.Servers {
		number := strconv.Itoa(int(server.Index))
		s.gauge("server_linked", truth(server.Linked), number)
		s.gauge("server_endorsed", truth(server.Endorsed), number)
		s.gauge("server_has_share", truth(server.Share), number)
	}
	s.counter("motions_total", f.Motioned)
}

// kinds are the notices that this program knows.
func kinds() map[uint32]string {
	return map[uint32]string{
		registry.UnusualDemand: "unusual_demand", registry.ForkedFeed: "forked_feed",
		registry.CeremonyFailed: "ceremony_failed", registry.ServerDisqualified: "server_disqualified",
	}
}

func (s scrape) agencies(f *centre.Figures) {
	s.gauge("agencies", float64(f.Active), label(directory.Active.String()))
	s.gauge("agencies", float64(f.Suspended), label(directory.Suspended.String()))
	other := centre.NoticeFigures{}
	known := kinds()
	for kind, n := range f.Notices {
		if _, ok := known[kind]; !ok {
			other.Kept += n.Kept
			other.Newest = later(other.Newest, n.Newest)
		}
	}
	for kind, name := range known {
		s.notices(name, f.Notices[kind])
	}
	s.notices("other", other)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func (s scrape) notices(kind string, n centre.NoticeFigures) {
	s.gauge("notices", float64(n.Kept), kind)
	s.gauge("notice_newest_timestamp_seconds", unix(n.Newest), kind)
}

func (s scrape) keys(f *centre.Figures) {
	for _, k := range f.Epochs {
		epoch := strconv.FormatUint(uint64(k.Epoch), 10)
		s.gauge("key_generation", float64(k.Generation), epoch)
		s.gauge("key_threshold", float64(k.Threshold), epoch)
		s.gauge("key_shares", float64(k.Shares), epoch)
		s.gauge("key_retiring", truth(k.Retiring), epoch)
		s.gauge("key_share_held", truth(k.Held), epoch)
	}
	for phase := dkg.Joining; phase <= dkg.Confirming; phase++ {
		s.gauge("ceremony_phase", truth(phase == f.Phase), label(phase.String()))
	}
}

func (s scrape) links(f *centre.Figures) {
	for protocol, n := range f.Streams {
		s.gauge("streams_open", float64(n), protocol)
	}
	for _, n := range f.Refusals {
		if n.Code != wire.CodeNone {
			s.counter("refusals_total", n.N, n.Protocol, label(n.Code.String()), n.By)
		}
	}
}

// label is a name of ours in the spelling of labels.
func label(name string) string { return strings.ReplaceAll(name, " ", "_") }
