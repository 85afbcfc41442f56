package main

// suite is the benchmarks of one package that are run together.
type suite struct {
	title string
	about string // what the reference is, and what else a reader must know
	dir   string // of the package
	bench string // pattern of the benchmarks, as for go test -bench
	time  string // as for go test -benchtime
	cpu   int    // processors; 0 for all
	once  bool   // in the first round alone: it takes long, and reports medians itself
	rows  []row
}

// row is one line of the table.
type row struct {
	what            string
	ours, reference measurement
	target          float64 // least ratio; without a reference, for the value itself; 0 for none
	why             string  // what explains the number where it is unfavourable
}

// measurement is one number that a benchmark reports.
type measurement struct{ bench, unit string }

func suites() []suite {
	return []suite{
		{
			title: "Threshold OPRF against circl", dir: "crypto/oprf", bench: "^Benchmark(Client|ClientAgainstOneServer|Server)$", time: "7x", cpu: 1,
			about: "Processor time in batches of 1,024 identifiers, on one processor. circl has no threshold client: one is composed from its parts, with an evaluation and a proof of each server and the weights on the client's side. circl's own client asks one server that holds the whole key.",
			rows: []row{
				oprf("client, 2 of 3 servers, against circl's parts", "Client/2of3", 10),
				oprf("client, 3 of 5 servers, against circl's parts", "Client/3of5", 10),
				oprf("client, 2 of 3 servers, against circl's client of one server", "ClientAgainstOneServer/2of3", 4),
				oprf("client, 3 of 5 servers, against circl's client of one server", "ClientAgainstOneServer/3of5", 4),
				oprf("server", "Server", 3),
			},
		},
		{
			title: "Tokens over links against the curve alone", dir: "node/tokens", bench: "^BenchmarkOverLinks$", time: "3x",
			about: "A node's queue with plenty to do, three registry servers of which two are needed, real links, all on these processors. The reference is the same batches blinded, evaluated by two servers, checked and combined by our threshold OPRF alone, as many side by side as there are processors: the sum of the client's and the servers' work, on all processors.",
			rows: []row{{
				what: "identifiers evaluated", target: 0.8,
				ours: measurement{"OverLinks", "links-identifiers/s"}, reference: measurement{"OverLinks", "oprf-identifiers/s"},
			}},
		},
		{
			title: "Links against bare libp2p, TCP and Noise", dir: "protocol/link", time: "300ms",
			bench: "^Benchmark(RoundTripOn(Open|New)Stream|BareRoundTripOn(OpenStream|NewStreamEager)|(Bare)?Throughput)$/^tcp$",
			about: "The reference is a stream of the same libp2p swarm without our gate, limits and frames, opened with eager negotiation as ours is.",
			rows: []row{
				linked("round trip on an open stream", "RoundTripOnOpenStream/tcp", "BareRoundTripOnOpenStream/tcp", "ns/op", small),
				linked("round trip on a new stream", "RoundTripOnNewStream/tcp", "BareRoundTripOnNewStreamEager/tcp", "ns/op", ""),
				linked("frames of 255 KiB, one way", "Throughput/tcp", "BareThroughput/tcp", "MB/s", framed),
			},
		},
		{
			title: "Links against bare libp2p, QUIC", dir: "protocol/link", time: "300ms",
			bench: "^Benchmark(Bare)?(RoundTripOnOpenStream|Throughput)$/^quic$",
			about: "The same over QUIC, on streams that are open.",
			rows: []row{
				linked("round trip on an open stream", "RoundTripOnOpenStream/quic", "BareRoundTripOnOpenStream/quic", "ns/op", small),
				linked("frames of 255 KiB, one way", "Throughput/quic", "BareThroughput/quic", "MB/s", framed),
			},
		},
		{
			title: "Encrypted store against bare Pebble", dir: "node/store/diskcrypt", bench: "^Benchmark(Sync|Get|Scan)", time: "1s",
			about: "The same Pebble on the disk as it is.",
			rows: []row{
				store("one record, synced", "SyncWrite", 0.9, ""),
				store("1,000 records in a batch, synced", "SyncBatch", 0.65, "An encrypted log is not recycled: a file that is written once never holds pages under two keys."),
				store("a record at random, past the cache", "Get", 0.75, ""),
				store("a scan of 200,000 records, past the cache", "Scan", 0.65, "The reference reads from the page cache of the machine; ours decrypts what it reads from there."),
			},
		},
		{
			title: "Raft over links against raft over TCP", dir: "replication/cluster", bench: "^BenchmarkRaft$", time: "2s",
			about: "Three servers on one machine with the same configuration and Pebble log, synced; the state machine does nothing. The reference is hashicorp/raft's own TCP transport, which neither encrypts nor knows who is calling.",
			rows: []row{
				turns("commits, one after another", "Raft/serial", 0.9, ""),
				turns("commits, many at a time", "Raft/pipelined", 0.75, "Each byte is encrypted and framed by Noise and yamux, on the processors that also serve three state machines."),
			},
		},
		{
			title: "Registry commands against raft over TCP", dir: "replication/cluster", bench: "^BenchmarkPropose$", time: "2s",
			about: "Agencies apply: Propose at the leader, against raft.Apply over TCP with the same state machine. Three servers verify each application when they execute it; Propose verifies it once before, so that what would be refused is not logged.",
			rows: []row{
				turns("commands, one after another", "Propose/serial", 0.75, ""),
				turns("commands, 256 at a time", "Propose/pipelined", 0.75, "With three servers on one machine the processors verify each command four times, against three in the reference, which would make 0.75. What is missing beyond that has not been explained."),
			},
		},
		{
			title: "Log stores", dir: "replication/cluster", bench: "^BenchmarkLogStore", time: "2s",
			about: "What raft keeps its log in: entries of 400 bytes, each append synced. Ours is Pebble.",
			rows: []row{
				logStore("single appends, against raft-boltdb", "LogStore/single", "bolt-entries/s", 1.2, ""),
				logStore("appends of 64, against raft-boltdb", "LogStore/batched", "bolt-entries/s", 1.2, ""),
				logStore("single appends, against raft-wal", "LogStore/single", "wal-entries/s", 0, unreadable),
				logStore("appends of 64, against raft-wal", "LogStore/batched", "wal-entries/s", 0, unreadable),
				{
					what: "opening a log of 100,000 entries, against raft-boltdb",
					ours: measurement{"LogStoreOpen", "pebble-ms/open"}, reference: measurement{"LogStoreOpen", "bolt-ms/open"},
					why: "Pebble replays the end of its log, bolt maps its file. It is once for each start of a server.",
				},
			},
		},
		{
			title: "Which of a batch of tags are expected, among ten million", dir: "testnet/bench/probes", bench: "^BenchmarkProbes$", time: "7x", once: true,
			about: probed,
			rows: []row{
				probes("none is, against Pebble", "misses", "get", 8),
				probes("none is, against Redis", "misses", "redis", 2),
				probes("one in 100 is, against Pebble", "few", "get", 0),
				probes("one in 100 is, against Redis", "few", "redis", 0),
				probes("all are, against Pebble", "hits", "get", 1),
				probes("all are, against Redis", "hits", "redis", 0),
			},
		},
		{
			title: "What an entry of another member takes on the disk", dir: "node/store", bench: "^BenchmarkEntries$", time: "1x", once: true,
			about: "A million entries and the index over their tags, settled, filters included. The reference is an entry's size on the wire, 75 bytes.",
			rows: []row{{
				what: "bytes an entry", target: 1 / 1.3,
				ours: measurement{"Entries", "ours-bytes"}, reference: measurement{"Entries", "reference-bytes"},
			}},
		},
		{
			title: "Who shares what, against private set intersection", dir: "testnet/bench/psi", bench: "^Benchmark(OneNewIdentifier|AllAgencies)$", time: "3x", cpu: 1,
			about: intersected,
			rows: []row{
				intersection("one new identifier against 2^16 held by another agency", "OneNewIdentifier", "identifier", 1000),
				intersection("3 agencies of 2^14 identifiers each, all matched", "AllAgencies/M=3", "run", 1.4),
				intersection("10 agencies of 2^14 identifiers each, all matched", "AllAgencies/M=10", "run", 6),
			},
		},
		{
			title: "A new member catches up", dir: "node", bench: "^BenchmarkCatchingUp$", time: "2x", once: true,
			about: "A member with 10,000 identifiers takes a feed of a million entries, of which 100 meet it: over a link, every head verified, compared, and on the disk, encrypted. The reference is a libp2p stream over which the same bytes are copied and thrown away.",
			rows: []row{{
				what: "entries caught up", target: 0.5, why: caughtUp,
				ours: measurement{"CatchingUp", "ours-entries/s"}, reference: measurement{"CatchingUp", "reference-entries/s"},
			}},
		},
		{
			title: "From a save to another agency's alert", dir: "testnet", bench: "^BenchmarkSavedToAlert$", time: "300x",
			about: "From when an officer saves an identifier, without its token, to when another agency's officers are told on the stream that their pages read. Two agencies and three registry servers on one machine. The reference is two round trips on an open stream between the two nodes, and two appends to a file on the same disk, each synced: there are as many synced commits on the way.",
			rows: []row{
				alerted("half of the alerts within", "p50", curve),
				alerted("99 of 100 alerts within", "p99", ""),
			},
		},
		{
			title: "One entry in a growing network", dir: "node", bench: "^BenchmarkOneEntryInACrowd$", time: "5x",
			about: "What an entry of another member costs a node with 1,000 identifiers: verified, compared, and on the disk. The node is whole but for its links; of the other members there are the feeds. The reference is the same node among 10. Processor time is the process's, upkeep of the disk included; memory is what is allocated.",
			rows:  growing("30", "100", "300", "1000"),
		},
		{
			title: "One head told in a growing network", dir: "node/exchange", bench: "^BenchmarkAHeadIsTold$", time: "2x", once: true,
			about: "Gossip of the head of a feed, until every member has verified it: real links, to as many members as in a large network, and no store. Per node; bytes are those that come over its links, and memory is a node's with its links. The reference is the same among 10 nodes.",
			rows:  told("30", "100", "300"),
		},
		{
			title: "One identifier more", dir: "node", bench: "^BenchmarkAddingOne$", time: "20x",
			about: "An identifier whose token is in hand: its tag in the feed of every member is derived, kept, and looked for among the 1,000 entries of each, in a transaction of its own. The reference derives the same tags and asks a bare Pebble with as many keys once for each member. Both disks are in memory: adding waits for one sync, however many members there are.",
			rows: []row{
				added("10", "A transaction of its own costs as much as ten members do: the reference has none, and writes nothing."),
				added("100", ""),
				added("300", ""),
			},
		},
		{
			title: "A member joins", dir: "node", bench: "^BenchmarkAMemberJoins$", time: "3x",
			about: "A node derives what its 100,000 identifiers would be in the feed of a new member, and has that on its disk. Members that join together are derived for together.",
			rows:  []row{{what: "identifiers derived for one member", ours: measurement{"AMemberJoins", "identifiers/s"}}},
		},
		{
			title: "One entry against identifiers held", dir: "node/match", bench: "^BenchmarkOneArrivingEntry$", time: "200x",
			about: "An entry that arrives is looked up among the identifiers that a node has, in an encrypted store on the disk. The reference is the same among 10,000.",
			rows: []row{
				among("100,000 identifiers", "hundred-thousand"),
				among("1,000,000 identifiers", "million"),
			},
		},
		{
			title: "From a decision to every node", dir: "testnet", bench: "^BenchmarkADirectoryReachesEveryNode$", time: "3x", once: true,
			about: "An operator's decision is sent; three servers log and sign it; every node acts on the directory. 10 are whole nodes with all their links; 100 and 300 are what follows the directory, with real links to real servers, in one process.",
			rows:  spread(),
		},
	}
}

