package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// survived is the result of a condition that no test misses.
const survived = "nothing fails"

type row struct {
	mutant
	result string
}

// judge is the result of a row; the reason of a former table stays.
func judge(failed, before string) string {
	switch {
	case failed != "":
		return failed
	case strings.HasPrefix(before, survived):
		return before
	}
	return survived
}

func table(rows []row) string {
	var b strings.Builder
	missed, open := 0, 0
	for _, r := range rows {
		switch {
		case r.result == "":
			open++
		case strings.HasPrefix(r.result, survived):
			missed++
		}
	}
	fmt.Fprintf(&b, "%d conditions, taken away one at a time: a test fails for %d, none for %d; %d not tried.\n\n", len(rows), len(rows)-missed-open, missed, open)
	b.WriteString("| condition | becomes | what fails |\n|---|---|---|\n")
	for _, r := range rows {
		fmt.Fprintf(&b, "| %s | %v | %s |\n", cell(r.key()), r.as, cell(r.result))
	}
	return b.String()
}

func cell(s string) string { return strings.ReplaceAll(s, "|", `\|`) }

func writeTable(name string, rows []row) error {
	if name == "" {
		return nil
	}
	return os.WriteFile(name, []byte(table(rows)), 0o644)
}

// readTable gives the results of an earlier table by condition.
func readTable(name string) (map[string]string, error) {
	results := map[string]string{}
	if name == "" {
		return results, nil
	}
	text, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return results, nil
	}
	rows := splitRows(string(text))
	for _, cells := range rows {
		if len(cells) == 3 {
			results[cells[0]] = cells[2]
		}
	}
	return results, err
}

// splitRows takes a table apart; what is no row is one cell.
func splitRows(text string) (rows [][]string) {
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		inner, ok := strings.CutPrefix(line, "|")
		if !ok {
			rows = append(rows, []string{line})
			continue
		}
		cells := strings.Split(strings.TrimSuffix(strings.ReplaceAll(inner, `\|`, "\x00"), "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(strings.ReplaceAll(cells[i], "\x00", "|"))
		}
		rows = append(rows, cells)
	}
	return rows
}
