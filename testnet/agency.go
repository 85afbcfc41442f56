package testnet

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"

	"interlock/crypto/vault"
	"interlock/node"
	"interlock/node/alert"
	"interlock/node/casefile"
	"interlock/node/desk"
	"interlock/node/intake"
	"interlock/node/store"
	"interlock/protocol/directory"
	"interlock/protocol/identifier"
	"interlock/protocol/wire"
)

// Agency is one agency of the federation, running or stopped.
type Agency struct {
	Member
	net  *Net
	dir  string
	peer wire.Peer

	// Disk, where set before Start, is asked before every write.
	Disk func() error

	mu   sync.Mutex
	node *node.Node // owned by mu; nil while stopped
	fate *fate      // owned by mu; of the disk of the last start
}

const keyFile = "unlock.key"

// enrol makes the agency's folder and applies for admission.
func (n *Net) enrol(ctx context.Context, m Member) (*Agency, error) {
	a := &Agency{Member: m, net: n, dir: filepath.Join(n.plan.Dir, m.ID)}
	if err := makeDir(a.dir); err != nil {
		return nil, err
	}
	lock, err := vault.NewKeyFile(filepath.Join(a.dir, keyFile))
	if err != nil {
		return nil, err
	}
	ports, err := n.ports.Free(2)
	if err != nil {
		return nil, err
	}
	var addresses []string
	if n.plan.Front != nil {
		if addresses, err = n.plan.Front(m.ID, ports[0]); err != nil {
			return nil, err
		}
	}
	web := fmt.Sprintf("127.0.0.1:%d", ports[1])
	c := node.Config{
		Agency: m.ID, Name: m.Name, Jurisdiction: m.Jurisdiction, Contact: m.Contact, Region: m.Region,
		Listen: n.plan.listen(ports[0]), Addresses: addresses, Network: "network.toml", Unlock: keyFile, Web: node.Web{Listen: web, Origin: "http://" + web},
	}
	v, err := n.Invite(ctx, m.ID)
	if err != nil {
		return nil, err
	}
	defer v.Destroy()
	if err := node.Init(a.dir, c, lock, v); err != nil {
		return nil, err
	}
	if c, err = node.LoadConfig(a.dir); err != nil {
		return nil, err
	}
	applied, err := node.Enrol(ctx, c, lock, n.plan.Log)
	if err != nil {
		return nil, err
	}
	if applied.Status != directory.Pending {
		return nil, fmt.Errorf("the application is %s: %s", applied.Status, applied.Refusal)
	}
	keys, err := vault.LoadKeys(filepath.Join(a.dir, "identity.age"), lock)
	if err != nil {
		return nil, err
	}
	a.peer = wire.PeerOf(keys.Signing)
	keys.Destroy()
	return a, nil
}

// Options are what the agency's node is started from.
func (a *Agency) Options() (node.Options, error) {
	c, err := node.LoadConfig(a.dir)
	if err != nil {
		return node.Options{}, err
	}
	lock, err := vault.KeyFile(filepath.Join(a.dir, c.Unlock))
	return node.Options{
		Config: c, Unlock: lock, Log: a.net.plan.Log, Pauses: a.net.plan.pauses(), Cut: a.net.faults.from(a.peer), Disk: a.Disk,
		Direct: a.net.plan.Direct,
	}, err
}

// Start starts the agency's node, with its pages if the plan says so.
func (a *Agency) Start() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	o, err := a.Options()
	if err != nil {
		return err
	}
	a.fate = newFate(o.Disk)
	o.Disk = a.fate.write
	n, err := node.Start(o)
	if err != nil {
		return err
	}
	if a.net.plan.Pages {
		if _, err := n.Serve(); err != nil {
			return errors.Join(err, n.Close())
		}
	}
	a.node = n
	return nil
}

// Stop stops the agency's node, if it runs.
func (a *Agency) Stop() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.node == nil {
		return nil
	}
	n := a.node
	a.node = nil
	return n.Close()
}

// Node is the running node, or nil.
func (a *Agency) Node() *node.Node {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.node
}

// Dir is the agency's folder.
func (a *Agency) Dir() string { return a.dir }

// Peer is the agency's key.
func (a *Agency) Peer() wire.Peer { return a.peer }

