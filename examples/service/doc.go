// Package service has what an ordinary program does with files in places that it
// shares with others: a pid file, a public page, a lock file, an archive that
// somebody has sent, a socket, a log, a store and a shell script. Package before
// is as it is usually written, package after is that code mended; the tests of
// this package find the one broken, rule by rule, and prove the other.
package service
