// Package safe holds code that handles temporary files as it should, plain
// and through well-known modules, and beside it code that does not. Its tests
// show that attack.Prove says nothing against the first, in a directory with
// the sticky bit and, where the code's contract goes so far, without; and that
// it breaks the second.
//
// It is a module of its own, so that the project does not depend on the
// modules that it looks at.
//
// Each function gets the shared directory, which others may write to, and a
// private one.
package safe
