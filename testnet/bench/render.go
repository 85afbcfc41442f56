package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// thisMachine tells where, and how busy, it was before the first round.
func thisMachine(rounds int) string {
	b := &strings.Builder{}
	fmt.Fprintf(b, "%s, %s/%s, %d processors", runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU())
	if info, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		if _, rest, ok := strings.Cut(string(info), "model name"); ok {
			line, _, _ := strings.Cut(rest, "\n")
			fmt.Fprintf(b, " (%s)", strings.Trim(line, "\t :"))
		}
	}
	if load, err := os.ReadFile("/proc/loadavg"); err == nil {
		fmt.Fprintf(b, ", load before the start %s", strings.Fields(string(load))[0])
	}
	fmt.Fprintf(b, "; %s; medians of %d rounds", time.Now().UTC().Format(time.DateOnly), rounds)
	return b.String()
}

// render writes the page.
func render(where string, suites []suite, all []results) (string, error) {
	b := &strings.Builder{}
	b.WriteString("# Benchmarks\n\nWritten by `make bench`; `testnet/bench` says how a row is added. A ratio is how many times as fast as the\n" +
		"reference we are, measured side by side in the same rounds. Bold is below its target.\n\n")
	fmt.Fprintf(b, "%s.\n", where)
	for i, s := range suites {
		fmt.Fprintf(b, "\n## %s\n%s\n\n", s.title, s.about)
		b.WriteString("| what | ours | reference | ratio | target |\n|---|---|---|---|---|\n")
		var reasons []string
		for _, w := range s.rows {
			line, err := renderRow(w, all[i])
			if err != nil {
				return "", fmt.Errorf("%s: %w", s.title, err)
			}
			b.WriteString(line)
			if w.why != "" {
				reasons = append(reasons, fmt.Sprintf("- *%s*: %s\n", w.what, w.why))
			}
		}
		if reasons != nil {
			b.WriteString("\n" + strings.Join(reasons, ""))
		}
		fmt.Fprintf(b, "\n`go test '%s' ./%s`\n", strings.Join(s.flags("-"), "' '"), s.dir)
	}
	return b.String(), nil
}

func renderRow(w row, r results) (string, error) {
	ours, ok := r.value(w.ours)
	if !ok {
		return "", fmt.Errorf("%s: no benchmark %s reports %s", w.what, w.ours.bench, w.ours.unit)
	}
	if w.reference == (measurement{}) {
		shown, met := quantity(ours, w.ours.unit), ours <= w.target
		if isRate(w.ours.unit) {
			met = ours >= w.target
		}
		return line(w, shown, "", "", quantity(w.target, w.ours.unit), met), nil
	}
	reference, ok := r.value(w.reference)
	if !ok {
		return "", fmt.Errorf("%s: no benchmark %s reports %s", w.what, w.reference.bench, w.reference.unit)
	}
	ratio, ok := r.ratio(w)
	if !ok {
		return "", fmt.Errorf("%s: no ratio", w.what)
	}
	return line(w, quantity(ours, w.ours.unit), quantity(reference, w.reference.unit), number(ratio), number(w.target), ratio >= w.target), nil
}

// line is a line of the table. What misses its target is bold.
func line(w row, ours, reference, ratio, target string, met bool) string {
	if w.target == 0 {
		target = "none"
	} else if !met && ratio == "" {
		ours = "**" + ours + "**"
	} else if !met {
		ratio = "**" + ratio + "**"
	}
	return fmt.Sprintf("| %s | %s | %s | %s | %s |\n", w.what, ours, reference, ratio, target)
}

// quantity is a value with its unit, without the side that the unit names.
func quantity(v float64, unit string) string {
	unit = unit[strings.LastIndex(unit, "-")+1:]
	if per, ok := strings.CutPrefix(unit, "ns/"); ok {
		unit = "ns/" + per
		for _, larger := range []string{"µs/", "ms/", "s/"} {
			if v < 999.5 {
				break
			}
			v, unit = v/1000, larger+per
		}
	}
	return number(v) + " " + unit
}

// number has three digits, or all before the point, in groups.
func number(v float64) string {
	if v < 999.5 {
		return strconv.FormatFloat(v, 'g', 3, 64)
	}
	digits := strconv.FormatFloat(v, 'f', 0, 64)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}
