// Package fsfake is a file system in memory that answers as Linux does.
package fsfake