// spread are the rows of how fast a directory reaches every node.
func spread() (rows []row) {
	for _, nodes := range []string{"10", "100", "300"} {
		bench, why := "ADirectoryReachesEveryNode/nodes="+nodes, ""
		if nodes == "300" {
			why = sharing
		}
		rows = append(rows,
			row{what: "from an approval to the last of " + nodes + " nodes", ours: measurement{bench, "ms/approval"}, target: 1000, why: why},
			row{what: "from a suspension to the last of " + nodes + " nodes", ours: measurement{bench, "ms/suspension"}, target: 2000, why: why})
	}
	return rows
}

const sharing = "All nodes share this machine's processors: each takes the whole directory from three servers, and what a node on a machine of its own does in a millisecond is done here as many times as there are nodes."

const small = "Ours encodes, measures and decodes a message; the reference echoes six bytes."

const framed = "Ours encodes each frame, reads it whole, decodes it and encodes it again to see that it had its one encoding; the reference throws away what it reads."

const unreadable = "raft-wal 0.4.0 does not read a log whose end was cut, as a follower's is after an election; it is shown for comparison."

const probed = "Batches of 1,000 tags in random order. Ours is a node's encrypted store; Pebble is bare, with the same filters, cache and tags, all of them settled in its last level, and Get for each tag; Redis, as Debian has it, holds the tags in memory and is sent pipelines of 1,000 over the loopback."

