// Package rules is the rule book: what "safe temporary file" means, as rules
// that can be checked while code runs. All packages of tmpproof report by them.
//
// A [Rule] is an id: what must hold, what to do about it, and the entries of the
// Common Weakness Enumeration and of the SEI CERT standards that it comes from
// are its methods. Rules can be compared, and nobody can change one:
//
//	attack.Prove(t, save, attack.Allow(rules.X04, "a page for everybody"))
//
// The letter of an id says what the rule is about: the environment (E), creation
// (C), use (U), removal (R), the damage that package attack sees (X), and the
// attacks that it makes (A). RULES.md has all of them as tables, with the moment
// and the way in which each is checked.
//
// What breaks a rule of level [Fail] fails a test. [Warn] is logged, and [OptIn]
// is checked where a test asks for it.
package rules

//go:generate go test -run ^TestGenerated$ . -update
