// Package hunt looks for what package attack overlooks: it makes victims by
// lot, runs each of them against a brute-force attacker of its own, and so has
// something to hold the verdicts of attack against. The two share no code but
// the fake disk.
//
// A Program is a victim: a list of operations on a handful of names, which
// Machine carries out through a System. Generate makes one from a seed.
// Reference is the second attacker: before each call it tries each act at each
// name, compares everything outside byte for byte, and says which rules broke.
package hunt
