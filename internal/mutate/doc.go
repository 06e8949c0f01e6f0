// Mutate shows that the tests of a package would notice if one of its
// conditions were missing. It takes the conditions of the named files away one
// at a time and runs the tests: each time one has to fail.
//
//	go run ./internal/mutate -package ./attack judge.go oracle.go guard.go inspect.go
//
// An operand of && becomes true and one of || false, so that the rest of the
// condition decides; a condition of one operand becomes false, so that what
// it guards does not happen. All of them are compiled into one test binary
// (with the go command's -overlay, no file is changed), and a variable of the
// environment chooses which one is in force. First each test runs alone, to see
// which conditions matter in it: for a condition that is gone only those tests
// are run in which its value would be another one.
//
// The table goes to the standard output, or to the file of -o, where the
// reasons that it has for conditions that no test misses are kept: such a row
// says "nothing fails" and why that is right. Without a reason the program
// ends with status 1. A line of progress for each goes to the standard error.
package main
