package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"

	"interlock/node/casefile"
	"interlock/node/intake"
	"interlock/protocol/identifier"
)

// extractCmd prints the identifiers in files.
type extractCmd struct {
	Region string   `default:"US" help:"The country, as a two-letter code, whose telephone numbers are written without a country code."`
	JSON   bool     `name:"json" help:"Print one JSON object for each identifier."`
	Files  []string `arg:"" name:"file" help:"The files to read; - is standard input."`
}

// extracted is one line of JSON output. Its keys and their order are fixed.
type extracted struct {
	File  string `json:"file"`
	Line  int    `json:"line"`
	Kind  string `json:"kind"`
	Value string `json:"value"`
	Raw   string `json:"raw"`
}

// Run prints what is in each file, in the order given. What could not be read goes to errs in sentences. A file that
// could not be read at all makes the command fail after the others are done.
func (c *extractCmd) Run(out io.Writer, errs stderr) error {
	region, err := identifier.ParseRegion(c.Region)
	if err != nil {
		return err
	}
	failed := 0
	for _, name := range c.Files {
		report, err := readFile(name, region)
		if err != nil {
			failed++
			fmt.Fprintln(errs, sentenceOf(name, err))
			continue
		}
		for _, p := range report.Problems {
			fmt.Fprintln(errs, problemLine(name, p))
		}
		if err := c.print(out, name, report.Items); err != nil {
			return fmt.Errorf("write the identifiers of %s: %w", name, err)
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d files could not be read", failed, len(c.Files))
	}
	return nil
}

func readFile(name string, region identifier.Region) (intake.Report, error) {
	if name == "-" {
		return intake.Read(name, os.Stdin, region)
	}
	file, err := os.Open(name)
	if err != nil {
		return intake.Report{}, err
	}
	report, err := intake.Read(name, file, region)
	return report, errors.Join(err, file.Close())
}

// sentenceOf says why a file could not be read.
func sentenceOf(name string, err error) string {
	var sentence *casefile.Sentence
	switch {
	case errors.As(err, &sentence):
		return sentence.Error()
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Sprintf("There is no file %s.", name)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Sprintf("You may not read the file %s.", name)
	case errors.Is(err, syscall.EISDIR):
		return fmt.Sprintf("%s is a folder; name the files in it.", name)
	default:
		return fmt.Sprintf("The file %s could not be read: %v.", name, err)
	}
}

func problemLine(name string, p intake.Problem) string {
	if p.Line > 0 {
		return fmt.Sprintf("%s, line %d: %s", name, p.Line, p.Sentence)
	}
	return fmt.Sprintf("%s: %s", name, p.Sentence)
}

// print writes items as JSON lines or as aligned columns.
func (c *extractCmd) print(out io.Writer, name string, items []intake.Item) error {
	if c.JSON {
		encoder := json.NewEncoder(out)
		encoder.SetEscapeHTML(false)
		for _, item := range items {
			id := item.Identifier
			if err := encoder.Encode(extracted{name, item.Line, id.Kind().String(), id.Value(), item.Raw}); err != nil {
				return err
			}
		}
		return nil
	}
	width := 0
	for _, item := range items {
		width = max(width, len(fmt.Sprintf("%s:%d", name, item.Line)))
	}
	for _, item := range items {
		id := item.Identifier
		if _, err := fmt.Fprintf(out, "%-*s  %-7s  %s\n", width, fmt.Sprintf("%s:%d", name, item.Line), id.Kind(), id.Value()); err != nil {
			return err
		}
	}
	return nil
}
