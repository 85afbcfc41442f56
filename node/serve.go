package node

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"interlock/node/control"
	"interlock/node/metrics"
	"interlock/node/web"
	"interlock/protocol/identifier"
	"interlock/protocol/pages"
)

// closing is how long open requests may take to end when the node closes.
const closing = 3 * time.Second

// Serve starts the officers' pages and the control socket, and returns the
// address of the pages. A server that fails later says so on Failed.
func (n *Node) Serve() (string, error) {
	origin, err := url.Parse(n.o.Config.Web.Origin)
	if err != nil {
		return "", fmt.Errorf("web.origin: %w", err)
	}
	region, err := identifier.ParseRegion(n.o.Config.Region)
	if err != nil {
		return "", fmt.Errorf("region: %w", err)
	}
	w := n.o.Config.Web
	officers, err := web.New(web.Options{
		Desk: n.desk, Region: region, Origin: origin, TrustedProxy: w.proxy(origin), Log: n.o.Log, Clock: time.Now,
	})
	if err != nil {
		return "", err
	}
	l, err := pages.Listen(w.Listen)
	if err != nil {
		return "", fmt.Errorf("web.listen %s: %w", w.Listen, err)
	}
	socket, err := control.Listen(n.o.Config.dir)
	if err != nil {
		return "", errors.Join(err, l.Close())
	}
	if err := n.serveMetrics(); err != nil {
		return "", errors.Join(err, l.Close(), socket.Close())
	}
	n.serve(pages.Server(officers), func(s *http.Server) error {
		if w.Certificate == "" {
			return s.Serve(l)
		}
		return s.ServeTLS(l, n.o.Config.path(w.Certificate), n.o.Config.path(w.Key))
	})
	n.serve(control.Server(n.desk), func(s *http.Server) error { return s.Serve(socket) })
	return w.Origin, nil
}

// serveMetrics lets this machine read the node's numbers, where it is to.
func (n *Node) serveMetrics() error {
	if n.o.Config.Metrics == "" {
		return nil
	}
	h, err := metrics.Handler(n.Status)
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", n.o.Config.Metrics)
	if err != nil {
		return fmt.Errorf("metrics: %w", err)
	}
	n.serve(pages.Server(h), func(s *http.Server) error { return s.Serve(l) })
	return nil
}

// proxy is where the TLS proxy speaks from, whose word for the officer's
// address counts: this machine, where the pages are served in the clear for an
// https origin, and nowhere otherwise.
func (w Web) proxy(origin *url.URL) netip.Prefix {
	host, _, err := net.SplitHostPort(w.Listen)
	if err != nil || w.Certificate != "" || origin.Scheme != "https" {
		return netip.Prefix{}
	}
	if ip, err := netip.ParseAddr(host); err == nil && ip.Is6() {
		return netip.PrefixFrom(ip, ip.BitLen())
	}
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{127}), 8)
}

// serve runs one server until the node closes.
func (n *Node) serve(s *http.Server, run func(*http.Server) error) {
	s.BaseContext = func(net.Listener) context.Context { return n.ctx }
	n.tasks.Go(func() {
		if err := run(s); !errors.Is(err, http.ErrServerClosed) {
			n.failed <- err
		}
	})
	n.tasks.Go(func() {
		<-n.ctx.Done()
		ctx, cancel := context.WithTimeout(context.Background(), closing)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			n.o.Log.Warn("requests did not end in time", "cause", errors.Join(err, s.Close()))
		}
	})
}

// Failed receives the error of a server that could not go on, or ErrKeysChanged.
func (n *Node) Failed() <-chan error { return n.failed }
