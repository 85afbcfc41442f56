package main

import (
	"bytes"
	"io"
	"os"
	"regexp"
	"strings"
	"testing"
)

// Every command and flag in the centre's handbook is one that there is.
func TestTheHandbookNamesOnlyCommandsThatThereAre(t *testing.T) {
	text, err := os.ReadFile("../../docs/OPERATIONS.md")
	if err != nil {
		t.Fatal(err)
	}
	commands := regexp.MustCompile("(?m)^interlock .*$|`interlock [^`]*`").FindAllString(string(text), -1)
	if len(commands) < 40 {
		t.Fatalf("only %d commands found", len(commands))
	}
	word, flag := regexp.MustCompile(`^[a-z-]+$`), regexp.MustCompile(`--[a-z-]+`)
	for _, line := range commands {
		line = strings.Trim(line, "`")
		words := strings.Fields(line)[1:]
		var help bytes.Buffer
		depth := 0
		// The longest beginning that names a command; the rest are its arguments.
		for n := 1; n <= len(words) && word.MatchString(words[n-1]) && !strings.HasPrefix(words[n-1], "-"); n++ {
			var out bytes.Buffer
			_, err := parse(t.Context(), append(append([]string{}, words[:n]...), "--help"), &out, io.Discard)
			if err != nil || !strings.HasPrefix(out.String(), "Usage: interlock "+strings.Join(words[:n], " ")) {
				break
			}
			depth, help = n, out
		}
		if depth < 2 {
			t.Errorf("%q: there is no such command", line)
			continue
		}
		if strings.Contains(strings.SplitN(help.String(), "\n", 2)[0], "<command>") {
			t.Errorf("%q: that is only the beginning of a command", line)
		}
		for _, f := range flag.FindAllString(line, -1) {
			if !regexp.MustCompile(regexp.QuoteMeta(f) + `\b`).MatchString(strings.ReplaceAll(help.String(), "[no-]", "")) {
				t.Errorf("%q: it has no flag %s", line, f)
			}
		}
	}
}