// Origin is the address of the agency's pages.
func (a *Agency) Origin() (string, error) {
	c, err := node.LoadConfig(a.dir)
	return c.Web.Origin, err
}

func (a *Agency) review() {
	if n := a.Node(); n != nil {
		n.Host().Review()
	}
}

// follows reports whether the agency is a member and has the feeds of others.
func (a *Agency) follows(others map[string]bool) bool {
	n := a.Node()
	if n == nil {
		return false
	}
	st := n.Status()
	linked := map[string]bool{}
	for _, m := range st.Members {
		// One that is not followed directly has no trouble.
		linked[string(m.Agency.ID)] = m.Connected || m.Trouble == ""
	}
	for id := range others {
		if id != a.ID && !linked[id] {
			return false
		}
	}
	return st.Standing == directory.Active
}

// Officer gives somebody an account with a random password, and returns both.
func (a *Agency) Officer(name, fullName string, role casefile.Role) (casefile.Officer, string, error) {
	o := casefile.Officer{Name: casefile.OfficerName(name), FullName: fullName, Role: role}
	p := rand.Text()
	return o, p, a.Node().Desk().AddOfficer(o, p)
}

// Opens opens a case for an officer.
func (a *Agency) Opens(by casefile.Officer, number, title string) (casefile.Case, error) {
	return a.Node().Desk().OpenCase(by, casefile.NewCase{Number: number, Title: title})
}

// Pastes saves everything found in a text into a case.
func (a *Agency) Pastes(ctx context.Context, by casefile.Officer, c casefile.CaseID, text string) (desk.Saved, error) {
	return a.Shares(ctx, by, c, casefile.Sharing{}, text)
}

// Shares saves everything found in a text into a case, for whom the sharing says.
func (a *Agency) Shares(ctx context.Context, by casefile.Officer, c casefile.CaseID, to casefile.Sharing, text string) (desk.Saved, error) {
	return a.save(ctx, by, c, a.found(text), text, to)
}

// Handles changes how a case handles everything found in a text.
func (a *Agency) Handles(ctx context.Context, by casefile.Officer, c casefile.CaseID, to casefile.Sharing, text string) error {
	return a.Node().Desk().Handle(ctx, by, c, identifiersIn(a.found(text)), to)
}

// Purges lets a case forget everything found in a text.
func (a *Agency) Purges(ctx context.Context, by casefile.Officer, c casefile.CaseID, text string) error {
	return a.Node().Desk().Purge(ctx, by, c, identifiersIn(a.found(text)))
}

func (a *Agency) found(text string) intake.Report {
	return intake.Text("pasted text", text, identifier.Region(a.Region))
}

func identifiersIn(r intake.Report) []identifier.Identifier {
	var list []identifier.Identifier
	for _, item := range r.Distinct() {
		list = append(list, item.Identifier)
	}
	return list
}

// Uploads saves everything found in a file into a case.
func (a *Agency) Uploads(ctx context.Context, by casefile.Officer, c casefile.CaseID, name, content string) (desk.Saved, error) {
	r, err := intake.Read(name, strings.NewReader(content), identifier.Region(a.Region))
	if err != nil {
		return desk.Saved{}, err
	}
	return a.save(ctx, by, c, r, "", casefile.Sharing{})
}

func (a *Agency) save(ctx context.Context, by casefile.Officer, c casefile.CaseID, r intake.Report, text string, to casefile.Sharing) (desk.Saved, error) {
	d := a.Node().Desk()
	draft, err := d.Draft(by, c, r, text)
	if err != nil {
		return desk.Saved{}, err
	}
	return d.Save(ctx, by, c, draft, nil, to)
}

// Alerts returns every alert of the agency.
func (a *Agency) Alerts() ([]alert.Alert, error) {
	var list []alert.Alert
	err := a.Node().View(func(tx *store.Tx) error {
		return tx.RecentAlerts(func(al alert.Alert) (bool, error) {
			list = append(list, al)
			return true, nil
		})
	})
	return list, err
}

// AwaitsAlerts returns once the agency has at least n alerts.
func (a *Agency) AwaitsAlerts(ctx context.Context, n int) error {
	return a.net.await(ctx, fmt.Sprintf("%d alerts at %s", n, a.ID), func() (bool, error) {
		list, err := a.Alerts()
		return len(list) >= n, err
	})
}
