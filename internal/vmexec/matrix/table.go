//go:build linux

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
)

const tableHead = `# What was run on which kernel

Written by ` + "`.ci/kernels full`" + ` and by runs of a part of it; what has no row was not run by it. A row stands for a run in which nothing failed, each
skipped test was on the list of named reasons, and all texts were those of the same tests on the machine itself where the last column says so.
Debian's cloud kernels, under emulation. Columns: fs.protected_* at 0 (off) or at the kernel's strictest; tests that came to their verdict (where
ptrace_scope forbids it: their refusal), and those skipped; distinct boundaries and schedules of all proofs. "short" is the part that -short leaves, and "long" all of it,
of which the suite by itself takes a part.

`

const columns = "| kernel | suite | uid | protected | /tmp | tests | skipped | boundaries | schedules | same text |\n|---|---|---|---|---|---|---|---|---|---|\n"

// key is what tells a row from others, and orders them.
func (o outcome) key() string {
	name := o.suite.name
	if o.part != usual {
		name += ", " + string(o.part)
	}
	if o.times > 1 {
		name += fmt.Sprintf(", %d times", o.times)
	}
	if o.multi {
		name += ", CPUs in parallel"
	}
	protected := o.settings
	if o.yama >= 0 {
		protected += fmt.Sprintf(", ptrace_scope %d", o.yama)
	}
	return fmt.Sprintf("| %s %s | %s | %d | %s | %s |", o.series, o.arch, name, o.user, protected, o.scene)
}

func (o outcome) row() string {
	same := "not compared"
	switch {
	case refuses(o.cell):
		same = "refused, as it must be"
	case o.suite.alike:
		same = "yes"
	}
	return fmt.Sprintf("%s %d | %d | %d | %d | %s |", o.key(), o.tests, o.skipped, o.boundaries, o.schedules, same)
}

// updateTable puts rows into the table, in the place of older ones of the
// same run.
func updateTable(path string, done ...outcome) error {
	data, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	rows := map[string]string{}
	for line := range strings.Lines(string(data)) {
		line = strings.TrimSpace(line)
		if cells := strings.SplitN(line, " | ", 6); len(cells) == 6 && strings.Count(line, "|") == 11 && !strings.HasPrefix(line, "| kernel") {
			rows[strings.Join(cells[:5], " | ")+" |"] = line
		}
	}
	for _, o := range done {
		rows[o.key()] = o.row()
	}
	var b strings.Builder
	b.WriteString(tableHead + columns)
	for _, k := range slices.SortedFunc(maps.Keys(rows), compareRows) {
		b.WriteString(rows[k] + "\n")
	}
	return os.WriteFile(path, []byte(b.String()), 0o644)
}

// compareRows orders by kernel, the oldest first.
func compareRows(x, y string) int {
	order := []string{"5.10 ", "6.1 ", "6.12 ", "7 "}
	rank := func(row string) int {
		return slices.IndexFunc(order, func(s string) bool { return strings.HasPrefix(row, "| "+s) })
	}
	if d := rank(x) - rank(y); d != 0 {
		return d
	}
	return strings.Compare(x, y)
}
