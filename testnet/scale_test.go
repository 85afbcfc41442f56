package testnet

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"interlock/crypto/vault"
	"interlock/node/membership"
	"interlock/protocol/directory"
	"interlock/protocol/link"
	"interlock/protocol/wire"
	"interlock/replication/centre"
)

// follower is the part of a node that this measures: an agency's link.Host with
// its roster, and a membership.Follower that takes directories as a node does,
// except that there is no store to write to and no feed to follow. So there are
// its three links with the registry, and none with other members.
type follower struct {
	host   *link.Host
	roster *membership.Roster
	run    *membership.Follower
}

func (f *follower) taken() uint64 {
	if d := f.roster.Directory(); d != nil {
		return d.Version
	}
	return 0
}

// follow starts the follower of an agency that is a member.
func follow(b *testing.B, a *Agency) *follower {
	b.Helper()
	o, err := a.Options()
	if err != nil {
		b.Fatal(err)
	}
	keys, err := vault.LoadKeys(filepath.Join(a.dir, "identity.age"), o.Unlock)
	if err != nil {
		b.Fatal(err)
	}
	network := a.net.pinned(b)
	f := &follower{roster: membership.NewRoster(network)}
	if f.host, err = link.New(link.Options{Key: keys.Signing, Listen: o.Config.Listen, Roles: f.roster.Role, Log: o.Log}); err != nil {
		b.Fatal(err)
	}
	for _, s := range network.Servers {
		if err := f.host.SetAddresses(s.Key, s.Addresses); err != nil {
			b.Fatal(err)
		}
	}
	f.run = &membership.Follower{Roster: f.roster, Open: f.host, Log: o.Log, Pause: o.Pauses.Registry, Take: f.take}
	st, err := membership.Ask(b.Context(), f.host, network, nil, keys.Age)
	if err != nil || st.Status != directory.Active {
		b.Fatalf("%s is %s: %v", a.ID, st.Status, err)
	}
	d, err := f.roster.Check(st.Signed)
	if err != nil {
		b.Fatal(err)
	}
	if err := f.take(d, st.Signed); err != nil {
		b.Fatal(err)
	}
	f.begin(b, keys)
	return f
}

// begin follows the directory until the benchmark ends.
func (f *follower) begin(b *testing.B, keys *vault.Keys) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		f.run.Run(ctx)
	}()
	b.Cleanup(func() {
		cancel()
		<-ended
		if err := f.host.Close(); err != nil {
			b.Error(err)
		}
		keys.Destroy()
	})
}

// linked reports whether there is a link with every registry server.
func (f *follower) linked() (bool, error) {
	for _, s := range f.roster.Network().Servers {
		if !f.host.Connected(s.Key) {
			return false, nil
		}
	}
	return f.run.Reached(), nil
}

// take acts on a directory.
func (f *follower) take(d *directory.Directory, signed *wire.SignedDirectory) error {
	f.roster.Set(d, signed)
	f.host.Review()
	for _, a := range d.Active() {
		if a.Key == f.host.Peer() {
			continue
		}
		if err := f.host.SetAddresses(a.Key, a.Addresses); err != nil {
			return err
		}
	}
	return nil
}

