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
	for line := range strings.Lines(string(text)) {
		line = strings.ReplaceAll(strings.TrimSpace(line), `\|`, "\x00")
		cells := strings.Split(line, "|")
		if len(cells) != 5 {
			continue
		}
		for i := range cells {
			cells[i] = strings.TrimSpace(strings.ReplaceAll(cells[i], "\x00", "|"))
		}
		results[cells[1]] = cells[3]
	}
	return results, err
}
