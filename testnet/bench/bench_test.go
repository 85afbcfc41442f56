package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// A row whose benchmark was renamed would be found only after minutes.
func TestEveryRowHasItsBenchmark(t *testing.T) {
	for _, s := range suites() {
		files, err := filepath.Glob(filepath.Join("..", "..", s.dir, "*_test.go"))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %v, %v", s.dir, files, err)
		}
		var code strings.Builder
		for _, f := range files {
			b, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			code.Write(b)
		}
		// What follows $/ chooses among the parts of a benchmark.
		first, _, deeper := strings.Cut(s.bench, "$/")
		if deeper {
			first += "$"
		}
		runs := regexp.MustCompile(first)
		for _, w := range s.rows {
			for _, m := range []measurement{w.ours, w.reference} {
				if m == (measurement{}) {
					continue
				}
				top, _, _ := strings.Cut(m.bench, "/")
				if !runs.MatchString("Benchmark"+top) || !strings.Contains(code.String(), "func Benchmark"+top+"(") {
					t.Errorf("%s: %s: no benchmark %s", s.title, w.what, top)
				}
			}
		}
	}
}

const twoRounds = `goos: linux
BenchmarkSend/tcp-2    	    10	      200 ns/op	      50.0 MB/s
BenchmarkBare/tcp-2    	    10	      100 ns/op	      80.0 MB/s
BenchmarkTurns-2       	    10	        0 ns/op	  1500 ours-commands/s	  2000 reference-commands/s	 0.7 times-faster
BenchmarkAlone-2       	    10	  2500000 ns/op
PASS
`

func TestARatioIsHowManyTimesAsFast(t *testing.T) {
	found, err := parse([]byte(twoRounds))
	if err != nil {
		t.Fatal(err)
	}
	r := results{found, found, {
		{"Send/tcp", "ns/op"}: 100, {"Bare/tcp", "ns/op"}: 1000, {"Send/tcp", "MB/s"}: 80, {"Bare/tcp", "MB/s"}: 8,
		{"Turns", "ours-commands/s"}: 1, {"Turns", "reference-commands/s"}: 1, {"Turns", "times-faster"}: 9,
		{"Alone", "ns/op"}: 2500000,
	}}
	pair := func(unit string, target float64) row {
		return row{what: "sent", ours: measurement{"Send/tcp", unit}, reference: measurement{"Bare/tcp", unit}, target: target}
	}
	for _, c := range []struct {
		row  row
		want string
	}{
		{pair("ns/op", 0.5), "| sent | 200 ns/op | 100 ns/op | 0.5 | 0.5 |\n"},
		{pair("ns/op", 0.51), "| sent | 200 ns/op | 100 ns/op | **0.5** | 0.51 |\n"},
		{pair("MB/s", 0), "| sent | 50 MB/s | 80 MB/s | 0.625 | none |\n"},
		{turns("taken", "Turns", 0.75, ""), "| taken | 1,500 commands/s | 2,000 commands/s | **0.7** | 0.75 |\n"},
		{row{what: "alone", ours: measurement{"Alone", "ns/op"}, target: 3e6}, "| alone | 2.5 ms/op |  |  | 3 ms/op |\n"},
		{row{what: "alone", ours: measurement{"Alone", "ns/op"}, target: 2e6}, "| alone | **2.5 ms/op** |  |  | 2 ms/op |\n"},
	} {
		if got, err := renderRow(c.row, r); err != nil || got != c.want {
			t.Errorf("got %q, %v\nwant %q", got, err, c.want)
		}
	}
	if _, err := renderRow(pair("B/op", 1), r); err == nil {
		t.Error("a row that nothing was measured for was written")
	}
}
