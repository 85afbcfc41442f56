package centre

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"interlock/crypto/vault"
	"interlock/protocol/directory"
	"interlock/protocol/invitation"
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
	log     *slog.Logger

	mu     sync.Mutex
	newest *directory.Directory // owned by mu; verified, nil before the first
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
	o = &Operator{network: n, keys: keys, log: log}
	if o.log == nil {
		o.log = slog.New(slog.DiscardHandler)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, o.Close())
		}
	}()
	if o.host, err = link.New(link.Options{Key: keys.Signing, Log: log, Roles: o.role}); err != nil {
		return nil, err
	}
	for _, s := range n.Servers {
		if err := o.host.SetAddresses(s.Key, s.Addresses); err != nil {
			return nil, err
		}
	}
	return o, nil
}

// role admits the registry's servers, and nobody else.
func (o *Operator) role(p wire.Peer) wire.Role {
	if slices.ContainsFunc(o.servers(), func(s directory.NetworkServer) bool { return s.Key == p }) {
		return wire.RegistryServer
	}
	return wire.Nobody
}

// Key is the operator's public key.
func (o *Operator) Key() wire.Peer { return wire.PeerOf(o.keys.Signing) }

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
	return o.ask(ctx, &wire.OperateRequest{})
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
	return o.decide(ctx, &wire.Decision{
		Verb: uint32(verb), Agency: string(subject.Agency.ID), Application: subject.Hash[:], Number: subject.Number, Reason: reason,
	})
}

// Move puts a motion, which a second operator has to approve.
func (o *Operator) Move(ctx context.Context, m *wire.Motion, reason string) (*Status, error) {
	status, err := o.Status(ctx)
	if err != nil {
		return nil, err
	}
	hash, err := registry.MotionHash(m)
	if err != nil {
		return nil, err
	}
	return o.decide(ctx, &wire.Decision{
		Verb: uint32(registry.Move), Agency: m.GetAgency().GetAgency(), Application: hash[:], Number: status.Motioned, Reason: reason, Motion: m,
	})
}

// DecideMotion approves or refuses exactly this motion of another operator.
func (o *Operator) DecideMotion(ctx context.Context, verb Verb, m Motion, reason string) (*Status, error) {
	return o.decide(ctx, &wire.Decision{
		Verb: uint32(verb), Agency: m.What.GetAgency().GetAgency(), Application: m.Hash[:], Number: m.Number, Reason: reason,
	})
}

// Clear ends the throttling of an agency whose demand was unusual.
func (o *Operator) Clear(ctx context.Context, id directory.AgencyID, reason string) (*Status, error) {
	status, err := o.Status(ctx)
	if err != nil {
		return nil, err
	}
	return o.decide(ctx, &wire.Decision{
		Verb: uint32(registry.Clear), Agency: string(id), Application: make([]byte, len(directory.ApplicationHash{})), Number: status.Day, Reason: reason,
	})
}

// Invite opens an invitation that is good for some days. It pins what the
// registry's newest directory says; whoever gets it can enrol.
func (o *Operator) Invite(ctx context.Context, label string, days int) (invitation.Invitation, error) {
	d, err := o.Directory(ctx)
	if err != nil {
		return invitation.Invitation{}, err
	}
	v, err := invitation.New(rand.Reader, d.Network(o.network.Name), directory.Day(time.Now())+uint64(days))
	if err != nil {
		return v, err
	}
	key := v.Public()
	if _, err = o.decide(ctx, &wire.Decision{
		Verb: uint32(registry.Invite), Application: make([]byte, len(directory.ApplicationHash{})),
		Invitation: &wire.Invitation{Key: key[:], Expires: v.Expires, Label: label},
	}); err != nil {
		v.Destroy()
	}
	return v, err
}

// decide signs a decision and has it taken.
func (o *Operator) decide(ctx context.Context, m *wire.Decision) (*Status, error) {
	m.Genesis, m.Time = o.network.Genesis[:], uint64(time.Now().Unix())
	d, err := registry.SignDecision(o.keys.Signing, m)
	if err != nil {
		return nil, err
	}
	return o.ask(ctx, &wire.OperateRequest{Decision: d})
}

// askNextAfter is how long one server may think before the next is asked too: it
// may be cut off from the others, and not know it.
const askNextAfter = 2 * time.Second

// word is what one server says to a request.
type word struct {
	status *Status
	err    error
}

// final reports whether no other server needs to be asked.
func (a word) final() bool {
	declined := Declined("")
	return a.err == nil || errors.As(a.err, &declined)
}

// ask asks one server after another, each a little later than the one before or
// as soon as one fails, and returns the first answer that holds together. The
// same decision may reach several: it counts once.
func (o *Operator) ask(ctx context.Context, request *wire.OperateRequest) (*Status, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	servers := o.servers()
	answers := make(chan word, len(servers))
	next := time.NewTimer(0)
	defer next.Stop()
	var errs []error
	for asked := 0; len(errs) < len(servers); {
		select {
		case <-next.C:
			if asked == len(servers) {
				continue
			}
			s := servers[asked]
			go func() {
				status, err := o.askOne(ctx, s.Key, request)
				answers <- word{status, err}
			}()
			asked++
			next.Reset(askNextAfter)
		case a := <-answers:
			if a.final() {
				return a.status, a.err
			}
			errs = append(errs, a.err)
			next.Reset(0)
		}
	}
	return nil, errors.Join(errs...)
}

func (o *Operator) askOne(ctx context.Context, server wire.Peer, request *wire.OperateRequest) (*Status, error) {
	var response wire.OperateResponse
	if err := o.askOnce(ctx, server, wire.ProtocolOperate, request, &response); err != nil {
		return nil, fmt.Errorf("registry server %s: %w", o.nameOf(server), err)
	}
	if response.Refusal != "" {
		return nil, Declined(clean(response.Refusal))
	}
	return readStatus(o.network, response.Status)
}

// askOnce sends one server a request and reads the answer.
func (o *Operator) askOnce(ctx context.Context, server wire.Peer, p wire.Protocol, request, response proto.Message) error {
	st, err := o.host.Open(ctx, server, p)
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { st.Reset(wire.CodeTimeout) })
	defer stop()
	defer st.Reset(wire.CodeNone) // no effect on one that was closed
	if err := st.Send(request); err != nil {
		return err
	}
	if err := st.Receive(response); err != nil {
		return err
	}
	return st.Close()
}

// nameOf is a server's name in the newest directory that is known here.
func (o *Operator) nameOf(server wire.Peer) string {
	for _, s := range o.servers() {
		if s.Key == server {
			return s.Name
		}
	}
	return server.String()
}
