package cluster

import (
	"fmt"
	"testing"

	"interlock/protocol/wire"
)

// Commands taken by three servers on one machine, each synced to three logs:
// one after another, and from many at a time.
func BenchmarkPropose(b *testing.B) {
	for _, at := range []string{"leader", "follower"} {
		b.Run(at+"/serial", func(b *testing.B) {
			n, i, commands := benchnet(b, at)
			for k := range b.N {
				n.propose(i, commands[k])
			}
		})
		b.Run(at+"/parallel", func(b *testing.B) {
			n, i, commands := benchnet(b, at)
			next := make(chan *wire.Command, b.N)
			for _, command := range commands {
				next <- command
			}
			b.SetParallelism(16)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					n.propose(i, <-next)
				}
			})
		})
	}
}

func benchnet(b *testing.B, at string) (n *testnet, i int, commands []*wire.Command) {
	n = newTestnet(b, 3)
	i = n.leader()
	if at == "follower" {
		i = n.others(i)[0]
	}
	// At most as many agencies as may be pending: then each changes its mind.
	base := make([]*wire.Command, min(b.N, 500))
	for k := range base {
		base[k] = n.application(fmt.Sprintf("agency-%d", k))
	}
	for k := range b.N {
		commands = append(commands, base[k%len(base)])
	}
	b.ResetTimer()
	return n, i, commands
}
