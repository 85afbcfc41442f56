// Package demo runs the sample cases through a whole network on one machine:
// it imports every file at its agency as an officer would, and compares the
// alerts with the sample's own list of what is shared.
package demo

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"interlock/node/alert"
	"interlock/node/casefile"
	"interlock/node/store"
	"interlock/testnet"
	"interlock/testnet/sample"
)

// Options are how a demo is run.
type Options struct {
	Dir   string
	Pages bool
	Log   *slog.Logger
	Say   func(line string)
	// Step is told how many files of how many are imported.
	Step func(done, of int)
}

// Demo is a running demonstration.
type Demo struct {
	Net     *testnet.Net
	SignIns []SignIn
	began   time.Time
	added   int
}

// SignIn is an account that a visitor can use.
type SignIn struct {
	Agency, Origin       string
	Name, FullName, Role string
	Password             string
}

// Result is what a demo comes to.
type Result struct {
	Registry         int     `json:"registry"`
	Agencies         int     `json:"agencies"`
	Identifiers      int     `json:"identifiers"`
	AlertsExpected   int     `json:"alerts_expected"`
	AlertsSeen       int     `json:"alerts_seen"`
	AlertsUnexpected int     `json:"alerts_unexpected"`
	Seconds          float64 `json:"seconds"`

	// Missing and Unexpected say which: agency, its case, the other agency, its
	// case, and the identifiers, a line each.
	Missing    []string `json:"-"`
	Unexpected []string `json:"-"`
}

// Right reports whether exactly the expected alerts came.
func (r Result) Right() bool { return r.AlertsSeen == r.AlertsExpected && r.AlertsUnexpected == 0 }

// Start builds the network and imports every sample file.
func Start(ctx context.Context, o Options) (*Demo, error) {
	d := &Demo{began: time.Now()}
	plan := testnet.Plan{Dir: o.Dir, Log: o.Log, Say: o.Say, Pages: o.Pages}
	agencies := sample.Agencies()
	for _, a := range agencies {
		plan.Agencies = append(plan.Agencies, testnet.Member{
			ID: a.ID, Name: a.Name, Jurisdiction: a.Jurisdiction, Contact: a.Contact, Region: a.Region,
		})
	}
	var err error
	if d.Net, err = testnet.New(ctx, plan); err != nil {
		return nil, err
	}
	if err := d.imports(ctx, o, agencies); err != nil {
		return nil, fmt.Errorf("%w (closing: %v)", err, d.Net.Close())
	}
	return d, nil
}

func (d *Demo) imports(ctx context.Context, o Options, agencies []sample.Agency) error {
	total, done := 0, 0
	for _, a := range agencies {
		for _, c := range a.Cases {
			total += len(c.Files)
		}
	}
	for _, a := range agencies {
		officers, err := d.staff(a)
		if err != nil {
			return err
		}
		before := d.added
		for _, c := range a.Cases {
			by := officers[c.Officer]
			opened, err := d.Net.Agency(a.ID).Opens(by, c.Number, c.Title)
			if err != nil {
				return fmt.Errorf("open case %s: %w", c.Number, err)
			}
			for _, f := range c.Files {
				saved, err := d.Net.Agency(a.ID).Uploads(ctx, by, opened.ID, f.Name, string(f.Content))
				if err != nil {
					return fmt.Errorf("import %s of case %s: %w", f.Name, c.Number, err)
				}
				d.added += saved.Added
				done++
				o.Step(done, total)
			}
		}
		o.Say(fmt.Sprintf("%s has imported %d cases with %d identifiers", a.Name, len(a.Cases), d.added-before))
	}
	return nil
}

// staff gives every officer of the sample an account.
func (d *Demo) staff(a sample.Agency) (map[string]casefile.Officer, error) {
	agency := d.Net.Agency(a.ID)
	origin, err := agency.Origin()
	if err != nil {
		return nil, err
	}
	officers := map[string]casefile.Officer{}
	for _, o := range a.Officers {
		role, err := casefile.ParseRole(o.Role)
		if err != nil {
			return nil, err
		}
		officer, password, err := agency.Officer(o.Name, o.FullName, role)
		if err != nil {
			return nil, fmt.Errorf("account of %s: %w", o.Name, err)
		}
		officers[o.Name] = officer
		d.SignIns = append(d.SignIns, SignIn{
			Agency: a.Name, Origin: origin, Name: o.Name, FullName: o.FullName, Role: o.Role, Password: password,
		})
	}
	return officers, nil
}

// Await waits until nothing is on its way any more, and says what came.
func (d *Demo) Await(ctx context.Context) (Result, error) {
	if err := d.Net.Settle(ctx); err != nil {
		return Result{}, err
	}
	r := Result{Registry: len(d.Net.Servers()), Agencies: len(d.Net.Agencies()), Identifiers: d.added}
	want := map[string]bool{}
	for _, e := range sample.ExpectedAlerts() {
		want[meeting(e.Agency, e.Case, e.OtherAgency, e.OtherCase, e.Identifiers)] = true
	}
	r.AlertsExpected = len(want)
	for _, a := range d.Net.Agencies() {
		got, err := d.meetings(a)
		if err != nil {
			return Result{}, err
		}
		for _, m := range got {
			if want[m] {
				r.AlertsSeen++
				delete(want, m)
			} else {
				r.AlertsUnexpected++
				r.Unexpected = append(r.Unexpected, m)
			}
		}
	}
	r.Missing = slices.Sorted(maps.Keys(want))
	r.Seconds = float64(time.Since(d.began).Milliseconds()) / 1000
	return r, d.Net.Check()
}

func meeting(agency, number, otherAgency, otherNumber string, values []string) string {
	values = slices.Sorted(slices.Values(values))
	return strings.Join(append([]string{agency, number, otherAgency, otherNumber}, values...), "\n")
}

// meetings are an agency's alerts in the words of the sample's list.
func (d *Demo) meetings(a *testnet.Agency) ([]string, error) {
	alerts, err := a.Alerts()
	if err != nil {
		return nil, err
	}
	var list []string
	for _, al := range alerts {
		ours, err := numberOf(a, func(c casefile.Case) bool { return c.ID == al.Pair.Case })
		if err != nil {
			return nil, err
		}
		other := string(al.Pair.Agency)
		theirs, err := numberOf(d.Net.Agency(other), func(c casefile.Case) bool { return c.Pointer == al.Pair.Theirs })
		if err != nil {
			return nil, err
		}
		list = append(list, meeting(a.ID, ours, other, theirs, values(al)))
	}
	return list, nil
}

func values(a alert.Alert) []string {
	var list []string
	for _, g := range a.Grounds {
		list = append(list, g.Identifier.Value())
	}
	return list
}

// numberOf returns the number of the case that is meant, or none.
func numberOf(a *testnet.Agency, meant func(casefile.Case) bool) (number string, err error) {
	err = a.Node().View(func(tx *store.Tx) error {
		return tx.Cases(func(c casefile.Case) error {
			if meant(c) {
				number = c.Number
			}
			return nil
		})
	})
	return number, err
}
