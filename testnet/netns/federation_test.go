package netns

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// bad is a network of cities on a bad day.
func bad() Weather {
	return Weather{Delay: 30 * time.Millisecond, Jitter: 10 * time.Millisecond, Loss: 0.02, Double: 0.01}
}

// TestAFederationOfProcessesOutlivesABadNetwork runs the real binary, one
// process in one place each. On a network that delays, loses, doubles and
// reorders packets a federation is founded and two agencies enrol; a leader
// that is cut off decides nothing while the others do; a server that is not
// heard stops nobody; and healed, all say the same. Without namespaces the same
// is asked of a network without faults.
func TestAFederationOfProcessesOutlivesABadNetwork(t *testing.T) {
	o := newTown(t, bad())
	o.isFounded()
	o.enrols(o.denver, "Denver Police Department")
	o.enrols(o.pueblo, "Pueblo Police Department")
	o.nodeSays(o.denver, "Pueblo Police Department  up")
	o.nodeSays(o.pueblo, "Denver Police Department  up")
	o.outlivesItsLeader()
	o.outlivesAMuteServer()
	if o.network == nil {
		return
	}
	got := o.network.Counts()
	if got.TCP < 500 || got.UDP < 500 || got.Lost == 0 || got.Doubled == 0 || got.Overtaken == 0 || got.Cut == 0 {
		t.Errorf("packets %+v, want many over TCP and over QUIC, and some of each fault", got)
	}
	t.Logf("packets %+v", got)
}

// isFounded founds the network, starts its servers and awaits the key ceremony.
// One server has TCP alone.
func (o *town) isFounded() {
	o.t.Helper()
	found := []string{"registry", "init", "--name", "Colorado", "--dir", o.path("net"), "--threshold", "2", "--operator", "alice", "--operator", "bob"}
	for i, s := range o.servers {
		addresses := s.tcp()
		if i < 2 {
			addresses += "," + s.quic()
		}
		found = append(found, "--server", s.name+"="+addresses)
	}
	o.does(o.alice, found...)
	o.onlyFiles()
	for i, s := range o.servers {
		o.runs(s, "registry", "run", "--config", o.path("net", "server-"+string(rune('1'+i)), "registry.toml"))
	}
	await(o, "every server holds a share of the token key, and has signed the directory", func() (view, error) {
		return o.ask(o.alice, o.servers[0])
	}, func(v view) bool {
		held := 0
		for _, s := range v.Servers {
			held += min(s.Share, 1)
		}
		return held == 3 && v.Endorsed == 3 && v.Leader != ""
	})
}

// enrols invites an agency, which applies, is approved twice, and runs.
func (o *town) enrols(p *party, name string) {
	o.t.Helper()
	start := time.Now()
	dir := o.path(p.name)
	invitation := o.does(o.alice, append([]string{"registry", "invite", name}, o.as(o.alice, nil)...)...)
	invitation, _, _ = strings.Cut(invitation, "\n")
	o.does(p, "node", "init", "--dir", dir, "--agency", p.name, "--name", name, "--jurisdiction", "US-CO", "--contact", "desk@example.org",
		"--invitation", invitation, "--listen", p.tcp()+","+p.quic(), "--address", p.tcp()+","+p.quic(), "--web", "127.0.0.1:0")
	if got, want := o.does(p, "node", "enrol", "--dir", dir), "Two operators have to approve"; !strings.Contains(got, want) {
		o.t.Fatalf("enrol says %q, want %q", got, want)
	}
	o.runs(p, "node", "run", "--dir", dir)
	o.does(o.alice, append([]string{"registry", "approve", p.name, "--yes"}, o.as(o.alice, nil)...)...)
	if got, want := o.does(o.bob, append([]string{"registry", "approve", p.name, "--yes"}, o.as(o.bob, nil)...)...), "is a member"; !strings.Contains(got, want) {
		o.t.Fatalf("the second approval says %q, want %q", got, want)
	}
	o.nodeSays(p, "("+p.name+"): active", "registry: reachable")
	o.t.Logf("%5.1f s from the invitation of %s to its membership", time.Since(start).Seconds(), p.name)
}

// nodeSays awaits a node's status with all of this in it.
func (o *town) nodeSays(p *party, want ...string) {
	o.t.Helper()
	await(o, "the node of "+p.name+" says "+strings.Join(want, ", "), func() (string, error) {
		return o.try(p, "node", "status", "--dir", o.path(p.name))
	}, func(got string) bool {
		return !slices.ContainsFunc(want, func(w string) bool { return !strings.Contains(got, w) })
	})
}

// leader is who leads by the word of these servers.
func (o *town) leader(by *party, servers []*party) *party {
	o.t.Helper()
	var leader *party
	for _, s := range servers {
		await(o, s.name+" shows which of them leads", func() (view, error) { return o.ask(by, s) }, func(v view) bool {
			i := slices.IndexFunc(servers, func(s *party) bool { return s.name == v.Leader })
			if i >= 0 {
				leader = servers[i]
			}
			return i >= 0
		})
	}
	return leader
}

