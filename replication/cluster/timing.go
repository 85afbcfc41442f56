package cluster

import "time"

// Timing is how patient the servers are with one another. The zero Timing is
// DefaultTiming.
type Timing struct {
	Heartbeat time.Duration // without word from the leader, a server stands for election after one to two of it
	Election  time.Duration // how long one election may take
	Lease     time.Duration // without a majority, a leader steps down after it; at most Heartbeat
	Commit    time.Duration // how soon followers learn what was committed, at most twice of it
}

// DefaultTiming suits servers in different cities: a dead leader is replaced
// within about three seconds.
func DefaultTiming() Timing {
	return Timing{Heartbeat: time.Second, Election: time.Second, Lease: 500 * time.Millisecond, Commit: 20 * time.Millisecond}
}

func (t Timing) orDefault() Timing {
	if t == (Timing{}) {
		return DefaultTiming()
	}
	return t
}

// rpc is how long one call between servers may take.
func (t Timing) rpc() time.Duration { return 10 * t.Heartbeat }

// retry is how long a proposer waits before it tries a leader again that did
// not answer.
func (t Timing) retry() time.Duration { return t.Heartbeat / 4 }