// BenchmarkADirectoryReachesEveryNode measures how long after an operator's
// second approval, and after one operator's suspension, every node acts on the
// directory that says so: from when the operator sends the decision, through
// the servers' log and their signatures, to the last node that has the directory
// in force. Registry, operators and links are real.
//
// With 10 members each is a whole node, with its store and links with every
// other. With 100 and 300 each is only what follows the directory (see
// follower): a mesh of 45,000 links does not fit into one process. All share
// this machine's processors, so what a node of its own machine does in a
// millisecond is here done as many times as there are nodes, one after another.
//
// ms/approval and ms/suspension are medians over the decisions, the max- ones
// the slowest; ms/commit and ms/signed are how much of an approval the registry
// took until it was decided, and until a majority had signed it; KiB is the
// size of the signed directory.
func BenchmarkADirectoryReachesEveryNode(b *testing.B) {
	b.Run("nodes=10", func(b *testing.B) {
		net, ids := Start(b, Plan{Crowd: true}), memberIDs(10)
		for _, m := range Members(ids...) {
			if _, err := net.Add(b.Context(), m); err != nil {
				b.Fatal(err)
			}
		}
		if err := net.AwaitLinked(b.Context()); err != nil {
			b.Fatal(err)
		}
		var to []reader
		for _, a := range net.Agencies() {
			to = append(to, a)
		}
		measure(b, net, to)
	})
	for _, nodes := range []int{100, 300} {
		b.Run(fmt.Sprintf("nodes=%d", nodes), func(b *testing.B) {
			net := Start(b, Plan{Crowd: true})
			for _, m := range Members(memberIDs(nodes)...) {
				if _, err := net.admit(b.Context(), m); err != nil {
					b.Fatal(err)
				}
			}
			net.awaitPublished(b)
			var to []reader
			for _, a := range net.Agencies() {
				f := follow(b, a)
				to = append(to, f)
				if err := net.await(b.Context(), a.ID+" to be linked with the registry", f.linked); err != nil {
					b.Fatal(err)
				}
			}
			measure(b, net, to)
		})
	}
}

func memberIDs(n int) []string {
	ids := make([]string, n)
	for i := range ids {
		ids[i] = fmt.Sprintf("member-%03d", i)
	}
	return ids
}

// measure admits and suspends one agency after another.
func measure(b *testing.B, net *Net, to []reader) {
	b.Helper()
	var approvals, suspensions, commits, signed []time.Duration
	deciders := []*centre.Operator{net.operator(b, 0), net.operator(b, 1)}
	for n := 0; b.Loop(); n++ {
		b.StopTimer()
		a, err := net.enrol(b.Context(), Members(fmt.Sprintf("newcomer-%04d", n))[0])
		if err != nil {
			b.Fatal(err)
		}
		if err := deciders[0].Decide(b.Context(), centre.Approve, directory.AgencyID(a.ID), ""); err != nil {
			b.Fatal(err)
		}
		decide := ready(b, deciders[1], centre.Approve, a, "")
		b.StartTimer()
		sent := time.Now()
		j, err := net.travel(b.Context(), to, decide)
		if err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		approvals = append(approvals, j.last().Sub(sent))
		commits, signed = append(commits, j.committed.Sub(sent)), append(signed, j.endorsed.Sub(sent))

		decide = ready(b, deciders[0], centre.Suspend, a, "key lost")
		sent = time.Now()
		if j, err = net.travel(b.Context(), to, decide); err != nil {
			b.Fatal(err)
		}
		suspensions = append(suspensions, j.last().Sub(sent))
		b.StartTimer()
	}
	report(b, "ms/approval", approvals)
	report(b, "ms/suspension", suspensions)
	b.ReportMetric(milliseconds(median(commits)), "ms/commit")
	b.ReportMetric(milliseconds(median(signed)), "ms/signed")
	b.ReportMetric(float64(net.size())/1024, "KiB")
}

func report(b *testing.B, what string, of []time.Duration) {
	b.ReportMetric(milliseconds(median(of)), what)
	b.ReportMetric(milliseconds(slices.Max(of)), "max-"+what)
}

func median(of []time.Duration) time.Duration {
	sorted := slices.Sorted(slices.Values(of))
	return sorted[len(sorted)/2]
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// ready prepares a decision, so that only sending it is left.
func ready(b *testing.B, o *centre.Operator, verb centre.Verb, a *Agency, reason string) (decide func() error) {
	b.Helper()
	status, err := o.Status(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	subject, err := status.Find(verb, directory.AgencyID(a.ID), "")
	if err != nil {
		b.Fatal(err)
	}
	return func() error {
		_, err := o.DecideOn(b.Context(), verb, subject, reason)
		return err
	}
}
