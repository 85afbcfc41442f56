// Command bench measures what the project claims about speed, and writes
// BENCHMARKS.md: for each row ours, the reference, their ratio, and the target.
// A ratio is always how many times as fast as the reference we are, whatever
// the unit. Ours and the reference are measured in the same rounds on the same
// machine; the table shows the medians over the rounds. A row that misses its
// target stays, with its reason.
//
// To add a row, write a benchmark and name its measurements in rows.go:
//
//  1. The benchmark lies beside the code that it measures. It runs ours and the
//     reference in turns within each iteration of b.Loop, and reports both by
//     b.ReportMetric under units such as "ours-commands/s" and
//     "reference-commands/s". What is before the last hyphen names the side, and
//     is not shown. A unit that ends in "/s" is a rate, of which more is
//     better; of any other, less is better.
//  2. Where turns vary much, the benchmark reports the median of the ratios of
//     its turns as "times-faster", and the row uses that in place of the ratio of
//     the two medians.
//  3. The row is a line in a suite of rows.go: the two measurements and the least
//     ratio that is acceptable. A row without a reference ("until every
//     one of 300 nodes acts on an approval") leaves it out, and its target is
//     for the value itself.
//  4. A suite is one package's benchmarks, run together once in each round. All
//     suites together stay below six minutes.
//
// It is run by "make bench", from the root of the repository. With -only it
// runs the suites whose title matches, and prints them.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"regexp"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	only := flag.String("only", "", "run the suites whose title matches this pattern, and print them")
	rounds := flag.Int("rounds", 3, "how often each suite is run")
	flag.Parse()
	if err := run(ctx, *only, *rounds); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		stop()
		os.Exit(1)
	}
}

const file = "BENCHMARKS.md"

func run(ctx context.Context, only string, rounds int) error {
	pattern, err := regexp.Compile(only)
	if err != nil {
		return err
	}
	var chosen []suite
	for _, s := range suites() {
		if pattern.MatchString(s.title) {
			chosen = append(chosen, s)
		}
	}
	where := thisMachine(rounds)
	results, err := measure(ctx, chosen, rounds)
	if err != nil {
		return err
	}
	page, err := render(where, chosen, results)
	if err != nil {
		return err
	}
	if only != "" {
		_, err = os.Stdout.WriteString(page)
		return err
	}
	return os.WriteFile(file, []byte(page), 0o644)
}
