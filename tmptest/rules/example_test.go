package rules_test

import (
	"fmt"

	"github.com/tmpproof/tmpproof/tmptest/rules"
)

func Example() {
	fmt.Println(rules.C01)
	fmt.Println("fix:", rules.C01.Fix())
	fmt.Println(rules.C01.CERT(), rules.C01.Level())
	// Output:
	// C01 a file is created with O_EXCL wherever others may write the directory (CWE-59, CWE-377)
	// fix: use os.CreateTemp, or add os.O_EXCL to os.O_CREATE and treat an existing file as an error
	// [FIO21-C FIO45-C FIO03-C] fail
}

// The rules that a scan for one weakness is about.
func ExampleAll() {
	for _, r := range rules.All() {
		for _, n := range r.CWE() {
			if n == 363 {
				fmt.Println(r.ID(), r.Title())
			}
		}
	}
	// Output:
	// C10 no check whether a name is free comes before a create of that name that is not exclusive
	// X01 something outside was changed, made or removed through a name that the attacker planted or moved
	// A07 a parent directory is swapped for a symbolic link between check and use
	// A15 a deep maze of symbolic links makes a lookup slow, so that a race is won
}

// How many rules fail a test, how many are logged, and how many wait to be asked
// for.
func ExampleLevel() {
	var fail, warn, optIn int
	for _, r := range rules.All() {
		switch r.Level() {
		case rules.Fail:
			fail++
		case rules.Warn:
			warn++
		case rules.OptIn:
			optIn++
		}
	}
	fmt.Println(fail > warn, warn > optIn, optIn > 0)
	// Output: true true true
}

// A rule that was read from a file.
func ExampleRule_Known() {
	for _, id := range []string{"R01", "R99"} {
		fmt.Println(id, rules.Rule(id).Known())
	}
	// Output:
	// R01 true
	// R99 false
}

func ExampleRule_Saying() {
	fmt.Println(rules.R13.Saying("no process that the tests started outlives them"))
	// Output: R13 no process that the tests started outlives them (CWE-404, CWE-459)
}
