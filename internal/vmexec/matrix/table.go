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

// overviewHead stands above the number of rows that there are of each suite.
const overviewHead = "Runs of each suite, of which both users under both settings make four:\n\n"

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
	_, old, _ := strings.Cut(string(data), columns)
	for line := range strings.Lines(old) {
		line = strings.TrimSpace(line)
		if cells := strings.SplitN(line, " | ", 6); len(cells) == 6 {
			rows[strings.Join(cells[:5], " | ")+" |"] = line
		}
	}
	for _, o := range done {
		rows[o.key()] = o.row()
	}
	var b strings.Builder
	keys := slices.SortedFunc(maps.Keys(rows), compareRows)
	b.WriteString(tableHead + overviewHead + overview(keys) + "\n" + columns)
	for _, k := range keys {
		b.WriteString(rows[k] + "\n")
	}
	return os.WriteFile(path, []byte(b.String()), 0o644)
}

// overview counts the rows, of which it gets the keys, by suite and kernel.
func overview(keys []string) string {
	var kernels, suites []string
	count := map[[2]string]int{}
	for _, k := range keys {
		cells := strings.Split(k, " | ")
		kernel, suite := strings.TrimPrefix(cells[0], "| "), strings.TrimSuffix(cells[1], ", CPUs in parallel")
		count[[2]string{kernel, suite}]++
		if !slices.Contains(kernels, kernel) {
			kernels = append(kernels, kernel)
		}
		if !slices.Contains(suites, suite) {
			suites = append(suites, suite)
		}
	}
	slices.Sort(suites)
	var b strings.Builder
	fmt.Fprintf(&b, "| suite | %s |\n|---|%s\n", strings.Join(kernels, " | "), strings.Repeat("---|", len(kernels)))
	for _, suite := range suites {
		b.WriteString("| " + suite + " |")
		for _, kernel := range kernels {
			if n := count[[2]string{kernel, suite}]; n > 0 {
				fmt.Fprintf(&b, " %d |", n)
			} else {
				b.WriteString(" |")
			}
		}
		b.WriteString("\n")
	}
	return b.String()
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