const intersected = "Processor time of all sides and of two of three registry servers together; what is sent is not counted. The reference is the Diffie-Hellman intersection (Meadows 1986; Huberman, Franklin, Hogg 1999) on gtank/ristretto255, run anew for the new identifier, and for every two agencies. It is run on 2^10 elements, 2^11 exponentiations, and scaled in proportion. Ours is, for one identifier, run as it is, with encrypted stores on the disk at both sides; for all agencies, in memory as the reference is, on 2^10 identifiers for each, and scaled in proportion. Tests beside the benchmarks show that the work of either is in that proportion, and that both find the same."

const caughtUp = "Caught up is on the disk, the reference is on none: of the processor time a third is Pebble's flushes and compactions, a quarter is sorting the tags of each transaction and putting them into its tables in memory, a twelfth is reading what is sent at the other end, on the same processors; hashes and signatures are a fiftieth, and the rest is the disk and the link."

const curve = "Beside what the reference times there is the curve: the identifier is blinded, two registry servers evaluate it and prove that, and both proofs are checked; all on the same processors, and with the round trip a third of the time. No acknowledgement and no pause is on the way."

const copies = "Ten nodes are nearly all linked with one another, and a head comes once or twice. In a larger network it comes from up to each of a node's neighbours in the gossip, who are 5 to 12 however many nodes there are."

