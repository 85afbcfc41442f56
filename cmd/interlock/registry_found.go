package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"interlock/crypto/vault"
	"interlock/replication/centre"
	"interlock/replication/registry"
)

type registryServerCmd struct {
	Name    string   `arg:"" help:"The server's name, for example Denver."`
	Address []string `required:"" help:"Multiaddrs where others reach it, for example /dns4/r1.example.org/tcp/4001."`
	Dir     string   `required:"" type:"path" help:"The folder to make."`
}

func (c registryServerCmd) Run(out io.Writer) error {
	s := centre.FoundingServer{Name: c.Name, Addresses: c.Address, Listen: listenFor(c.Address)}
	if _, err := centre.NewServer(c.Dir, s); err != nil {
		return err
	}
	fmt.Fprintf(out, "The keys of %s are in %s.\nSend server.toml from there to whoever founds the network, or moves to add the server; it holds no secret.\n"+
		"Put the founding document, genesis.pb, that you get back beside it, then: interlock registry run --config %s\n",
		c.Name, c.Dir, filepath.Join(c.Dir, "registry.toml"))
	return nil
}

type registryOperatorCmd struct {
	Name       string   `arg:"" help:"The operator's short name."`
	Dir        string   `default:"." type:"path" help:"The folder to put the keys into."`
	Role       []string `default:"admission,operations,audit" help:"What the operator may do: admission, operations, audit."`
	Passphrase bool     `help:"Seal the keys under a passphrase instead of a key file."`
}

func (c registryOperatorCmd) Run(out io.Writer, errs stderr) error {
	roles, err := registry.ParseRoles(c.Role)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return err
	}
	var lock vault.Lock
	if c.Passphrase {
		p, err := secret("Passphrase of the operator's keys: ", os.Stdin, errs)
		if err != nil {
			return err
		}
		if len(p) < 12 {
			return errors.New("the passphrase must have at least 12 characters")
		}
		lock = vault.Passphrase([]byte(p))
	} else if lock, err = vault.NewKeyFile(filepath.Join(c.Dir, c.Name+".key")); err != nil {
		return err
	}
	if _, err := centre.NewOperator(c.Dir, c.Name, roles, lock); err != nil {
		return err
	}
	fmt.Fprintf(out, "The keys of %s are in %s. Send %s.toml to whoever founds the network, or moves to add the operator; it holds no secret.\n",
		c.Name, filepath.Join(c.Dir, c.Name+".age"), c.Name)
	return nil
}

type registryFoundCmd struct {
	Name      string   `required:"" help:"The network's name, for example \"Colorado\"."`
	Dir       string   `required:"" type:"path" help:"Where to write genesis.pb and network.toml."`
	Server    []string `required:"" type:"path" placeholder:"CARD" help:"A server's card, server.toml. Once for each; three or five."`
	Operator  []string `required:"" type:"path" placeholder:"CARD" help:"An operator's card. Once for each; at least two."`
	Threshold int      `required:"" help:"How many servers have to work together for a token. Fewer learn nothing."`
}

func (c registryFoundCmd) Run(out io.Writer) error {
	f := centre.Founding{Name: c.Name, Threshold: c.Threshold}
	for _, path := range c.Server {
		card, err := centre.ReadCard[centre.ServerCard](path)
		if err != nil {
			return err
		}
		f.Servers = append(f.Servers, card)
	}
	for _, path := range c.Operator {
		card, err := centre.ReadCard[centre.OperatorCard](path)
		if err != nil {
			return err
		}
		f.Operators = append(f.Operators, card)
	}
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(c.Dir, "genesis.pb")); err == nil {
		return fmt.Errorf("%s holds a founding document already; a network is founded once", c.Dir)
	}
	network, err := centre.Found(c.Dir, f)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "The network %s is founded: %d servers, %d operators.\n\n"+
		"genesis.pb     into every server's folder, beside its registry.toml\n"+
		"network.toml   for every operator and auditor\n\n"+
		"Compare the network's name on every machine: %x\n"+
		"The servers make the token key among themselves when they first run.\n", network.Name, len(f.Servers), len(f.Operators), network.Genesis[:])
	return nil
}
