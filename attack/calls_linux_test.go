//go:build amd64 || arm64

package attack

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tmpproof/tmpproof/internal/supervise"
	"github.com/tmpproof/tmpproof/internal/supervise/kernelcalls"
)

// withoutFaults says why Faults lets no call of a kind fail.
var withoutFaults = map[supervise.Kind]string{
	supervise.Close:   "closes many descriptors, and says of none that it failed",
	supervise.Map:     "the error of mmap is not tried",
	supervise.Submit:  "reads and writes by libaio: their errors are not tried",
	supervise.Process: "the error of a call that starts a process is not tried",
	supervise.Signal:  "no disk is asked",
	supervise.Handler: "no disk is asked",
	supervise.Refused: "it fails with ENOSYS in any case",
	supervise.Special: "administration, a message to a socket, or a handle of a file",
}

// callRow is what each verb does with a call.
func callRow(name string, c supervise.Known) (prove, faults, kills, why string) {
	switch {
	case c.Kind == supervise.Process || c.Kind == supervise.Signal || c.Kind == supervise.Handler:
		return "followed", "-", "-", withoutFaults[c.Kind]
	case c.Kind == supervise.Refused:
		return "refused", "-", "-", withoutFaults[c.Kind]
	case c.Set&supervise.Names == 0 && c.Set&supervise.Uses != 0:
		prove = "seen"
	case c.Set&supervise.Names == 0:
		prove = "-"
	case c.Paths:
		prove = "moves"
	default:
		prove = "seen"
	}
	var errs []string
	for _, b := range boundariesOf(name, c.Kind) {
		for _, e := range canFail(b) {
			if !slices.Contains(errs, errnoName(e)) {
				errs = append(errs, errnoName(e))
			}
		}
	}
	slices.Sort(errs)
	if len(errs) == 0 {
		why = withoutFaults[c.Kind]
	}
	kills = "before"
	if c.Set&(supervise.Names|supervise.Data|supervise.Reads) == 0 {
		kills = "-"
	}
	return prove, cmp.Or(strings.Join(errs, " "), "-"), kills, why
}

// boundariesOf are a call's, with all that its errors depend on.
func boundariesOf(name string, kind supervise.Kind) []*boundary {
	var list []*boundary
	for _, asks := range []request{asksOther, asksLockNow, asksLockWait, asksUnlock, asksSeek} {
		for open := range 5 {
			list = append(list, &boundary{call: name, kind: kind, asks: asks, tmpfile: open == 1, create: open == 2 || open == 3, excl: open == 3, write: open == 4, fd: descriptor{kind: "file", write: true}})
		}
	}
	if kind != supervise.Control && kind != supervise.Lock {
		return list[:5]
	}
	only := map[string][]request{"flock": {asksLockNow, asksLockWait, asksUnlock}, "fcntl": {asksLockNow, asksLockWait, asksUnlock}, "lseek": {asksSeek}, "dup2": {asksOther}, "dup3": {asksOther}}
	return slices.DeleteFunc(list, func(b *boundary) bool { return !slices.Contains(only[name], b.asks) })
}

// TestTableOfCalls: testdata/calls.md has every system call of the kernel for
// both processors, with what each verb does at it, or the reason why not.
// TMPPROOF_UPDATE=1 writes it.
func TestTableOfCalls(t *testing.T) {
	amd64, arm64, exempt, table := kernelcalls.Names(t, "amd64"), kernelcalls.Names(t, "arm64"), kernelcalls.Exempt(t), supervise.Calls()
	const file = "testdata/calls.md"
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	own := map[string]map[string]bool{"amd64": amd64, "arm64": arm64}[runtime.GOARCH]
	all := maps.Clone(amd64)
	maps.Copy(all, arm64)
	for name := range table {
		assert.True(t, all[name], "%s is no call of Linux", name)
	}
	var b strings.Builder
	b.WriteString(`# System calls, and what each verb does at them

Written by TestTableOfCalls (TMPPROOF_UPDATE=1 go test -run TestTableOfCalls ./attack), from the tables of
internal/supervise and attack. A call counts where it concerns the scene. Prove: "moves" before it, "seen" by an oracle,
or "followed" as the process goes on; "refused" calls are named. Faults: the errors that it is made to fail with, for some file, descriptor
or flags. Kills: the process ends "before" it. Race stops no call: each runs as it would, with the attacker beside it.

| call | amd64 | arm64 | Prove | Faults | Kills | why not |
|---|---|---|---|---|---|---|
`)
	yes := map[bool]string{true: "x"}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if !own[name] { // of the other processor, on which this test holds it
			row := regexp.MustCompile(`(?m)^\| ` + name + ` \|.*\n`).Find(want)
			assert.NotEmpty(t, row, "%s has no row", name)
			b.Write(row)
			continue
		}
		prove, faults, kills, why := "-", "-", "-", exempt[name]
		if c, ok := table[name]; ok {
			prove, faults, kills, why = callRow(name, c)
			assert.True(t, faults != "-" || why != "", "%s: Faults does nothing, for no reason", name)
		} else {
			assert.NotEmpty(t, why, "%s is in no table", name)
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s | %s |\n", name, yes[amd64[name]], yes[arm64[name]], prove, faults, kills, why)
	}
	if os.Getenv("TMPPROOF_UPDATE") == "1" {
		want = []byte(b.String())
		require.NoError(t, os.WriteFile(file, want, 0o644))
	}
	assert.Equal(t, string(want), b.String(), "TMPPROOF_UPDATE=1 writes it")
}
