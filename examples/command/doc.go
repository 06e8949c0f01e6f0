// Package command attacks command-line programs that are not written in Go:
// one in shell, one in C, one in Python, each in an unsafe and a safe form.
package command