// constant is how little may depend on what grows.
const constant = 1 / 1.2

func alerted(what, p, why string) row {
	return row{what: what, ours: measurement{"SavedToAlert", p + "-ours-ns/alert"}, reference: measurement{"SavedToAlert", p + "-reference-ns/alert"}, target: 1. / 3, why: why}
}

func growing(nodes ...string) (rows []row) {
	for _, n := range nodes {
		for _, of := range []struct{ what, unit string }{{"processor time", "ns/entry"}, {"memory", "B/entry"}} {
			rows = append(rows, row{
				what: of.what + ", one of " + n + " nodes", target: constant,
				ours: measurement{"OneEntryInACrowd", n + "-" + of.unit}, reference: measurement{"OneEntryInACrowd", "10-" + of.unit},
			})
		}
	}
	return rows
}

func told(nodes ...string) (rows []row) {
	for _, n := range nodes {
		bench := "AHeadIsTold/nodes=" + n
		rows = append(rows,
			row{what: "processor time, one of " + n + " nodes", ours: measurement{bench, "ns/head"}, reference: measurement{"AHeadIsTold/nodes=10", "ns/head"}, target: constant, why: copies},
			row{what: "received, one of " + n + " nodes", ours: measurement{bench, "B/head"}, reference: measurement{"AHeadIsTold/nodes=10", "B/head"}, target: constant},
			row{what: "memory, one of " + n + " nodes", ours: measurement{bench, "B/node"}, reference: measurement{"AHeadIsTold/nodes=10", "B/node"}, target: constant})
	}
	return rows
}

func added(members, why string) row {
	bench := "AddingOne/members=" + members
	return row{
		what: "with " + members + " members", target: 1 / 1.5, why: why,
		ours: measurement{bench, "ours-ns/identifier"}, reference: measurement{bench, "reference-ns/identifier"},
	}
}

func among(what, own string) row {
	return row{what: "among " + what, target: constant, ours: measurement{"OneArrivingEntry", own + "-ns/entry"}, reference: measurement{"OneArrivingEntry", "ten-thousand-ns/entry"}}
}

func oprf(what, bench string, target float64) row {
	return row{what: what, ours: measurement{bench, "ours-ns/identifier"}, reference: measurement{bench, "circl-ns/identifier"}, target: target}
}

func probes(what, hits, reference string, target float64) row {
	bench := "Probes/" + hits
	return row{what: what, ours: measurement{bench, "ours-probes/s"}, reference: measurement{bench, reference + "-probes/s"}, target: target}
}

func intersection(what, bench, per string, target float64) row {
	return row{what: what, ours: measurement{bench, "ours-ns/" + per}, reference: measurement{bench, "reference-ns/" + per}, target: target}
}

func linked(what, ours, bare, unit, why string) row {
	return row{what: what, ours: measurement{ours, unit}, reference: measurement{bare, unit}, target: 0.8, why: why}
}

func store(what, bench string, target float64, why string) row {
	return row{what: what, ours: measurement{bench, "encrypted-ns/op"}, reference: measurement{bench, "bare-ns/op"}, target: target, why: why}
}

func turns(what, bench string, target float64, why string) row {
	return row{what: what, ours: measurement{bench, "ours-commands/s"}, reference: measurement{bench, "reference-commands/s"}, target: target, why: why}
}

func logStore(what, bench, reference string, target float64, why string) row {
	return row{what: what, ours: measurement{bench, "pebble-entries/s"}, reference: measurement{bench, reference}, target: target, why: why}
}
