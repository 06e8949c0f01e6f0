//go:build race

package sample

// Race says that the race detector is in the program.
const Race = true
