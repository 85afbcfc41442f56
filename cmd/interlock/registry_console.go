package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
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

func (c registryConsoleCmd) Run(ctx context.Context, out io.Writer, errs stderr) error {
	network, origin, proxy, err := c.read()
	if err != nil {
		return err
	}
	events := slog.New(slog.NewTextHandler(errs, nil))
	pages, err := console.New(console.Options{
		Network: network.Name, Operators: c.Operators, Origin: origin, TrustedProxy: proxy, Log: events, Clock: time.Now,
		Open: func(keys *vault.Keys) (console.Registry, error) {
			return centre.OpenOperator(network, keys, slog.New(slog.DiscardHandler))
		},
	})
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return fmt.Errorf("--listen %s: %w", c.Listen, err)
	}
	if c.Certificate != "" {
		pair, err := tls.LoadX509KeyPair(c.Certificate, c.Key)
		if err != nil {
			return errors.Join(fmt.Errorf("--certificate: %w", err), l.Close())
		}
		l = tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}})
	}
	fmt.Fprintf(out, "The console of %s is at %s\n", network.Name, c.Origin)
	return pages.Serve(ctx, l)
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
