//go:build linux

// matrix runs the suites on other kernels through vmexec, holds each run
// against the one on this machine, and keeps the table of ../KERNELS.md.
// .ci/kernels builds both and starts it.
package main

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"
)

const usage = `usage: .ci/kernels [FLAG ...] [full]

Without "full": a part of three suites on one old amd64 kernel and one arm64
kernel. With it: all suites on all eight. The flags choose a part; each list is
of words with spaces between. What was run is written to the table.
`

func main() {
	var p plan
	fs := flag.NewFlagSet("kernels", flag.ExitOnError)
	fs.Usage = func() {
		fmt.Fprint(os.Stderr, usage)
		fs.PrintDefaults()
	}
	fs.StringVar(&p.kernels, "kernels", "5.10/amd64 5.10/arm64 6.1/amd64 6.1/arm64 6.12/amd64 6.12/arm64 7/amd64 7/arm64", "`list` of kernels")
	fs.StringVar(&p.users, "users", "0 65534", "`list` of users")
	fs.StringVar(&p.settings, "protected", "off strict", "`list` of settings of fs.protected_*: off, strict")
	fs.StringVar(&p.suites, "suites", "supervise rerun oracles signals older leakcheck tmpleak guideline errors worlds faults race pairs safe misbehave", "`list` of suites")
	fs.StringVar(&p.yama, "yama", "", "`list` of values of kernel.yama.ptrace_scope, for the suites named")
	fs.StringVar(&p.scene, "fs", "tmpfs", "`type` of the file system of /tmp")
	fs.BoolFunc("short", "run the suites with -test.short", func(string) error { p.part = short; return nil })
	fs.BoolFunc("long", "run them with TMPPROOF_LONG=1", func(string) error { p.part = long; return nil })
	fs.BoolVar(&p.multi, "multi", false, "emulate the CPUs in parallel")
	fs.IntVar(&p.count, "count", 1, "how often each test is run; each must print the same")
	fs.IntVar(&p.jobs, "jobs", runtime.NumCPU(), "guests at a time")
	fs.DurationVar(&p.timeout, "timeout", time.Hour, "for one suite on one kernel")
	fs.StringVar(&p.table, "table", "internal/vmexec/KERNELS.md", "`file` of the table; empty: none is written")
	fs.StringVar(&p.vmexec, "vmexec", "", "the wrapper's `program`")
	fs.StringVar(&p.asuser, "asuser", "", "the `program` that runs another as uid 65534")
	fs.StringVar(&p.logs, "logs", "", "`directory` for the output of each run; empty: kept of failed runs only")
	_ = fs.Parse(os.Args[1:])
	switch strings.Join(fs.Args(), " ") {
	case "full":
		p.full = true
	case "":
		p.quick = true
		fs.Visit(func(f *flag.Flag) {
			p.quick = p.quick && slices.Contains([]string{"vmexec", "asuser", "logs", "jobs", "timeout"}, f.Name)
		})
		if p.quick {
			p.kernels, p.users, p.part, p.suites, p.table = "5.10/amd64 6.12/arm64", "", short, "supervise oracles errors", ""
		}
	default:
		fs.Usage()
		os.Exit(2)
	}
	begin := time.Now()
	err := p.execute(os.Stdout)
	fmt.Printf("kernels: %v\n", time.Since(begin).Round(time.Second))
	if err != nil {
		fmt.Println("kernels:", err)
		os.Exit(1)
	}
}
