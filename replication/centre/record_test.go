package centre

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"interlock/protocol/directory"
	"interlock/protocol/wire"
	"interlock/replication/record"
	"interlock/replication/registry"
)

// described is the whole record in sentences, as an operator reads it.
func (n *centreNet) described() (lines []string) {
	n.t.Helper()
	carol := n.operator("carol")
	status, err := carol.Status(n.ctx())
	if err != nil {
		n.t.Fatal(err)
	}
	// Until the newest head is published, the newest entries are not shown.
	n.awaitPublished(0, "the record", func(d *directory.Directory) bool { return d.Record.Size >= status.RecordSize })
	entries, err := carol.Record(n.ctx(), 0, status.RecordSize)
	if err != nil {
		n.t.Fatal(err)
	}
	for _, e := range entries {
		lines = append(lines, DescribeEntry(e, status.OperatorNames()))
	}
	return lines
}

// wantRecorded looks for an entry with all of these words.
func (n *centreNet) wantRecorded(words ...string) {
	n.t.Helper()
	lines := n.described()
	for _, line := range lines {
		missing := false
		for _, word := range words {
			missing = missing || !strings.Contains(line, word)
		}
		if !missing {
			return
		}
	}
	n.t.Fatalf("no entry says %q:\n%s", words, strings.Join(lines, "\n"))
}

func (n *centreNet) exported() []byte {
	n.t.Helper()
	var file bytes.Buffer
	var last uint64
	if err := n.operator("carol").ExportRecord(n.ctx(), &file, func(done, of uint64) { last = of - done }); err != nil || last != 0 {
		n.t.Fatalf("export: %v, %d entries left", err, last)
	}
	return file.Bytes()
}

func TestAnAuditorVerifiesTheRecordWithTheNetworkFileAlone(t *testing.T) {
	t.Parallel()
	n := found(t, 3)
	denver := n.enrolled("denver-pd")
	earlier, err := record.ReadExport(bytes.NewReader(n.exported()), record.Audit{Authenticate: Authenticate(n.network)})
	if err != nil {
		t.Fatal(err)
	}
	n.decide("bob", Suspend, "denver-pd", "key lost")
	n.put(&wire.Motion{Of: &wire.Motion_Agency{Agency: &wire.AgencyChange{Agency: "denver-pd", Change: registry.ReinstateAgency}}})
	n.seconded()
	// Servers came and went meanwhile: the file leads from the founders to those of now.
	n.added(&wire.ServerChange{Replaces: 3})
	n.stop(2, (*Server).Kill)
	n.awaitKey(1, 2)
	file := n.exported()
	read, err := record.ReadExport(bytes.NewReader(file), record.Audit{Authenticate: Authenticate(n.network), Kept: []record.Head{earlier.Head}})
	if err != nil {
		t.Fatal(err)
	}
	if read.Head.Size <= earlier.Head.Size || len(read.Directories) < 2 {
		t.Fatalf("got %d entries by %d directories, want more than %d, by a handover", read.Head.Size, len(read.Directories), earlier.Head.Size)
	}
	rewritten := earlier.Head
	rewritten.Root[0] ^= 1
	var fork *record.ForkError
	if _, err := record.ReadExport(bytes.NewReader(file), record.Audit{Authenticate: Authenticate(n.network), Kept: []record.Head{rewritten}}); !errors.As(err, &fork) {
		t.Fatalf("from another head kept earlier: got %v, want a fork", err)
	}

	// A byte that is changed is found out, but in an endorsement beyond those that
	// are needed: then the record that is read is the same.
	want, found := readRecord(file, n.network)
	if found != nil {
		t.Fatal(found)
	}
	refused := 0
	for at := 0; at < len(file); at += 1 + len(file)/40 {
		changed := bytes.Clone(file)
		changed[at] ^= 1
		got, err := readRecord(changed, n.network)
		if err == nil && got != want {
			t.Fatalf("a file whose byte %d of %d was changed says something else and verifies", at, len(file))
		}
		if err != nil {
			refused++
		}
	}
	if refused < 20 {
		t.Fatalf("%d of 40 changed files are refused, want nearly all", refused)
	}
	other := n.network
	other.Genesis[0] ^= 1
	if _, err := record.ReadExport(bytes.NewReader(file), record.Audit{Authenticate: Authenticate(other)}); !errors.Is(err, directory.ErrOtherNetwork) {
		t.Fatalf("another network's file: got %v, want %v", err, directory.ErrOtherNetwork)
	}
	stranger := n.network
	stranger.Servers = append([]directory.NetworkServer{}, stranger.Servers...)
	for i := range stranger.Servers {
		stranger.Servers[i].Key = denver.peer()
	}
	if _, err := record.ReadExport(bytes.NewReader(file), record.Audit{Authenticate: Authenticate(stranger)}); !errors.Is(err, directory.ErrNotEndorsed) {
		t.Fatalf("with other servers pinned: got %v, want %v", err, directory.ErrNotEndorsed)
	}
	for _, words := range [][]string{
		{"alice invited denver-pd until"}, {"(denver-pd) applied"}, {"alice approved denver-pd"}, {"bob suspended denver-pd: key lost"},
		{"alice moved to reinstate denver-pd: a test"}, {"bob approved"}, {"key epoch 1, generation 2"},
	} {
		n.wantRecorded(words...)
	}
}

