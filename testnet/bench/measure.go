package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// results are what the benchmarks of one suite reported, round by round.
type results []map[measurement]float64

// measure builds the benchmarks of every suite, and then runs all suites in
// each round, so that a slow minute of the machine meets all of them.
func measure(ctx context.Context, suites []suite, rounds int) (all []results, err error) {
	dir, err := os.MkdirTemp("", "bench-")
	if err != nil {
		return nil, err
	}
	defer func() {
		if gone := os.RemoveAll(dir); err == nil {
			err = gone
		}
	}()
	built := make(map[string]string) // by directory
	for _, s := range suites {
		if built[s.dir] != "" {
			continue
		}
		built[s.dir] = filepath.Join(dir, strings.ReplaceAll(s.dir, "/", "-")+".test")
		if _, err := output(exec.CommandContext(ctx, "go", "test", "-c", "-o", built[s.dir], "./"+s.dir)); err != nil {
			return nil, err
		}
	}
	all = make([]results, len(suites))
	for round := range rounds {
		for i, s := range suites {
			if s.once && round > 0 {
				continue
			}
			fmt.Fprintf(os.Stderr, "round %d of %d: %s\n", round+1, rounds, s.title)
			cmd := exec.CommandContext(ctx, built[s.dir], s.flags("-test.")...)
			cmd.Dir = s.dir
			out, err := output(cmd)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", s.title, err)
			}
			found, err := parse(out)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", s.title, err)
			}
			all[i] = append(all[i], found)
		}
	}
	return all, nil
}

// flags returns the flags of one run, for go test or for what it has built.
func (s suite) flags(prefix string) []string {
	list := []string{prefix + "run=^$", prefix + "bench=" + s.bench, prefix + "benchtime=" + s.time}
	if s.cpu > 0 {
		list = append(list, prefix+"cpu="+strconv.Itoa(s.cpu))
	}
	return list
}

// output runs cmd and returns what it prints. What it printed is in the error
// too, for a benchmark that fails says why on its standard output.
func output(cmd *exec.Cmd) ([]byte, error) {
	var out, complaints bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaints
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("%s: %w\n%s%s", filepath.Base(cmd.Path), err, out.Bytes(), complaints.Bytes())
	}
	return out.Bytes(), nil
}

// processors is what the testing package puts behind a benchmark's name.
var processors = regexp.MustCompile(`-\d+$`)

// parse reads the lines of the Go benchmark format: name, iterations, and
// pairs of value and unit.
func parse(out []byte) (map[measurement]float64, error) {
	found := make(map[measurement]float64)
	lines := bufio.NewScanner(bytes.NewReader(out))
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) < 4 || !strings.HasPrefix(fields[0], "Benchmark") {
			continue
		}
		name := processors.ReplaceAllString(strings.TrimPrefix(fields[0], "Benchmark"), "")
		for i := 2; i+1 < len(fields); i += 2 {
			value, err := strconv.ParseFloat(fields[i], 64)
			if err != nil {
				return nil, fmt.Errorf("benchmark %s: %w", name, err)
			}
			found[measurement{name, fields[i+1]}] = value
		}
	}
	return found, lines.Err()
}

// median returns the middle of what the rounds reported; ok where all did.
func (r results) median(of func(map[measurement]float64) (float64, bool)) (middle float64, ok bool) {
	var list []float64
	for _, round := range r {
		value, ok := of(round)
		if !ok {
			return 0, false
		}
		list = append(list, value)
	}
	if len(list) == 0 {
		return 0, false
	}
	slices.Sort(list)
	return list[len(list)/2], true
}

// value returns the median of one measurement.
func (r results) value(m measurement) (float64, bool) {
	return r.median(func(round map[measurement]float64) (float64, bool) {
		v, ok := round[m]
		return v, ok
	})
}

// ratio returns how many times as fast as the reference we are: what the
// benchmark itself found, turn by turn, or else the ratio of each round.
func (r results) ratio(w row) (float64, bool) {
	if w.ours.bench == w.reference.bench {
		if v, ok := r.value(measurement{w.ours.bench, "times-faster"}); ok {
			return v, true
		}
	}
	return r.median(func(round map[measurement]float64) (float64, bool) {
		ours, reference := round[w.ours], round[w.reference]
		if ours <= 0 || reference <= 0 {
			return 0, false
		}
		if isRate(w.ours.unit) {
			return ours / reference, true
		}
		return reference / ours, true
	})
}

func isRate(unit string) bool { return strings.HasSuffix(unit, "/s") }
