package psi

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"testing"

	"interlock/crypto/oprf"
	"interlock/crypto/token"
	"interlock/protocol/directory"
	"interlock/protocol/feed"
	"interlock/protocol/wire"
)

const epoch token.Epoch = 1

// registry evaluates: two servers of three, all in this process.
type registry struct {
	client *oprf.Client
	shares []*oprf.Share
	quorum []oprf.Index
	secret token.Secret // the federation's
}

func newRegistry(t testing.TB) *registry {
	t.Helper()
	keys, shares, err := oprf.Deal(rand.Reader, 2, 3)
	if err != nil {
		t.Fatal(err)
	}
	client, err := oprf.NewClient(keys)
	if err != nil {
		t.Fatal(err)
	}
	return &registry{client: client, shares: shares, quorum: []oprf.Index{1, 3}, secret: token.Secret{7}}
}

// tokens is the way of identifiers to their tokens, with the work of the agency
// and of both servers.
func (r *registry) tokens(t testing.TB, identifiers [][]byte) []oprf.Token {
	t.Helper()
	var all []oprf.Token
	for len(identifiers) > 0 {
		n := min(len(identifiers), oprf.MaxBatch)
		request, err := r.client.Blind(rand.Reader, identifiers[:n])
		if err != nil {
			t.Fatal(err)
		}
		blinded := request.Blinded()
		answers := make([]oprf.Answer, len(r.quorum))
		for i, server := range r.quorum {
			if answers[i], err = r.shares[server-1].Evaluate(rand.Reader, len(r.quorum), r.quorum, blinded); err != nil {
				t.Fatal(err)
			}
		}
		tokens, err := request.Finalize(r.quorum, answers)
		if err != nil {
			t.Fatal(err)
		}
		all, identifiers = append(all, tokens...), identifiers[n:]
	}
	return all
}

func (r *registry) derive(t oprf.Token) *token.Key { return token.Derive(t, r.secret, epoch) }

// everyone names the feed that an agency writes for all members.
func everyone(author directory.AgencyID) feed.ID {
	return feed.ID{Author: author, Audience: directory.Everyone}
}

// start is that feed before its first entry.
func start(author directory.AgencyID) feed.Position { return feed.Start(everyone(author), 1) }

// member is an agency with what matching needs, in memory.
type member struct {
	id       directory.AgencyID
	key      ed25519.PrivateKey
	registry *registry
	tokens   []oprf.Token
	expected map[directory.AgencyID]map[token.Tag]int // to the position of the identifier
	done     *work
}

// work is what all members do together, apart from looking up.
type work struct{ evaluated, derived, tagged, sealed, signed, verified, taken, opened int }

func newMembers(r *registry, n int, done *work) []*member {
	all := make([]*member, n)
	for i := range all {
		all[i] = &member{
			id:       directory.AgencyID(fmt.Sprintf("agency-%02d", i)),
			key:      ed25519.NewKeyFromSeed(bytes.Repeat([]byte{byte(i + 1)}, ed25519.SeedSize)),
			registry: r, expected: map[directory.AgencyID]map[token.Tag]int{}, done: done,
		}
	}
	return all
}

// announce makes the tokens of all of a member's identifiers, expects the tags
// that every other member would give them, and returns the whole feed.
func (m *member) announce(t testing.TB, others []*member, identifiers [][]byte) []feed.Batch {
	t.Helper()
	m.tokens = m.registry.tokens(t, identifiers)
	for _, o := range others {
		m.expected[o.id] = make(map[token.Tag]int, len(identifiers))
	}
	w := feed.NewWriter(everyone(m.id), m.key, start(m.id))
	entries := make([]feed.Entry, len(identifiers))
	for i := range identifiers {
		k := m.registry.derive(m.tokens[i])
		for _, o := range others {
			m.expected[o.id][k.Tag(o.id.Author())] = i
		}
		entries[i] = entry(t, k, m.id, w.Next())
		if err := w.Append(entries[i]); err != nil {
			t.Fatal(err)
		}
		k.Destroy()
	}
	batches := make([]feed.Batch, 0, len(entries)/wire.MaxBatch+1)
	for _, h := range w.Close() {
		n := min(len(entries), wire.MaxBatch)
		batches, entries = append(batches, feed.Batch{Head: h, Entries: entries[:n]}), entries[n:]
	}
	n := len(identifiers)
	m.done.add(work{evaluated: n, derived: n, tagged: n * (1 + len(others)), sealed: n, signed: len(batches)})
	return batches
}

// entry is what author announces an identifier with.
func entry(t testing.TB, k *token.Key, author directory.AgencyID, number uint64) feed.Entry {
	t.Helper()
	e := feed.Entry{Number: number, Kind: feed.Announce, Epoch: epoch, Tag: k.Tag(author.Author())}
	var err error
	if e.Pointer, err = k.Seal(nil, author.Author(), number, token.Pointer{Case: token.CasePointer{1}, Kind: 1}); err != nil {
		t.Fatal(err)
	}
	return e
}

// take verifies the feed of another member, and returns the positions of one's
// own identifiers that stand in it.
func (m *member) take(t testing.TB, author *member, batches []feed.Batch) (shared []int) {
	t.Helper()
	at, err := start(author.id), error(nil)
	for _, b := range batches {
		if at, err = b.Verify(everyone(author.id), wire.PeerOf(author.key), at); err != nil {
			t.Fatal(err)
		}
		for _, e := range b.Entries {
			i, ours := m.expected[author.id][e.Tag]
			if !ours {
				continue
			}
			k := m.registry.derive(m.tokens[i])
			if _, err := k.Open(author.id.Author(), e.Number, e.Pointer); err != nil {
				t.Fatal(err)
			}
			k.Destroy()
			shared = append(shared, i)
		}
		m.done.add(work{verified: 1, taken: len(b.Entries)})
	}
	m.done.add(work{derived: len(shared), opened: len(shared)})
	return shared
}

func (w *work) add(more work) {
	w.evaluated += more.evaluated
	w.derived += more.derived
	w.tagged += more.tagged
	w.sealed += more.sealed
	w.signed += more.signed
	w.verified += more.verified
	w.taken += more.taken
	w.opened += more.opened
}

// pair is an agency and another whose identifiers it meets.
type pair struct{ holder, author int }

// match has every member announce all that it holds and take every other feed,
// and returns what each finds in each: positions in the holder's set, in the
// order of the author's feed.
func match(t testing.TB, r *registry, sets [][][]byte) (found map[pair][]int, done work) {
	t.Helper()
	members := newMembers(r, len(sets), &done)
	feeds := make([][]feed.Batch, len(members))
	for i, m := range members {
		others := append(append([]*member{}, members[:i]...), members[i+1:]...)
		feeds[i] = m.announce(t, others, sets[i])
	}
	found = map[pair][]int{}
	for h, holder := range members {
		for a, author := range members {
			if h != a {
				found[pair{h, a}] = holder.take(t, author, feeds[a])
			}
		}
	}
	return found, done
}

// costOfMatch is the work of matching members with n identifiers each, less what
// is done for each one that is found. Of whole batches it is in proportion to n.
func costOfMatch(members, n int) work {
	batches := (n + wire.MaxBatch - 1) / wire.MaxBatch
	return work{
		evaluated: members * n, derived: members * n, tagged: members * members * n, sealed: members * n,
		signed: members * batches, verified: members * (members - 1) * batches, taken: members * (members - 1) * n,
	}
}
