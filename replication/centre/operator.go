package centre

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"interlock/crypto/vault"
	"interlock/protocol/directory"
	"interlock/protocol/link"
	"interlock/protocol/wire"
	"interlock/replication/registry"
)

// Verb is what an operator decides.
type Verb = registry.Verb

// The verbs.
const (
	Approve = registry.Approve
	Refuse  = registry.Refuse
	Suspend = registry.Suspend
)

// Errors of an Operator that callers branch on.
var (
	// ErrNoSubject says that nothing is to be decided upon under an id.
	ErrNoSubject = errors.New("nothing to decide")
	// ErrAmbiguous says that several have applied under one id.
	ErrAmbiguous = errors.New("several have applied under this id; name the one by the start of its hash")
)

// Declined is the registry's refusal of a decision, a sentence.
type Declined string

func (d Declined) Error() string { return string(d) }

// Operator speaks with the registry as one of its operators.
type Operator struct {
	network directory.Network
	keys    *vault.Keys
	host    *link.Host
}

// LoadOperator reads the network file and an operator's keys, and is ready to
// speak. Where unlock is empty it is the key file that was founded beside them.
func LoadOperator(network, keys, unlock string, log *slog.Logger) (*Operator, error) {
	b, err := os.ReadFile(network)
	if err != nil {
		return nil, fmt.Errorf("read network file: %w", err)
	}
	n, err := directory.ParseNetwork(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", network, err)
	}
	if unlock == "" {
		unlock = keys[:len(keys)-len(filepath.Ext(keys))] + operatorKey
	}
	lock, err := vault.KeyFile(unlock)
	if err != nil {
		return nil, err
	}
	opened, err := vault.LoadKeys(keys, lock)
	if err != nil {
		return nil, err
	}
	return OpenOperator(n, opened, log)
}

// OpenOperator is ready to speak with the network's servers. It takes keys
// over: Close erases them.
func OpenOperator(n directory.Network, keys *vault.Keys, log *slog.Logger) (o *Operator, err error) {
	o = &Operator{network: n, keys: keys}
	defer func() {
		if err != nil {
			err = errors.Join(err, o.Close())
		}
	}()
	servers := make(map[wire.Peer]bool)
	for _, s := range n.Servers {
		servers[s.Key] = true
	}
	if o.host, err = link.New(link.Options{Key: keys.Signing, Log: log, Roles: func(p wire.Peer) wire.Role {
		if servers[p] {
			return wire.RegistryServer
		}
		return wire.Nobody
	}}); err != nil {
		return nil, err
	}
	for _, s := range n.Servers {
		if err := o.host.SetAddresses(s.Key, s.Addresses); err != nil {
			return nil, err
		}
	}
	return o, nil
}

// Close ends the links and erases the keys.
func (o *Operator) Close() error {
	defer o.keys.Destroy()
	if o.host == nil {
		return nil
	}
	return o.host.Close()
}

// Status asks how the registry stands.
func (o *Operator) Status(ctx context.Context) (*Status, error) {
	m, err := o.ask(ctx, &wire.OperateRequest{})
	if err != nil {
		return nil, err
	}
	return readStatus(o.network, m.Status)
}

// Decide decides upon the only application, or for Suspend the agency, under
// this id, as it stands now. Errors: ErrNoSubject, ErrAmbiguous, Declined.
func (o *Operator) Decide(ctx context.Context, verb Verb, id directory.AgencyID, reason string) error {
	status, err := o.Status(ctx)
	if err != nil {
		return err
	}
	subject, err := status.Find(verb, id, "")
	if err != nil {
		return err
	}
	_, err = o.DecideOn(ctx, verb, subject, reason)
	return err
}

// DecideOn signs a decision upon exactly this subject, has it taken, and
// returns the status after it. Deciding the same once more within one second
// makes the same decision, which counts once.
func (o *Operator) DecideOn(ctx context.Context, verb Verb, subject Subject, reason string) (*Status, error) {
	d, err := registry.SignDecision(o.keys.Signing, &wire.Decision{
		Verb: uint32(verb), Agency: string(subject.Agency.ID), Application: subject.Hash[:], Number: subject.Number,
		Reason: reason, Genesis: o.network.Genesis[:], Time: uint64(time.Now().Unix()),
	})
	if err != nil {
		return nil, err
	}
	m, err := o.ask(ctx, &wire.OperateRequest{Decision: d})
	if err != nil {
		return nil, err
	}
	if m.Refusal != "" {
		return nil, Declined(m.Refusal)
	}
	return readStatus(o.network, m.Status)
}

// ask asks one server after another until one answers. The same decision
// may reach several: it counts once.
func (o *Operator) ask(ctx context.Context, request *wire.OperateRequest) (*wire.OperateResponse, error) {
	var errs []error
	for _, s := range o.network.Servers {
		m, err := o.askOne(ctx, s.Key, request)
		if err == nil {
			return m, nil
		}
		errs = append(errs, fmt.Errorf("registry server %s: %w", s.Name, err))
	}
	return nil, errors.Join(errs...)
}

func (o *Operator) askOne(ctx context.Context, server wire.Peer, request *wire.OperateRequest) (*wire.OperateResponse, error) {
	st, err := o.host.Open(ctx, server, wire.ProtocolOperate)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { st.Reset(wire.CodeTimeout) })
	defer stop()
	defer st.Reset(wire.CodeNone) // no effect on one that was closed
	if err := st.Send(request); err != nil {
		return nil, err
	}
	var response wire.OperateResponse
	if err := st.Receive(&response); err != nil {
		return nil, err
	}
	return &response, st.Close()
}
