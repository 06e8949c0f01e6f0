// Package rulebook shows each rule of the rule book that only a run can check:
// a program that breaks it and is caught, and its nearest twin that keeps it
// and passes. The rules of package tmptest that can be checked by looking at
// what is there have their pairs in that package's tests.
//
// attacked_linux_test.go has the programs that package attack breaks,
// left_linux_test.go the test runs in which package leakcheck finds something.
package rulebook
