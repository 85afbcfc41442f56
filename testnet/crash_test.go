package testnet

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"interlock/node/casefile"
	"interlock/node/store"
)

// victim is how the test binary is told to be a node that dies.
const victim = "INTERLOCK_TEST_VICTIM"

// script is what a victim does: it opens a case and saves texts into it, and
// says each on its output once it is acknowledged.
type script struct {
	Dir    string
	Number string
	Texts  []string
	DieAt  int64 // the write to the disk at which the process kills itself
}

func TestMain(m *testing.M) {
	if os.Getenv(victim) != "" {
		if err := beVictim(os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

var okafor = casefile.Officer{Name: "m.okafor", Role: casefile.Investigator}

// beVictim runs the script in a process of its own. kill -9 comes from within,
// between two writes, so that the same seed dies at the same place.
func beVictim(in io.Reader, out io.Writer) error {
	var s script
	if err := json.NewDecoder(in).Decode(&s); err != nil {
		return err
	}
	a := &Agency{Member: Members("denver-pd")[0], net: &Net{}, dir: s.Dir}
	a.net.plan.Log = discard()
	var writes atomic.Int64
	a.Disk = func() error {
		if writes.Add(1) == s.DieAt {
			return errors.Join(syscall.Kill(os.Getpid(), syscall.SIGKILL), errors.New("outlived kill -9"))
		}
		return nil
	}
	if err := a.Start(); err != nil {
		return err
	}
	c, err := a.Opens(okafor, s.Number, "")
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "opened")
	for n, text := range s.Texts {
		if _, err := a.Pastes(context.Background(), okafor, c.ID, text); err != nil {
			return err
		}
		fmt.Fprintln(out, "saved", n)
	}
	fmt.Fprintln(out, "writes", writes.Load())
	// What arrives meanwhile is matched until the other side is done.
	if _, err := io.Copy(io.Discard, in); err != nil {
		return err
	}
	return a.Stop()
}

// kill runs a victim and returns what it acknowledged before it died; writes
// is set where it lived to the end.
func kill(t *testing.T, s script, meanwhile func()) (opened bool, saved int, writes int64) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), victim+"=1")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if err := json.NewEncoder(in).Encode(s); err != nil {
		t.Fatal(err)
	}
	meanwhile()
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		switch fields := strings.Fields(lines.Text()); fields[0] {
		case "opened":
			opened = true
		case "saved":
			saved++
		case "writes":
			if _, err := fmt.Sscan(fields[1], &writes); err != nil {
				t.Fatal(err)
			}
			if err := in.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
	var died *exec.ExitError
	if err := cmd.Wait(); err != nil && (!errors.As(err, &died) || died.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL) {
		t.Fatalf("the victim ended with %v, want kill -9 or a clean end", err)
	}
	return opened, saved, writes
}

// TestKillAtAnyStepLosesNothingAcknowledgedAndAlertsOnce kills a node process
// with kill -9 at seeded writes during import and match, starts it again, and
// finds everything it had acknowledged and each alert once.
func TestKillAtAnyStepLosesNothingAcknowledgedAndAlertsOnce(t *testing.T) {
	points := 20
	if testing.Short() {
		points = 5
	}
	net := Start(t, Plan{Agencies: Members("denver-pd", "boulder-so")})
	denver, boulder := net.Agency("denver-pd"), net.Agency("boulder-so")
	stop(t, denver)

	texts := func(round int) (denvers, boulders []string) {
		for n := range 5 {
			shared := fmt.Sprintf("met.%d.%d@example.org", round, n)
			denvers = append(denvers, fmt.Sprintf("Tip %d: %s, and alone.d%d.%d@example.org", n, shared, round, n))
			boulders = append(boulders, fmt.Sprintf("Log %d: %s; alone.b%d.%d@example.org", n, shared, round, n))
		}
		if round%17 == 1 { // a list so long that it is saved in two steps
			var long strings.Builder
			for n := range 520 {
				fmt.Fprintf(&long, "long.%d.%d@example.org\n", round, n)
			}
			denvers = append(denvers, long.String())
		}
		return denvers, boulders
	}
	round := 0
	run := func(dieAt int64) (writes int64) {
		round++
		mine, theirs := texts(round)
		s := script{Dir: denver.Dir(), Number: fmt.Sprintf("D-%d", round), Texts: mine, DieAt: dieAt}
		opened, saved, writes := kill(t, s, func() {
			c, err := boulder.Opens(okafor, fmt.Sprintf("B-%d", round), "")
			if err != nil {
				t.Fatal(err)
			}
			for _, text := range theirs {
				if _, err := boulder.Pastes(t.Context(), okafor, c.ID, text); err != nil {
					t.Fatal(err)
				}
			}
		})
		resume(t, net, denver, s, opened, saved)
		return writes
	}
	writes := run(0)
	if writes == 0 {
		t.Fatal("the first victim, which was to live, did not")
	}
	// Every round dies at another write, in an order that the seed decides.
	order := rand.New(rand.NewPCG(1, 1)).Perm(int(writes))
	died := 0
	for n := range points {
		if run(int64(1+order[n%len(order)])) == 0 {
			died++
		}
	}
	t.Logf("died at %d places among %d writes", died, writes)
	if died < points*4/5 {
		t.Errorf("only %d of %d victims died, want at least %d", died, points, points*4/5)
	}
}

// resume starts the dead agency again, finds what it had acknowledged, lets
// it finish the script, and checks both books.
func resume(t *testing.T, net *Net, a *Agency, s script, opened bool, saved int) {
	t.Helper()
	start(t, a)
	defer stop(t, a)
	id, found := caseNumbered(t, a, s.Number)
	if opened && !found {
		t.Fatalf("case %s was acknowledged and is lost", s.Number)
	}
	if !found {
		c, err := a.Opens(okafor, s.Number, "")
		if err != nil {
			t.Fatal(err)
		}
		id = c.ID
	}
	var held int
	err := a.Node().View(func(tx *store.Tx) (err error) {
		held, err = tx.Held(id)
		return err
	})
	if err != nil || held < 2*saved {
		t.Fatalf("%d identifiers held, %v; %d texts of two each were acknowledged", held, err, saved)
	}
	for _, text := range s.Texts {
		if _, err := a.Pastes(t.Context(), okafor, id, text); err != nil {
			t.Fatal(err)
		}
	}
	settleAndCheck(t, net)
}

func caseNumbered(t *testing.T, a *Agency, number string) (id casefile.CaseID, found bool) {
	t.Helper()
	err := a.Node().View(func(tx *store.Tx) error {
		return tx.Cases(func(c casefile.Case) error {
			if c.Number == number {
				id, found = c.ID, true
			}
			return nil
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	return id, found
}