// outlivesItsLeader cuts the leader off with alice, who wants it to suspend one
// agency, while bob has the others suspend the other one, which is cut off too.
func (o *town) outlivesItsLeader() {
	o.t.Helper()
	old := o.leader(o.bob, o.servers)
	rest := slices.DeleteFunc(slices.Clone(o.servers), func(s *party) bool { return s == old })
	for _, p := range append(slices.Clone(rest), o.bob, o.denver, o.pueblo) {
		o.cut(old, p)
	}
	for _, s := range rest {
		o.cut(s, o.alice)
		o.cut(s, o.denver)
	}
	type end struct {
		out string
		err error
	}
	vain := make(chan end, 1)
	if o.network != nil {
		go func() {
			out, err := o.try(o.alice, append([]string{"registry", "suspend", "pueblo-pd", "--yes", "--reason", "in vain"}, o.as(o.alice, old)...)...)
			vain <- end{out, err}
		}()
		o.leader(o.bob, rest)
	}
	start := time.Now()
	if got, want := o.does(o.bob, append([]string{"registry", "suspend", "denver-pd", "--yes", "--reason", "key stolen"}, o.as(o.bob, nil)...)...), "is suspended"; !strings.Contains(got, want) {
		o.t.Fatalf("suspend says %q, want %q", got, want)
	}
	o.t.Logf("%5.1f s for a suspension; %s led before", time.Since(start).Seconds(), old.name)
	if o.network != nil {
		if got := <-vain; got.err == nil || !strings.Contains(got.out, "Pueblo Police Department") {
			o.t.Errorf("asked to suspend, %s, which leads nobody, says %q, want the agency that it is about and a failure", old.name, got.out)
		}
		o.knowsNoLeader(old)
		o.nodeSays(o.denver, "(denver-pd): active", "registry: not reachable")
	}
	o.nodeSays(o.pueblo, "(pueblo-pd): active", "registry: reachable", "suspended by the registry")
	o.heal()
	o.agrees("denver-pd suspended, pueblo-pd active")
	o.nodeSays(o.denver, "(denver-pd): suspended")
	record := o.does(o.alice, append([]string{"registry", "record", "show"}, o.as(o.alice, nil)...)...)
	if want, never := "bob suspended denver-pd: key stolen", "in vain"; !strings.Contains(record, want) || strings.Contains(record, never) {
		o.t.Errorf("the record has %q: %v, %q: %v", want, strings.Contains(record, want), never, strings.Contains(record, never))
	}
}

// knowsNoLeader: a server that is cut off shows what it knew last.
func (o *town) knowsNoLeader(s *party) {
	o.t.Helper()
	v := await(o, s.name+" says that it knows no leader", func() (view, error) { return o.ask(o.alice, s) }, func(v view) bool { return v.Leader == "" })
	if d, p := v.agency("denver-pd"), v.agency("pueblo-pd"); d != "active" || p != "active" {
		o.t.Errorf("%s has denver-pd %s, pueblo-pd %s, want both active as it knew last", s.name, d, p)
	}
}

// outlivesAMuteServer: a follower hears everybody and is heard by nobody. Two
// operators decide all the same, and the leader stays.
func (o *town) outlivesAMuteServer() {
	o.t.Helper()
	leader := o.leader(o.bob, o.servers)
	i := slices.IndexFunc(o.servers, func(s *party) bool { return s != leader })
	mute := o.servers[i]
	for _, p := range append(slices.Clone(o.servers), o.alice, o.bob, o.denver, o.pueblo) {
		if p != mute {
			o.mute(mute, p)
		}
	}
	start := time.Now()
	o.does(o.alice, append([]string{"registry", "motion", "reinstate-agency", "denver-pd", "--reason", "key found"}, o.as(o.alice, leader)...)...)
	list := o.does(o.bob, append([]string{"registry", "motion", "list"}, o.as(o.bob, leader)...)...)
	_, list, _ = strings.Cut(list, "\n") // the heading
	number, _, _ := strings.Cut(list, " ")
	if got, want := o.does(o.bob, append([]string{"registry", "motion", "approve", number, "--yes"}, o.as(o.bob, leader)...)...), "is carried"; !strings.Contains(got, want) {
		o.t.Fatalf("the motion's approval says %q, want %q", got, want)
	}
	o.t.Logf("%5.1f s for a motion; %s leads, and %s is the mute one", time.Since(start).Seconds(), leader.name, mute.name)
	o.heal()
	o.agrees("denver-pd active, pueblo-pd active")
	if now := o.leader(o.bob, o.servers); now != leader {
		o.t.Errorf("%s leads, want %s: a server that nobody heard unseated it", now.name, leader.name)
	}
	o.nodeSays(o.denver, "(denver-pd): active", "registry: reachable")
	o.nodeSays(o.pueblo, "(pueblo-pd): active", "registry: reachable")
}

// agrees awaits that every server shows the agencies so, with one directory that
// all have signed.
func (o *town) agrees(want string) {
	o.t.Helper()
	views := make([]view, len(o.servers))
	await(o, "all servers agree on "+want, func() (bool, error) {
		for i, s := range o.servers {
			v, err := o.ask(o.bob, s)
			if err != nil {
				return false, err
			}
			views[i] = v
		}
		return !slices.ContainsFunc(views, func(v view) bool {
			got := "denver-pd " + v.agency("denver-pd") + ", pueblo-pd " + v.agency("pueblo-pd")
			return got != want || v.Endorsed != 3 || v.Version != views[0].Version || v.Leader == "" || v.Leader != views[0].Leader
		}), nil
	}, func(same bool) bool { return same })
}