// readRecord is the whole of an export that verifies, its head and its entries.
func readRecord(file []byte, network directory.Network) (string, error) {
	var all strings.Builder
	h, err := record.ReadExport(bytes.NewReader(file), record.Audit{
		Authenticate: Authenticate(network),
		Visit:        func(i uint64, entry []byte) error { fmt.Fprintf(&all, "%d %x\n", i, entry); return nil },
	})
	return fmt.Sprintf("%x %v\n%s", h.Genesis, h.Head, all.String()), err
}

func TestWhatIsAskedOutsideTheRecordIsRefused(t *testing.T) {
	t.Parallel()
	n := found(t, 1)
	carol := n.operator("carol")
	_, err := carol.Record(n.ctx(), 1_000_000, 1)
	wantRefusal(t, "entries that are not there", err, wire.CodeMalformed)
	if got, err := carol.Record(n.ctx(), 0, 1<<40); err != nil || len(got) == 0 {
		t.Fatalf("more than there is: got %d entries, %v", len(got), err)
	}
	denver := n.enrolled("denver-pd")
	wantRefusal(t, "a member", denver.ask(0, wire.ProtocolRecord, &wire.RecordRequest{Count: 1}, &wire.RecordResponse{}), wire.CodeRefused)
}

func TestEveryKindOfEntryIsASentence(t *testing.T) {
	nobody := func(wire.Peer) string { return "alice" }
	operator := make([]byte, 32)
	decision := func(d *wire.Decision) *wire.RecordEntry {
		d.Operator = operator
		return &wire.RecordEntry{Of: &wire.RecordEntry_Decision{Decision: d}}
	}
	rows := []struct {
		entry *wire.RecordEntry
		want  string
	}{
		{&wire.RecordEntry{Of: &wire.RecordEntry_Application{Application: &wire.Application{Id: "denver-pd", Name: "Denver"}}}, "Denver (denver-pd) applied"},
		{decision(&wire.Decision{Verb: uint32(registry.Approve), Agency: "denver-pd"}), "alice approved denver-pd"},
		{decision(&wire.Decision{Verb: uint32(registry.Refuse), Number: 7, Reason: "no"}), "alice refused motion 7: no"},
		{decision(&wire.Decision{Verb: uint32(registry.Suspend), Agency: "denver-pd", Reason: "key\x1b[2Jlost"}), "alice suspended denver-pd: key\ufffd[2Jlost"},
		{decision(&wire.Decision{Verb: uint32(registry.Clear), Agency: "denver-pd"}), "alice ended the throttling of denver-pd"},
		{decision(&wire.Decision{Verb: uint32(registry.Invite), Invitation: &wire.Invitation{Label: "Denver", Expires: 20000}}), "alice invited Denver until 2024-10-04"},
		{decision(&wire.Decision{Verb: uint32(registry.Move), Motion: &wire.Motion{Of: &wire.Motion_RetireEpoch{RetireEpoch: &wire.RetireEpoch{Epoch: 3}}}}), "alice moved to retire key epoch 3"},
		{&wire.RecordEntry{Of: &wire.RecordEntry_Evidence{Evidence: &wire.Evidence{First: &wire.Head{Author: "denver-pd", Number: 9}}}}, "denver-pd signed two different feeds of 9 entries"},
		{&wire.RecordEntry{Of: &wire.RecordEntry_Evaluated{Evaluated: &wire.Tick{Server: 2, Day: 20000, Usage: []*wire.Usage{{Agency: "denver-pd", Elements: 5}}}}}, "server 2 evaluated, until 2024-10-04: denver-pd 5"},
		{&wire.RecordEntry{Of: &wire.RecordEntry_Leased{Leased: &wire.DayUsage{Day: 20000, Leased: []*wire.Usage{{Agency: "denver-pd", Elements: 5}}}}}, "leased to all servers on 2024-10-04: denver-pd 5"},
		{&wire.RecordEntry{Of: &wire.RecordEntry_Key{Key: &wire.KeyEpoch{Epoch: 1, Generation: 2, Threshold: 2, Shares: make([]*wire.PublicShare, 3)}}}, "key epoch 1, generation 2 of its shares, came into force: 2 of 3 servers make a token"},
		{&wire.RecordEntry{Of: &wire.RecordEntry_Notice{Notice: &wire.Notice{Text: "look"}}}, "look"},
		{&wire.RecordEntry{}, "an entry that this program does not know"},
	}
	for _, row := range rows {
		b, err := wire.Marshal(row.entry)
		if err != nil {
			t.Fatal(err)
		}
		if got := DescribeEntry(b, nobody); got != row.want {
			t.Errorf("got %q, want %q", got, row.want)
		}
	}
	if got := DescribeEntry([]byte{0xff}, nobody); got != "an entry of 1 bytes that this program does not know" {
		t.Errorf("got %q", got)
	}
}
