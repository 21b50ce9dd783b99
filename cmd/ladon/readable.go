package main

import (
	"errors"
	"flag"
	"fmt"
	"strings"
)

// readableFlag registers -readable for commands that print JSON otherwise.
func readableFlag(fs *flag.FlagSet) *bool {
	return fs.Bool("readable", false, "print for people to read, not JSON: the default on a terminal, which -json overrules")
}

// readable says whether people read what the command prints.
func (c *call) readable(asked bool) (bool, error) {
	if asked && c.json {
		return false, errors.New("-readable and -json exclude each other")
	}
	return asked || c.terminal && !c.json, nil
}

// writeReadable prints what was asked, and below it rows of what was found, in columns.
func (c *call) writeReadable(asked string, rows [][]string) error {
	var b strings.Builder
	fmt.Fprintln(&b, oneLine(asked))
	var widths []int
	for _, row := range rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], len([]rune(cell)))
		}
	}
	for _, row := range rows {
		line := ""
		for i, cell := range row {
			line += fmt.Sprintf("  %-*s", widths[i], cell)
		}
		fmt.Fprintln(&b, strings.TrimRight(line, " "))
	}
	if _, err := c.stdout.WriteString(b.String()); err != nil {
		return err
	}
	return c.stdout.Flush()
}

// oneLine keeps what it shows of a text on one line, and a terminal from obeying
// the text.
func oneLine(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, text)
}

// shownScore is a score as people want to see it.
func shownScore(x float32) string { return fmt.Sprintf("%.4f", x) }
