package centre

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"interlock/crypto/dkg"
	"interlock/crypto/oprf"
	"interlock/crypto/token"
	"interlock/protocol/wire"
	"interlock/replication/registry"
)

// kept are the files in a server's folder of shares.
func (n *centreNet) kept(i int) (names []string) {
	n.t.Helper()
	files, err := os.ReadDir(filepath.Join(n.folders[i], sharesDir))
	if err != nil {
		n.t.Fatal(err)
	}
	for _, f := range files {
		names = append(names, f.Name())
	}
	return names
}

// awaitKept waits until a server's folder of shares holds these files alone. What
// it holds follows from the state, a moment later.
func (n *centreNet) awaitKept(i int, want ...string) {
	n.t.Helper()
	n.eventually(fmt.Sprintf("server %d to keep %v alone", i+1, want), func() bool {
		return fmt.Sprint(n.kept(i)) == fmt.Sprint(want)
	})
}

func TestTheServersMakeTheKeyAmongThemselves(t *testing.T) {
	t.Parallel()
	n := found(t, 3)
	denver := n.enrolled("denver-pd")
	want := denver.token([]oprf.Index{1, 2}, "j.doe@example.org")
	for _, quorum := range [][]oprf.Index{{1, 3}, {2, 3}} {
		if got := denver.token(quorum, "j.doe@example.org"); got != want {
			t.Fatalf("quorum %v makes another token", quorum)
		}
	}
	if denver.token([]oprf.Index{1, 2}, "roe@example.org") == want {
		t.Fatal("two inputs have one token")
	}
	for i := range n.servers {
		n.awaitKept(i, "epoch-1-generation-1.age")
	}
	// No server has more of the key than its share, and no file or line of the log
	// holds a share in the open: what was on its way was sealed.
	var secrets [][]byte
	for _, s := range n.servers {
		h, err := s.shares.get(generation{1, 1})
		if err != nil {
			t.Fatal(err)
		}
		b, err := h.share.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		secrets = append(secrets, b[len(b)-32:], bytes.Clone(h.federation[:]))
	}
	logged := []byte(n.log.String())
	err := filepath.WalkDir(n.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		for _, secret := range secrets {
			if bytes.Contains(b, secret) || bytes.Contains(logged, secret) {
				t.Errorf("%s or the log holds a share or the federation secret", path)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestAServerThatRestartsAtEveryStepTakesPart(t *testing.T) {
	t.Parallel()
	n := planned(t, 3)
	n.start(0)
	n.start(1)
	// The third is killed as soon as it has seen a phase, and starts again.
	for _, phase := range []dkg.Phase{dkg.Joining, dkg.Dealing, dkg.Judging, dkg.Opening, dkg.Confirming} {
		n.start(2)
		n.await(2, phase.String(), func(s *registry.State) bool {
			c, under := s.Ceremony()
			return !under || c.Transcript.Phase() >= phase
		})
		n.stop(2, (*Server).Kill)
	}
	n.start(2)
	k := n.awaitKey(1, 1)
	if got := len(k.Keys.Shares); got != 3 {
		t.Fatalf("%d servers have a share, want 3", got)
	}
	denver := n.enrolled("denver-pd")
	if denver.token([]oprf.Index{1, 3}, "j.doe@example.org") != denver.token([]oprf.Index{2, 3}, "j.doe@example.org") {
		t.Fatal("the share of the server that restarted is of another key")
	}
}

func TestAServerThatWasAwayGetsAShareLater(t *testing.T) {
	t.Parallel()
	n := planned(t, 3)
	n.silence = silence
	n.start(0)
	n.start(1)
	k := n.awaitKey(1, 1)
	if len(k.Keys.Shares) != 2 {
		t.Fatalf("%d servers have a share, want the two that were there", len(k.Keys.Shares))
	}
	n.start(2)
	denver := n.enrolled("denver-pd")
	want := denver.token([]oprf.Index{1, 2}, "j.doe@example.org")
	request, _ := denver.blind(0, []oprf.Index{1, 3}, "j.doe@example.org")
	n.awaitReady(2)
	wantRefusal(t, "without a share", denver.askOnce(2, wire.ProtocolEvaluate, request, &wire.EvaluateResponse{}), wire.CodeUnavailable)
	if m, err := denver.admission(2, nil); err != nil || len(m.Secrets) != 0 {
		t.Fatalf("its answer to a member: got %v, %v, want no secret, which it never had", m, err)
	}

	n.moved(&wire.Motion{Of: &wire.Motion_Reshare{Reshare: &wire.Reshare{}}})
	n.awaitKey(1, 2)
	if got := denver.token([]oprf.Index{2, 3}, "j.doe@example.org"); got != want {
		t.Fatal("the key is another after new shares were made")
	}
}

// A server that dies while it writes leaves half a file, whose name is not that of any share.
func TestHalfAFileOfADeadServerIsErased(t *testing.T) {
	c, lock, _ := folder(t)
	opened, err := c.open(lock)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "shares [of server 1]")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"epoch-1-generation-2.age.new", "ceremony-7.age.new", "ceremony-7.age", "ceremony-8.age", "epoch-1-generation-1.age", "epoch-1-generation-2.age"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("sealed"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s, err := newShares(dir, opened.keys.Age)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.keep(map[generation]bool{{1, 2}: true}), s.keepCeremony("ceremony-8.age")); err != nil {
		t.Fatal(err)
	}
	left, err := filepath.Glob(filepath.Join(filepath.Dir(dir), "*", "*"))
	if err != nil || len(left) != 2 || filepath.Base(left[0]) != "ceremony-8.age" || filepath.Base(left[1]) != "epoch-1-generation-2.age" {
		t.Fatalf("left: %v, %v", left, err)
	}
}

func TestAShareThatCannotBeWrittenIsNotConfirmed(t *testing.T) {
	t.Parallel()
	n := planned(t, 3)
	n.silence = silence
	n.founded()
	denver := n.enrolled("denver-pd")
	want := denver.token([]oprf.Index{1, 2}, "j.doe@example.org")
	// A folder stands where server 3's new share should be written first.
	obstacle := filepath.Join(n.folders[2], sharesDir, "epoch-1-generation-2.age"+halfExt)
	if err := os.MkdirAll(filepath.Join(obstacle, "full"), 0o700); err != nil {
		t.Fatal(err)
	}
	n.moved(&wire.Motion{Of: &wire.Motion_Reshare{Reshare: &wire.Reshare{}}})
	k := n.awaitKey(1, 2)
	if got := len(k.Keys.Shares); got != 2 {
		t.Fatalf("%d servers have a share, want the two that have it on the disk", got)
	}
	if got := denver.token([]oprf.Index{1, 2}, "j.doe@example.org"); got != want {
		t.Fatal("the key is another")
	}
	if err := os.RemoveAll(obstacle); err != nil {
		t.Fatal(err)
	}
	n.moved(&wire.Motion{Of: &wire.Motion_Reshare{Reshare: &wire.Reshare{}}})
	if k := n.awaitKey(1, 3); len(k.Keys.Shares) != 3 {
		t.Fatalf("%d servers have a share, want 3", len(k.Keys.Shares))
	}
	n.awaitKept(2, "epoch-1-generation-3.age")
}

func TestNewSharesOfOneKey(t *testing.T) {
	t.Parallel()
	n := found(t, 3)
	denver := n.enrolled("denver-pd")
	before := n.awaitKey(1, 1)
	want := denver.token([]oprf.Index{1, 2}, "j.doe@example.org")
	old := n.copiedShare(0, generation{1, 1})
	secret := n.copiedSecret(0, generation{1, 1})

	n.moved(&wire.Motion{Of: &wire.Motion_Reshare{Reshare: &wire.Reshare{Threshold: 3}}})
	after := n.awaitKey(1, 2)
	if after.Keys.Public != before.Keys.Public || after.Federation != before.Federation || after.Keys.Threshold != 3 {
		t.Fatal("the key, the federation secret's commitment or the threshold is not what it should be")
	}
	if got := denver.token([]oprf.Index{1, 2, 3}, "j.doe@example.org"); got != want {
		t.Fatal("the token is another")
	}
	for i := range n.servers {
		n.awaitKept(i, "epoch-1-generation-2.age")
		if n.copiedSecret(i, generation{1, 2}) != secret {
			t.Fatalf("server %d has another federation secret", i+1)
		}
	}
	m, err := denver.admission(1, nil)
	if err != nil || denver.secrets(m)[1] != secret {
		t.Fatalf("a member's federation secret: %v", err)
	}
	stale, _ := denver.blindFor(before, []oprf.Index{1, 2}, "j.doe@example.org")
	wantRefusal(t, "the shares of before", denver.askOnce(0, wire.ProtocolEvaluate, stale, &wire.EvaluateResponse{}), wire.CodeUnavailable)

	// Who kept a share of before has nothing with those of now.
	_, r := denver.blind(1, []oprf.Index{1, 2, 3}, "j.doe@example.org")
	forged, err := old.Evaluate(rand.Reader, 3, []oprf.Index{1, 2, 3}, r.Blinded())
	if err != nil {
		t.Fatal(err)
	}
	var wrong *oprf.WrongShareError
	if err := r.CheckAll([]oprf.Index{1, 2, 3}, []oprf.Answer{forged})[0]; !errors.As(err, &wrong) {
		t.Fatalf("the old share's answer: got %v, want it to be known as wrong", err)
	}
}

// copiedShare is a copy of a server's share.
func (n *centreNet) copiedShare(i int, g generation) *oprf.Share {
	n.t.Helper()
	h, err := n.servers[i].shares.get(g)
	if err != nil {
		n.t.Fatal(err)
	}
	b, err := h.share.MarshalBinary()
	if err != nil {
		n.t.Fatal(err)
	}
	share, err := oprf.ParseShare(b)
	if err != nil {
		n.t.Fatal(err)
	}
	return share
}

func (n *centreNet) copiedSecret(i int, g generation) token.Secret {
	n.t.Helper()
	h, err := n.servers[i].shares.get(g)
	if err != nil {
		n.t.Fatal(err)
	}
	return h.federation
}

func TestANewEpochReplacesTheOldOne(t *testing.T) {
	t.Parallel()
	n := found(t, 3)
	denver := n.enrolled("denver-pd")
	first := n.awaitKey(1, 1)
	old := denver.token([]oprf.Index{1, 2}, "j.doe@example.org")
	n.moved(&wire.Motion{Of: &wire.Motion_NewEpoch{NewEpoch: &wire.NewEpoch{}}})
	second := n.awaitKey(2, 1)
	if second.Keys.Public == first.Keys.Public || second.Federation == first.Federation {
		t.Fatal("the new epoch has the old key or the old federation secret")
	}
	if denver.token([]oprf.Index{1, 2}, "j.doe@example.org") == old {
		t.Fatal("the new key makes the old token")
	}
	stale, _ := denver.blindFor(first, []oprf.Index{1, 2}, "j.doe@example.org")
	wantRefusal(t, "the epoch that is retiring", denver.askOnce(0, wire.ProtocolEvaluate, stale, &wire.EvaluateResponse{}), wire.CodeUnavailable)
	// Both match until the old one is retired: a member gets both secrets.
	m, err := denver.admission(2, nil)
	if secrets := denver.secrets(m); err != nil || len(secrets) != 2 || secrets[1].Commit() != first.Federation || secrets[2].Commit() != second.Federation {
		t.Fatalf("got %d secrets, %v, want those of both epochs", len(secrets), err)
	}
	for i := range n.servers {
		n.awaitKept(i, "epoch-1-generation-1.age", "epoch-2-generation-1.age")
	}
	n.moved(&wire.Motion{Of: &wire.Motion_RetireEpoch{RetireEpoch: &wire.RetireEpoch{Epoch: 1}}})
	for i := range n.servers {
		n.awaitKept(i, "epoch-2-generation-1.age")
	}
	if m, err = denver.admission(2, nil); err != nil || len(denver.secrets(m)) != 1 {
		t.Fatalf("after the old epoch was retired: got %v", err)
	}
}

func TestEvaluationsGoOnWhileSharesAreMadeAnew(t *testing.T) {
	t.Parallel()
	n := found(t, 3)
	denver := n.enrolled("denver-pd")
	want := denver.token([]oprf.Index{1, 2}, "j.doe@example.org")
	done := make(chan error, 1)
	stop := make(chan struct{})
	go func() { done <- denver.keepsAsking(want, stop) }()
	for generation := uint32(2); generation <= 3; generation++ {
		n.moved(&wire.Motion{Of: &wire.Motion_Reshare{Reshare: &wire.Reshare{}}})
		n.awaitKey(1, generation)
	}
	close(stop)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// keepsAsking makes the token of one input until stop, in batches, as a node does: by
// the newest directory, and again where the shares have changed meanwhile. Whatever
// is answered must be right.
func (c *client) keepsAsking(want oprf.Token, stop <-chan struct{}) error {
	inputs := strings.Split(strings.Repeat("j.doe@example.org ", 60), " ")[:60]
	for made := 0; ; {
		select {
		case <-stop:
			if made == 0 {
				return errors.New("nothing was evaluated")
			}
			return nil
		default:
		}
		k, ok := c.net.servers[0].published.directory().Current()
		if !ok {
			return errors.New("no key")
		}
		quorum := []oprf.Index{1, 2}
		m, r := c.blindFor(k, quorum, inputs...)
		var answers []oprf.Answer
		for _, number := range quorum {
			var got wire.EvaluateResponse
			if err := c.askOnce(int(number)-1, wire.ProtocolEvaluate, m, &got); isUnavailable(err) {
				break
			} else if err != nil {
				return err
			}
			answers = append(answers, answerOf(number, &got))
		}
		if len(answers) < len(quorum) {
			continue
		}
		list, err := r.Finalize(quorum, answers)
		if err != nil {
			return err
		}
		for _, got := range list {
			if got != want {
				return errors.New("another token")
			}
		}
		made++
	}
}

func TestAWordOfACeremonyThatIsOverIsPassedOver(t *testing.T) {
	t.Parallel()
	n := found(t, 3)
	said, err := n.servers[0].say(&wire.CeremonyMessage{Ceremony: 0, Server: 1, Close: uint32(dkg.Joining)})
	if err != nil || said {
		t.Fatalf("got %v, %v, want it passed over", said, err)
	}
}
