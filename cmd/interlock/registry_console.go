package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"time"

	"interlock/crypto/vault"
	"interlock/protocol/directory"
	"interlock/replication/centre"
	"interlock/replication/console"
)

type registryConsoleCmd struct {
	Network     string `required:"" type:"path" help:"The network file."`
	Operators   string `required:"" type:"path" help:"The folder of the operators' keys, NAME.age, each under its operator's passphrase (registry operator --passphrase)."`
	Listen      string `default:"127.0.0.1:8453" help:"host:port of the pages. Without a certificate a loopback address, for a TLS proxy in front."`
	Origin      string `default:"http://127.0.0.1:8453" help:"What operators type into their browser."`
	Certificate string `type:"path" help:"PEM file; serves TLS."`
	Key         string `type:"path" help:"PEM file of the certificate's key."`
}

// consoleClosing is how long open requests may take to end.
const consoleClosing = 3 * time.Second

func (c registryConsoleCmd) Run(ctx context.Context, out io.Writer, errs stderr) error {
	network, origin, proxy, err := c.read()
	if err != nil {
		return err
	}
	events := slog.New(slog.NewTextHandler(errs, nil))
	pages, err := console.New(console.Options{
		Network: network.Name, Operators: c.Operators, Origin: origin, TrustedProxy: proxy, Log: events, Clock: time.Now,
		Open: func(keys *vault.Keys) (console.Registry, error) {
			o, err := centre.OpenOperator(network, keys, slog.New(slog.DiscardHandler))
			return operatorOf{o}, err
		},
	})
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return fmt.Errorf("--listen %s: %w", c.Listen, err)
	}
	s := &http.Server{
		Handler: pages, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: time.Minute, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 16 << 10,
		BaseContext: func(net.Listener) context.Context { return ctx },
		ErrorLog:    log.New(io.Discard, "", 0), // names addresses, and what browsers sent
	}
	fmt.Fprintf(out, "The console of %s is at %s\n", network.Name, c.Origin)
	ended := make(chan error, 1)
	go func() {
		if c.Certificate != "" {
			ended <- s.ServeTLS(l, c.Certificate, c.Key)
			return
		}
		ended <- s.Serve(l)
	}()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	closing, cancel := context.WithTimeout(context.Background(), consoleClosing)
	defer cancel()
	err = s.Shutdown(closing)
	if errors.Is(err, context.DeadlineExceeded) {
		err = s.Close() // a page that is open keeps its stream of events
	}
	return err
}

// read checks what the command line says.
func (c registryConsoleCmd) read() (network directory.Network, origin *url.URL, proxy netip.Prefix, err error) {
	b, err := os.ReadFile(c.Network)
	if err != nil {
		return network, nil, proxy, err
	}
	if network, err = directory.ParseNetwork(b); err != nil {
		return network, nil, proxy, fmt.Errorf("%s: %w", c.Network, err)
	}
	if origin, err = url.Parse(c.Origin); err != nil {
		return network, nil, proxy, fmt.Errorf("--origin: %w", err)
	}
	if (c.Certificate == "") != (c.Key == "") {
		return network, nil, proxy, errors.New("--certificate and --key: want both or neither")
	}
	host, _, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return network, nil, proxy, fmt.Errorf("--listen: %w", err)
	}
	ip, err := netip.ParseAddr(host)
	if c.Certificate != "" {
		return network, origin, proxy, nil
	}
	if err != nil || !ip.IsLoopback() {
		return network, nil, proxy, errors.New("--listen: without a certificate want a loopback address such as 127.0.0.1:8453, behind a TLS proxy")
	}
	if origin.Scheme == "https" {
		proxy = netip.PrefixFrom(ip, ip.BitLen())
	}
	return network, origin, proxy, nil
}

// operatorOf is an operator as the console reaches the registry.
type operatorOf struct{ *centre.Operator }

func (o operatorOf) Entries(ctx context.Context, from uint64, count uint32) ([][]byte, uint64, error) {
	status, err := o.Status(ctx)
	if err != nil {
		return nil, 0, err
	}
	entries, err := o.Record(ctx, from, uint64(count))
	return entries, status.RecordSize, err
}

func (o operatorOf) Export(ctx context.Context, w io.Writer) error {
	return o.ExportRecord(ctx, w, func(uint64, uint64) {})
}
