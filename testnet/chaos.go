package testnet

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"interlock/protocol/directory"
)

// Turmoil is how much chaos there is to be.
type Turmoil struct {
	Seed   uint64        // of every choice
	Rounds int           // 0 for no limit
	For    time.Duration // no round begins after so long; 0 for no limit
	Liar   bool          // one agency more, which lies
}

// Broken is an invariant that did not hold, with what was done before.
type Broken struct {
	Seed  uint64
	Steps []string
	Cause error
}

func (b *Broken) Error() string {
	return fmt.Sprintf("with seed %d, after %d steps: %v", b.Seed, len(b.Steps), b.Cause)
}

func (b *Broken) Unwrap() error { return b.Cause }

const (
	stepsInRound = 12
	persons      = 8
	casesEach    = 2
	frontRange   = "front-range" // the group whose members change
	// settlesIn is how long a healed federation on a machine with no time for us may
	// take to settle before that counts as broken.
	settlesIn = 2 * time.Minute
)

// chaos is a federation to which a seed does everything.
type chaos struct {
	*Net
	Turmoil
	draws  *rand.Rand
	out    io.Writer
	steps  []string
	ledger *ledger
	round  int
	counts counts

	armed     map[*Agency]bool // who may die at any write
	suspended *Agency
	group     []directory.AgencyID
	renewing  bool
	liar      *Agency // nil for none
	lying     *Liar   // nil before and after it lies
	convicted bool    // it has shown two histories
}

// counts are what a round's line says.
type counts struct{ entered, handled, purged, kills, cuts, decisions, lies int }

// Chaos builds a federation of plan's agencies and does to it what a seed says,
// round by round: officers enter, handle and purge; nodes stop and die, paths are cut,
// registry servers stop, agencies are suspended, a group and the token key change.
// After each round everything heals, the network settles, and Check and the ledger
// of what was acknowledged must hold. It tells each step on out before it takes it.
// The first invariant that does not hold is a *Broken. The end of ctx ends it without
// an error.
func Chaos(ctx context.Context, p Plan, t Turmoil, out io.Writer) (err error) {
	c := &chaos{
		Turmoil: t, draws: rand.New(rand.NewPCG(t.Seed, 0)), out: out,
		ledger: newLedger(), armed: map[*Agency]bool{},
	}
	p.Direct = []int{0, 2}[c.draws.IntN(2)]
	honest := len(p.Agencies)
	if t.Liar {
		p.Agencies = append(slices.Clone(p.Agencies), Members("mallory-pd")...)
	}
	c.say("seed %d: %d agencies; a node follows all directly in a network of up to %d, 0 for the usual limit", t.Seed, len(p.Agencies), p.Direct)
	if c.Net, err = New(ctx, p); err != nil {
		return unlessEnded(ctx, err)
	}
	defer func() { err = errors.Join(err, c.end()) }()
	if t.Liar {
		c.liar = c.Agencies()[honest]
	}
	if err := c.prepare(ctx); err != nil {
		return unlessEnded(ctx, err)
	}
	began := time.Now()
	for c.round = 1; ctx.Err() == nil && (t.Rounds == 0 || c.round <= t.Rounds) && (t.For == 0 || time.Since(began) < t.For); c.round++ {
		if err := c.play(ctx); err != nil && ctx.Err() == nil {
			return &Broken{Seed: t.Seed, Steps: c.steps, Cause: fmt.Errorf("round %d: %w", c.round, err)}
		}
	}
	return nil
}

