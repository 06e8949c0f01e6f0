//go:build linux

package main

import (
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// plan is what is to be run.
type plan struct {
	kernels, users, settings, suites, yama string
	scene                                  string
	part                                   part
	quick, full, multi                     bool
	count, jobs                            int
	timeout                                time.Duration
	table, vmexec, asuser, logs            string
}

// cells are the runs in their order.
func (p *plan) cells() ([]cell, error) {
	var list []cell
	if p.quick { // an unprivileged user on the old kernel, root on the other
		for _, name := range strings.Fields(p.suites) {
			i := slices.IndexFunc(suites, func(s suite) bool { return s.name == name })
			s := suites[i]
			s.name, s.run = name+", the gate's part", quick[name]
			list = append(list, cell{"5.10", "amd64", s, 65534, "strict", -1}, cell{"6.12", "arm64", s, 0, "off", -1})
		}
		return list, nil
	}
	var err error
	numbers := func(flag, list string) []int {
		var ns []int
		for _, word := range strings.Fields(list) {
			n, e := strconv.Atoi(word)
			if e != nil {
				err = fmt.Errorf("-%s: %w", flag, e)
			}
			ns = append(ns, n)
		}
		return ns
	}
	users, yamas := numbers("users", p.users), numbers("yama", p.yama)
	if len(yamas) == 0 {
		yamas = []int{-1}
	}
	for _, k := range strings.Fields(p.kernels) {
		series, arch, ok := strings.Cut(k, "/")
		if !ok {
			return nil, fmt.Errorf("-kernels %q: as 5.10/amd64", k)
		}
		for _, name := range strings.Fields(p.suites) {
			i := slices.IndexFunc(suites, func(s suite) bool { return s.name == name })
			if i < 0 {
				return nil, fmt.Errorf("-suites: there is no suite %q", name)
			}
			for _, user := range users {
				for _, set := range strings.Fields(p.settings) {
					if settings[set] == "" {
						return nil, fmt.Errorf("-protected %q: off or strict", set)
					}
					for _, yama := range yamas {
						list = append(list, cell{series, arch, suites[i], user, set, yama})
					}
				}
			}
		}
	}
	if p.full { // each value of ptrace_scope once, for both users
		checks := suites[slices.IndexFunc(suites, func(s suite) bool { return s.name == "checks" })]
		for yama := range 4 {
			for _, user := range users {
				list = append(list, cell{"6.12", "amd64", checks, user, "strict", yama})
			}
		}
	}
	return list, err
}

// execute runs all cells, some at a time, and reports each when it ends.
func (p *plan) execute(w io.Writer) error {
	cells, err := p.cells()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "kernels-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-stop // the guests end with this process
		_ = os.RemoveAll(dir)
		os.Exit(1)
	}()
	b := &bench{plan: p, dir: dir, built: map[string]error{}, native: map[string]*native{}}
	var mu sync.Mutex
	var failed []string
	var wg sync.WaitGroup
	slots := make(chan struct{}, max(1, p.jobs))
	for _, c := range cells {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			begin := time.Now()
			o, faults := b.try(c)
			mu.Lock()
			defer mu.Unlock()
			fmt.Fprintf(w, "%-60s %4d tests, %2d skipped, %5d boundaries, %6d schedules, %v\n", c, o.tests, o.skipped, o.boundaries, o.schedules, time.Since(begin).Round(time.Second))
			if len(faults) == 0 && p.table != "" { // at once: a long run may be cut off
				if err := updateTable(p.table, o); err != nil {
					faults = append(faults, err.Error())
				}
			}
			for _, f := range faults {
				fmt.Fprintf(w, "    %s\n", strings.ReplaceAll(f, "\n", "\n    "))
			}
			if len(faults) > 0 {
				failed = append(failed, c.String())
			}
		})
	}
	wg.Wait()
	if len(failed) > 0 {
		slices.Sort(failed)
		return fmt.Errorf("%d of %d runs failed:\n  %s", len(failed), len(cells), strings.Join(failed, "\n  "))
	}
	return nil
}
