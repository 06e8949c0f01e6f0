// Package ordinary has the programs that a system comes with, each in a correct
// use of temporary files, under attack: nothing may be said against them. Beside
// them are a few uses that can be broken, so that the suite itself can fail.
package ordinary
