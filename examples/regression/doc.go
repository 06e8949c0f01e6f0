// Package regression is a security regression suite: published
// vulnerabilities of Go programs, made again in small. Each has the code as it
// was, as far as it matters, and as it was mended. The test breaks the one with
// the damage that the advisory tells of, and proves the other, so that the bug
// cannot come back unseen.
//
// The code is ours; from the advisories come the facts alone.
package regression
