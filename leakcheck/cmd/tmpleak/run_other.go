//go:build !linux || !(amd64 || arm64)

package main

import (
	"os"
	"os/signal"
	"runtime"
)

func special() {}

func run(cfg *config) int {
	return unwatched(cfg, "it needs Linux on amd64 or arm64, and this is "+runtime.GOOS+" on "+runtime.GOARCH)
}

// passSignals hands an interrupt on: the terminal gives it to both, and the
// tests decide.
func passSignals(*os.Process) (stop func()) {
	c := make(chan os.Signal, 8)
	signal.Notify(c, os.Interrupt)
	return func() { signal.Stop(c) }
}

func statusOf(s *os.ProcessState) int { return s.ExitCode() }

func die(status int) int { return status }