func unlessEnded(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// end stops everything. Who may have died is ended as such.
func (c *chaos) end() error {
	var errs []error
	for a := range c.armed {
		errs = append(errs, a.Kill())
	}
	if c.lying != nil {
		errs = append(errs, c.lying.Close())
	}
	return errors.Join(append(errs, c.Net.Close())...)
}

// prepare opens the cases.
func (c *chaos) prepare(ctx context.Context) error {
	for _, a := range c.Agencies() {
		for n := range casesEach {
			if _, err := a.Opens(chaosOfficer, fmt.Sprintf("%s-%d", strings.ToUpper(a.ID[:1]), n+1), ""); err != nil {
				return err
			}
		}
	}
	c.group = ids(c.honest()[:2])
	c.ledger.composes(frontRange, c.group)
	if err := c.Groups(ctx, c.groups()); err != nil || c.liar == nil {
		return err
	}
	return c.corrupt(ctx)
}

func ids(list []*Agency) (ids []directory.AgencyID) {
	for _, a := range list {
		ids = append(ids, directory.AgencyID(a.ID))
	}
	slices.Sort(ids)
	return ids
}

// honest are the agencies that never lie.
func (c *chaos) honest() []*Agency {
	return slices.DeleteFunc(c.Agencies(), func(a *Agency) bool { return a == c.liar })
}

func (c *chaos) say(format string, args ...any) {
	line := fmt.Sprintf(format, args...)
	c.steps = append(c.steps, line)
	fmt.Fprintln(c.out, line)
}

// play is one round.
func (c *chaos) play(ctx context.Context) error {
	c.counts = counts{}
	began := time.Now()
	c.lie()
	for range stepsInRound {
		if err := c.step(ctx); err != nil {
			return err
		}
	}
	played := time.Since(began)
	ctx, cancel := context.WithTimeout(ctx, settlesIn)
	defer cancel()
	if err := c.heal(ctx); err != nil {
		return fmt.Errorf("heal: %w", err)
	}
	if err := c.Settle(ctx); err != nil {
		return errors.Join(err, c.unsettled())
	}
	if err := c.Check(); err != nil {
		return err
	}
	all, err := c.read((*Agency).books)
	if err != nil {
		return err
	}
	if err := c.ledger.audit(all); err != nil {
		return err
	}
	alerts, entries := 0, uint64(0)
	for i := range all {
		alerts += len(all[i].grounds())
		for id, h := range all[i].feeds {
			if id.Author == directory.AgencyID(all[i].agency.ID) {
				entries += h.Number
			}
		}
	}
	fmt.Fprintf(c.out, "round %d holds: %d entered, %d handled, %d purged, %d nodes ended, %d paths cut, %d decisions, %d lies; %d entries, %d grounds of alerts; %.1f s, and %.1f s to settle\n",
		c.round, c.counts.entered, c.counts.handled, c.counts.purged, c.counts.kills, c.counts.cuts, c.counts.decisions, c.counts.lies,
		entries, alerts, played.Seconds(), (time.Since(began) - played).Seconds())
	return c.retire(ctx)
}

// unsettled says what is still on its way.
func (c *chaos) unsettled() error {
	all, err := c.read((*Agency).progress)
	errs := []error{err}
	for i := range all {
		b := &all[i]
		if b.waiting > 0 || b.deriving {
			errs = append(errs, fmt.Errorf("%s: %d identifiers wait, deriving or moving: %v", b.agency.ID, b.waiting, b.deriving))
		}
		for j := range all {
			for id, h := range all[j].feeds {
				if id.Author != directory.AgencyID(all[j].agency.ID) {
					continue
				}
				if have, is := b.feeds[id]; b.mayHold(id) && (have.Number != h.Number || have.Generation != h.Generation) || is && !b.mayHold(id) {
					errs = append(errs, fmt.Errorf("%s has %s's feed for %q at %d of generation %d, itself at %d of %d; may hold it: %v",
						b.agency.ID, all[j].agency.ID, id.Audience, have.Number, have.Generation, h.Number, h.Generation, b.mayHold(id)))
				}
			}
		}
		for _, m := range b.agency.Node().Status().Members {
			if m.Trouble != "" {
				errs = append(errs, fmt.Errorf("%s with %s: %s", b.agency.ID, m.Agency.ID, m.Trouble))
			}
		}
	}
	return errors.Join(errs...)
}
