// Package guideline is the OpenStack guideline "Create, use, and remove
// temporary files securely" in Go: each of its snippets as code that a program
// could contain, the incorrect ones in incorrect.go, the correct ones in
// correct.go. Beside them stand pairs that the guideline does not have:
// programs that start a shell, that run goroutines, and that use os.Root.
//
// The code knows nothing of tests. Its tests put an attacker before every
// system call that it makes: the correct code is proved, the incorrect code is
// broken, and
//
//	go test -v ./examples/guideline
//
// shows both as a tour, with the interleaving that broke each program.
package guideline
